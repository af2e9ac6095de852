"""The configuration: settings as values, read from TOML with all faults at once."""

from __future__ import annotations

from .file import load, parse
from .reading import read
from .values import (
    BareLf,
    ClientSettings,
    Configuration,
    DeliverySettings,
    MasterRelay,
    NdrSettings,
    Network,
    ReportTo,
    SpoolSettings,
)

__all__ = [
    "BareLf",
    "ClientSettings",
    "Configuration",
    "DeliverySettings",
    "MasterRelay",
    "NdrSettings",
    "Network",
    "ReportTo",
    "SpoolSettings",
    "load",
    "parse",
    "read",
]
