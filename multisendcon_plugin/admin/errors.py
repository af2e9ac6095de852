"""Why the relay cannot be asked; what it refuses, and what is not there, is in `operations`."""

from __future__ import annotations

from ..errors import MultisendconError


class UnreachableError(MultisendconError):
    """No relay can be talked to.  The text says what to do."""


class NotRunningError(UnreachableError):
    """There is no relay."""
