"""Asks the DNS, for accounts that deliver by it.

Has the contract and its values only; `resolver` needs dnspython, and is imported when there is an
account that delivers by the DNS.
"""

from __future__ import annotations

from .answer import TYPES, Answer, DnsError, Kind, Names
from .records import ROOT, Mx, Record, Tlsa, Txt

__all__ = [
    "ROOT",
    "TYPES",
    "Answer",
    "DnsError",
    "Kind",
    "Mx",
    "Names",
    "Record",
    "Tlsa",
    "Txt",
]
