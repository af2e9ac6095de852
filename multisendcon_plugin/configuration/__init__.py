"""The configuration file: settings read from TOML, with all faults at once."""

from __future__ import annotations

from .changes import AT_START_ONLY, ReloadSummary, needing_restart, summary
from .configuration import Configuration
from .file import load, load_text, parse
from .reading import read
from .warnings import warnings

__all__ = [
    "AT_START_ONLY",
    "Configuration",
    "ReloadSummary",
    "load",
    "load_text",
    "needing_restart",
    "parse",
    "read",
    "summary",
    "warnings",
]
