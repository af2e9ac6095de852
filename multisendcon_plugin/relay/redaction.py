"""Redacts secrets in what a server says, since its replies get into logs and reports.  Pure."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from functools import lru_cache, partial

from ..settings.repeated import forms as forms_of

#: What may come between two octets of a secret where a server breaks its lines: their ends, and the
#: enhanced code that it repeats on each (RFC 2034).
_GAP = re.compile(rb"\s+(?:[245]\.\d{1,3}\.\d{1,3}\s+)?")
#: Octets of the shortest form that is looked for over the ends of lines: the end of one word and
#: the beginning of the next make many a shorter one.
_SHORTEST_BROKEN = 6
#: A long secret in the letters of a token (RFC 6750 section 2.1); no password is like this.
_TOKEN = re.compile(rb"[A-Za-z0-9._~+/=-]{256,}")
#: What may be a part of one, as it is or as URLs, JSON and web pages write it; a shorter part is of
#: no use to anybody.
_WORD = re.compile(rb"[A-Za-z0-9._~+/=%\\&#;-]{64,}")
#: So many octets together are no coincidence.  One piece of a token in so many is known: any word
#: of the length above that is a part of it has one.
_PIECE, _STEP = 16, 48


class Redaction:
    """Replaces the secrets of an account where its server repeats them.

    They are found as they are and in base64, as they were sent, and as web pages and JSON write
    them; in any case, since some servers repeat a command in capitals, and over the ends of lines.

    A token may have thousands of octets, of which a server repeats what it has read: so any long
    word with a piece of it is replaced.  There is no pattern of it, which took 20 ms to compile.

    :ivar line: returns what may be shown of one line.
    """

    def __init__(self) -> None:
        self._hidden: set[bytes] = set()
        #: In lower case, the longest first: one may be a part of another.
        self._forms: list[bytes] = []
        #: Those, without what may come between their octets.
        self._closed: list[bytes] = []
        #: Pieces of tokens in lower case.
        self._pieces: set[bytes] = set()
        # No call of ours for each reply.
        self.line: Callable[[bytes], bytes] = bytes

    def hide(self, *secrets: bytes) -> None:
        """Hide these from now on."""
        new = {each for each in secrets if each} - self._hidden
        if not new:
            return
        self._hidden |= new
        tokens = {each for each in new if _TOKEN.fullmatch(each)}
        self._pieces.update(*map(_pieces, tokens))
        forms = {form.lower() for secret in new - tokens for form in forms_of(secret)}
        if forms:
            self._forms = sorted(forms.union(self._forms), key=len, reverse=True)
            closed = (_GAP.sub(b"", form) for form in self._forms)
            self._closed = [form for form in closed if len(form) >= _SHORTEST_BROKEN]
        self.line = self._line()

    def _line(self) -> Callable[[bytes], bytes]:
        without_tokens: Callable[[bytes], bytes] = partial(_WORD.sub, self._shown)
        if not self._forms:
            return without_tokens
        pattern = re.compile(b"|".join(map(re.escape, self._forms)), re.IGNORECASE)
        without_forms: Callable[[bytes], bytes] = partial(pattern.sub, b"***")
        if not self._pieces:
            return without_forms
        return lambda line: without_tokens(without_forms(line))

    def _shown(self, found: re.Match[bytes]) -> bytes:
        return b"***" if self._is_of_token(found[0]) else found[0]

    def _is_of_token(self, word: bytes) -> bool:
        word, pieces = word.lower(), self._pieces
        ends = range(_PIECE, len(word) + 1)
        return any(word[end - _PIECE : end] in pieces for end in ends)

    def redacted(self, text: bytes) -> bytes:
        """Return what may be shown of one line, or of several with a line feed between them."""
        if b"\n" not in text:
            return self.line(text)
        shown = self.line(text)
        closed = _GAP.sub(b"", shown).lower()
        if any(form in closed for form in self._closed) or (
            # Of a token the last line may be too short to be told by itself.
            self._pieces and any(map(self._is_of_token, _WORD.findall(_GAP.sub(b"", text))))
        ):
            # One begins on one line and ends on another.
            return b"\n".join([b"***"] * (text.count(b"\n") + 1))
        return shown


# All sessions of an account have the same token for an hour.
@lru_cache(maxsize=256)
def _pieces(token: bytes) -> frozenset[bytes]:
    """Return pieces of a token as it may be repeated."""
    return frozenset(
        form[start : start + _PIECE]
        for form in (token.lower(), base64.b64encode(token).lower())
        for start in range(0, len(form) - _PIECE, _STEP)
    )
