"""Redacts secrets in what a server says, since its replies get into logs and reports.  Pure."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Callable, Iterator
from functools import partial
from urllib.parse import quote, quote_plus

#: What may come between two octets of a secret where a server breaks its lines: their ends, and the
#: enhanced code that it repeats on each (RFC 2034).
_GAP = re.compile(rb"\s+(?:[245]\.\d{1,3}\.\d{1,3}\s+)?")
#: Octets of the shortest form that is looked for over the ends of lines: the end of one word and
#: the beginning of the next make many a shorter one.
_SHORTEST_BROKEN = 6


class Redaction:
    """Replaces the secrets of an account where its server repeats them.

    They are found as they are and in base64, as they were sent, and as web pages and JSON write
    them; in any case, since some servers repeat a command in capitals, and over the ends of lines.

    :ivar line: returns what may be shown of one line.
    """

    def __init__(self) -> None:
        self._hidden: set[bytes] = set()
        #: In lower case, the longest first: one may be a part of another.
        self._forms: list[bytes] = []
        #: Those, without what may come between their octets.
        self._closed: list[bytes] = []
        # No call of ours for each reply.
        self.line: Callable[[bytes], bytes] = bytes

    def hide(self, *secrets: bytes) -> None:
        """Hide these from now on."""
        new = {each for each in secrets if each} - self._hidden
        if not new:
            return
        self._hidden |= new
        forms = {form.lower() for secret in new for form in _forms(secret)}
        self._forms = sorted(forms.union(self._forms), key=len, reverse=True)
        closed = (_GAP.sub(b"", form) for form in self._forms)
        self._closed = [form for form in closed if len(form) >= _SHORTEST_BROKEN]
        pattern = re.compile(b"|".join(map(re.escape, self._forms)), re.IGNORECASE)
        self.line = partial(pattern.sub, b"***")

    def redacted(self, text: bytes) -> bytes:
        """Return what may be shown of one line, or of several with a line feed between them."""
        text = self.line(text)
        if b"\n" in text:
            closed = _GAP.sub(b"", text).lower()
            if any(form in closed for form in self._closed):
                # One begins on one line and ends on another.
                return b"\n".join([b"***"] * (text.count(b"\n") + 1))
        return text


def _forms(secret: bytes) -> Iterator[bytes]:
    """Yield a secret as it may be repeated."""
    yield secret
    yield base64.b64encode(secret).rstrip(b"=")
    yield quote(secret).encode()
    yield quote(secret, safe="").encode()
    yield quote_plus(secret).encode()
    text = secret.decode("utf-8", "replace")
    # The pattern knows upper and lower case in ASCII only.
    for cased in {text, text.upper(), text.lower()}:
        yield cased.encode()
        yield html.escape(cased).encode()
        yield json.dumps(cased)[1:-1].encode()
        yield json.dumps(cased, ensure_ascii=False)[1:-1].encode()
