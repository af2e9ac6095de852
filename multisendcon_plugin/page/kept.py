"""Secrets that somebody has written, and not saved yet: what they confirm does not show them.

They are in memory, as long as the session.
"""

from __future__ import annotations

import secrets
from collections import OrderedDict

#: Of one session; beyond that, the oldest is forgotten.
MOST = 50


class Kept:
    """The secrets of one session, each by a random number."""

    def __init__(self) -> None:
        self._secrets: OrderedDict[str, str] = OrderedDict()

    def keep(self, secret: str) -> str:
        """Keep one; return its number."""
        number = secrets.token_urlsafe(16)
        self._secrets[number] = secret
        if len(self._secrets) > MOST:
            self._secrets.popitem(last=False)
        return number

    def find(self, number: str) -> str | None:
        """Return the one of a number."""
        return self._secrets.get(number)
