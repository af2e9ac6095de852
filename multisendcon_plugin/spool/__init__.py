"""The spool: what was answered with 250 is in here until every recipient is settled."""

from __future__ import annotations

from .sqlite import SqliteSpool, check

__all__ = ["SqliteSpool", "check"]
