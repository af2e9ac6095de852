"""Converts content as clients send it to wire form: dot-stuffed, lines that end with CRLF.

After DATA its end is found in a stream of octets.  RFC 5321 section 4.1.1.4: only CRLF "." CRLF
ends the data, and CR and LF appear only together.  After BDAT (RFC 3030) it is exact, and the dots
are ours to add.  Pure: gets segments, gives back pieces of the content, never a line.
"""

from __future__ import annotations

import re

_END = b"\r\n.\r\n"
# A dot that the next server would take away as well (section 4.5.2), though its client should have
# sent two.  With it, a line is not what it seems: ".From:" would be no From: to us, but one to
# everybody behind us.
# The CRLF is part of the match: what a pattern begins with is found many times faster than a dot
# that something stands before.
_NEEDLESS_DOT = re.compile(rb"\r\n\.(?=[^.\r])")


class _Content:
    """What both ways of sending content have in common.

    :param fix_bare_lf: a bare LF becomes CRLF.
    :ivar clean: no bare CR, no bare LF and no NUL was given back so far (RFC 5321 section 2.3.8).
    :ivar size: octets given back so far, but for the dots of the wire form (RFC 1870 section 3).
    """

    def __init__(self, *, fix_bare_lf: bool = False) -> None:
        self.clean = True
        self.size = 0
        self._fix = fix_bare_lf
        # As though a line had just ended, since the first line may begin with a dot.
        self._held = b"\r\n"
        self._skip = 2

    def _given(self, piece: bytes) -> bytes:
        if self.clean:
            # RFC 5321 section 2.3.8 forbids a bare CR, RFC 5322 section 3.5 a NUL.  Some servers
            # end a line at a CR, some drop a NUL: behind them the content would be another one.
            # No CR and no LF stands alone, at the ends of the piece neither.
            lines = piece.splitlines()
            ends = len(lines) - (piece[-1:] not in b"\r\n")
            self.clean = b"\0" not in piece and len(piece) - sum(map(len, lines)) == 2 * ends
        # One octet is found much faster than three, and base64 has no dots.
        dots = piece.count(b"\r\n.") if b"." in piece else 0
        if self._skip and piece:
            piece = piece[self._skip :]
            self._skip = 0
        self.size += len(piece) - dots
        return piece


class ContentScanner(_Content):
    """Cuts the content of one message out of what a client sends after DATA.

    A bare LF that is fixed never ends the content, nor is it part of its end: CRLF "." CRLF, as the
    client has sent them, are all that ends it (RFC 5321 section 4.1.1.4).  What follows a bare LF
    is content: a dot is stuffed, ``LF . LF`` leaves as ``CRLF .. CRLF``, so that it ends nothing at
    the next server either.
    """

    def feed(self, segment: bytes) -> tuple[bytes, bytes | None]:
        """Take the next octets from the client.

        :return: more of the content, and what follows the final dot; ``None`` as long as that
            has not been seen.
        """
        octets = self._held + segment
        rest = None
        if b"." in octets and b"\r\n." in octets:
            end = octets.find(_END)
            if end >= 0:
                octets, rest = octets[: end + 2], octets[end + len(_END) :]
            octets = _NEEDLESS_DOT.sub(b"\r\n", octets)
        if rest is not None:
            piece = octets
        else:
            # What might become the end, and the end of a line, are looked at again.
            cut = _before_line_end(octets, max(len(octets) - (len(_END) - 1), 0))
            piece, self._held = octets[:cut], octets[cut:]
        if self._fix:
            # Behind a bare LF no line begins for a client that speaks SMTP: a dot is not stuffed.
            piece = _fixed(piece, dot=b"..")
        return self._given(piece), rest


class ChunkEncoder(_Content):
    """Brings the content of one message that a client sends by BDAT into wire form."""

    def feed(self, segment: bytes) -> bytes:
        """Take the next octets of a chunk, or of the next chunk; return more of the content."""
        octets = self._held + segment
        cut = _before_line_end(octets, len(octets))
        piece, self._held = octets[:cut], octets[cut:]
        return self._encoded(piece)

    def finish(self) -> bytes:
        """Take the end of the last chunk; return the rest of the content, its last line ended.

        The next server may get it by DATA, which needs a CRLF before its final dot.  It is all that
        is changed.
        """
        ended = self._held.endswith(b"\n")
        return self._encoded(self._held if ended else self._held + b"\r\n")

    def _encoded(self, piece: bytes) -> bytes:
        if self._fix:
            piece = _fixed(piece)
        return self._given(piece.replace(b"\r\n.", b"\r\n.."))


def _fixed(piece: bytes, *, dot: bytes = b".") -> bytes:
    """Turn each bare LF into CRLF, and a dot behind it into this."""
    if piece.count(b"\n") == piece.count(b"\r\n"):
        return piece
    # Replacing is many times faster than a regular expression where there is little but LF.
    parts = piece.split(b"\r\n")
    return b"\r\n".join(part.replace(b"\n.", b"\n" + dot).replace(b"\n", b"\r\n") for part in parts)


def _before_line_end(octets: bytes, cut: int) -> int:
    """Return where to cut so that CR, LF and what follows them stay together."""
    for end in (b"\n", b"\r"):
        if octets[cut - 1 : cut] == end:
            cut -= 1
    return cut
