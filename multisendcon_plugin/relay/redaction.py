"""Redacts secrets in what a server says, since its replies get into logs and reports.  Pure."""

from __future__ import annotations

import base64
import json
import re
from urllib.parse import quote


class Redaction:
    """Replaces the secrets of one session where the server repeats them.

    They are found as they are and in base64, as they were sent, and as web pages and JSON write
    them; in any case, since some servers repeat a command in capitals.
    """

    def __init__(self) -> None:
        self._secrets: set[bytes] = set()
        self._pattern: re.Pattern[bytes] | None = None

    def hide(self, *secrets: bytes) -> None:
        """Hide these from now on."""
        for secret in filter(None, secrets):
            self._secrets |= {
                secret,
                base64.b64encode(secret).rstrip(b"="),
                quote(secret).encode(),
                quote(secret, safe="").encode(),
                json.dumps(secret.decode("utf-8", "replace"))[1:-1].encode(),
            }
        if not self._secrets:
            return  # the pattern of nothing is found everywhere
        # The longest first: one may be a part of another.
        longest_first = sorted(self._secrets, key=len, reverse=True)
        self._pattern = re.compile(b"|".join(map(re.escape, longest_first)), re.IGNORECASE)

    def redacted(self, line: bytes) -> bytes:
        """Return what may be shown of a line."""
        return self._pattern.sub(b"***", line) if self._pattern else line
