"""The spool: what was answered with 250 is in here until every recipient is settled.

`SqliteSpool` keeps it on disk; `MemorySpool` is its twin for tests.
"""

from __future__ import annotations

from .check import check
from .memory import MemoryDisk, MemorySpool
from .sqlite import SqliteSpool

__all__ = ["MemoryDisk", "MemorySpool", "SqliteSpool", "check"]
