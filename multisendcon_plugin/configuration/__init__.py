"""The configuration: settings as values, read from TOML with all faults at once."""

from __future__ import annotations

from .file import load, parse
from .reading import read
from .values import (
    Configuration,
    DeliverySettings,
    MasterRelay,
    NdrSettings,
    ReportTo,
    SpoolSettings,
)

__all__ = [
    "Configuration",
    "DeliverySettings",
    "MasterRelay",
    "NdrSettings",
    "ReportTo",
    "SpoolSettings",
    "load",
    "parse",
    "read",
]
