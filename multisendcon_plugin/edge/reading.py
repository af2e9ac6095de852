"""Cuts what a client sends into command lines, in bounded memory.

RFC 5321 sections 2.3.8 and 4.5.3.1.4.  It knows no command but BDAT, which content follows; content
is taken from it as it comes.  Pure.
"""

from __future__ import annotations

from ..mail.reply import Reply, ReplyError
from . import replies
from .tolerance import Tolerance

#: How each handshake begins, of the versions that there are.
_TLS_RECORD = b"\x16\x03"
_TLS_TOO_EARLY = "the client began TLS on a port that begins in the clear, for STARTTLS"
#: Octets that are kept of a line that is too long: more than a log shows.
_KEPT = 256


class LineError(Exception):
    """A line after which the session has to end: with this reply; `why` is for the log."""

    def __init__(self, reply: Reply, why: str = "") -> None:
        super().__init__(str(reply))
        self.reply = reply
        self.why = why


class Reader:
    """The octets that have come and are not carried out yet.

    :param longest: octets of a command line, without its LF.
    :param tolerance: corrects line ends; ``None``: nothing does.
    :ivar octets: what comes is added at the end.
    :ivar shown: the line that was read last, as it came, as far as it may be in a log.
    """

    def __init__(self, longest: int, tolerance: Tolerance | None) -> None:
        self._longest = longest
        self._tolerance = tolerance
        self._beginning = b""
        self.octets = bytearray()
        self.shown = b""

    def line(self) -> bytes | None:
        """Take the next command, without its line end; ``None``: it is not here whole.

        :raise ReplyError: it is too long; all of it has come.
        :raise LineError: its end is not CRLF, or it has CR, LF or NUL elsewhere.
        """
        if self.octets.startswith(_TLS_RECORD) and not self._beginning:
            self.shown = b""
            raise LineError(replies.BARE_LINE_END, _TLS_TOO_EARLY)
        end = self.octets.find(b"\n")
        if end < 0:
            if len(self.octets) > self._longest:
                self._beginning = self._beginning_with(self.octets)
                self.octets.clear()
            return None
        line = self.shown = bytes(self.octets[:end])
        del self.octets[: end + 1]
        if self._beginning or len(line) > self._longest:
            self.shown, self._beginning = self._beginning_with(line), b""
            # Behind a BDAT comes content, and nobody has read how much of it.
            if self.shown[:4].upper() == b"BDAT":
                raise LineError(replies.CHUNK_UNKNOWN)
            raise ReplyError(replies.LINE_TOO_LONG)
        if line[-1:] == b"\r" and b"\r" not in line[:-1] and b"\0" not in line:
            return line[:-1]
        command = None
        if self._tolerance:
            command = self._tolerance.line(line, more_is_here=bool(self.octets))
        if command is None:
            # RFC 5321 section 2.3.8: CR and LF come together only.  Where one stands alone, what
            # follows may be part of an address that nobody has looked at, with a command of a
            # stranger in it.
            raise LineError(replies.BARE_LINE_END)
        return command

    def _beginning_with(self, octets: bytes | bytearray) -> bytes:
        """Return what is kept of a line that is too long, behind its blanks; never nothing."""
        return (self._beginning + octets).lstrip(b" \t")[:_KEPT] or b" "

    def content(self, most: int | None) -> bytes:
        """Take what is here, no more than so many octets; ``None``: all."""
        octets = bytes(self.octets[:most])
        del self.octets[:most]
        return octets
