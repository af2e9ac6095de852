"""The end of mail data, found in a stream of octets.

RFC 5321 section 4.1.1.4: only CRLF "." CRLF ends the data, and CR and LF appear only together.
Pure: gets segments, gives back the content in wire form (still dot-stuffed), never a line.
"""

from __future__ import annotations

import re

_END = b"\r\n.\r\n"
# A dot that the next server would take away as well (section 4.5.2).  With it, a line is not what
# it seems: ".From:" would be no From: to us, but one to everybody behind us.
_NEEDLESS_DOT = re.compile(rb"(?<=\r\n)\.(?=[^.\r])")


class ContentScanner:
    """Cuts the content of one message out of what a client sends after DATA.

    :ivar clean: no bare CR, no bare LF and no NUL was seen so far (RFC 5321 section 2.3.8).
    """

    def __init__(self) -> None:
        self.clean = True
        # As though a line had just ended, since a lone dot may be the first line.
        self._held = b"\r\n"
        self._skip = 2

    def feed(self, segment: bytes) -> tuple[bytes, bytes | None]:
        """Take the next octets from the client.

        :return: more of the content, and what follows the final dot; ``None`` as long as that
            has not been seen.
        """
        octets = self._held + segment
        rest = None
        end = octets.find(_END)
        if end >= 0:
            octets, rest = octets[: end + 2], octets[end + len(_END) :]
        if b"\r\n." in octets:
            octets = _NEEDLESS_DOT.sub(b"", octets)
        if rest is not None:
            piece = octets
        else:
            # What might become the end, and a CR whose LF might follow, are looked at again.
            cut = max(len(octets) - (len(_END) - 1), 0)
            if octets[cut - 1 : cut] == b"\r":
                cut -= 1
            piece, self._held = octets[:cut], octets[cut:]
        if self.clean:
            pairs = piece.count(b"\r\n")
            self.clean = pairs == piece.count(b"\n") == piece.count(b"\r") and b"\0" not in piece
        if self._skip and piece:
            piece = piece[self._skip :]
            self._skip = 0
        return piece, rest
