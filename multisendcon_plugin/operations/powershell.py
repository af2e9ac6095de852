"""Text as PowerShell reads it, so that nothing in a name is taken for a command.  Pure."""

from __future__ import annotations

import re

#: All of these end a string in single quotes, and each stands for itself when it is doubled.
_QUOTES = re.compile("(['\u2018\u2019\u201a\u201b])")


def quoted(text: str) -> str:
    """Return a text as a string in single quotes, in which ``$`` and backticks mean nothing."""
    doubled = _QUOTES.sub(r"\1\1", text)
    return f"'{doubled}'"
