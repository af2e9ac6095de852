"""The configuration: settings as values, read from TOML with all faults at once."""

from __future__ import annotations

from .certificate import ServerCertificate
from .file import load, load_certificate, parse
from .reading import read
from .users import Users, user_key
from .values import (
    BareLf,
    ClientSettings,
    Configuration,
    DeliverySettings,
    HeaderFrom,
    MasterRelay,
    MinimumTls,
    NdrSettings,
    Network,
    ReportTo,
    Room,
    SpoolSettings,
)
from .warnings import warnings

__all__ = [
    "BareLf",
    "ClientSettings",
    "Configuration",
    "DeliverySettings",
    "HeaderFrom",
    "MasterRelay",
    "MinimumTls",
    "NdrSettings",
    "Network",
    "ReportTo",
    "Room",
    "ServerCertificate",
    "SpoolSettings",
    "Users",
    "load",
    "load_certificate",
    "parse",
    "read",
    "user_key",
    "warnings",
]
