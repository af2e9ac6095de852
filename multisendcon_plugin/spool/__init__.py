"""The spool: what was answered with 250 is in here until every recipient is settled."""

from __future__ import annotations

from .check import check
from .sqlite import SqliteSpool

__all__ = ["SqliteSpool", "check"]
