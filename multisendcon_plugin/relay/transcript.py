"""What was said and heard in a session, as on the wire, without secrets and without the content.

Kept for an admin who tests an account, and for no other session.  Pure.
"""

from __future__ import annotations

import re

from .redaction import Redaction

#: Lines that are kept, and characters of each.
MOST_LINES, LONGEST_LINE = 500, 500
#: Octets of a line that has no end yet.
_LONGEST_UNFINISHED = 8192
#: Lines of one reply that are looked at together; the relay takes no longer one.
_MOST_TOGETHER = 100
_CODE = re.compile(rb"\d{3}[ -]")


class Transcript:
    """The transcript of one session.

    :param redaction: knows the secrets of the session.
    """

    def __init__(self, redaction: Redaction) -> None:
        self._lines: list[str] = []
        self._redaction = redaction
        #: Lines of a reply that goes on.
        self._reply: list[bytes] = []
        self._heard = b""
        self._last_said = b""
        #: The next line is the response to a challenge.
        self._challenged = False
        #: Octets of the content so far; ``None``: none is due.
        self._content: int | None = None

    @property
    def lines(self) -> list[str]:
        """What there is: ``C:`` is we, ``S:`` the server; what is in brackets was not said."""
        self._end_reply()
        return self._lines

    def note(self, text: str) -> None:
        """Note something that nobody said."""
        self._add(f"({text})")

    def said(self, octets: bytes) -> None:
        """Note what we have said: whole lines, or content."""
        if self._content is not None:
            self._content += len(octets)
            return
        for line in octets.split(b"\r\n")[:-1]:
            self._last_said = line
            if self._challenged:
                self._challenged = False
                self._add("C: *" if line == b"*" else "C: ***")
            elif line[:5].upper() == b"AUTH ":
                # What comes with the command is a secret in base64, or a token.
                verb, mechanism, *initial = line.split(b" ")
                self._add(f"C: {_text(verb)} {_text(mechanism)}{' ***' if initial else ''}")
            else:
                self._add(f"C: {_text(self._redaction.redacted(line))}")

    def heard(self, octets: bytes) -> None:
        """Note what the server has said, in whatever segments it comes."""
        *lines, self._heard = (self._heard + octets).split(b"\n")
        for line in lines:
            self._hear(line.removesuffix(b"\r"))
        if len(self._heard) > _LONGEST_UNFINISHED:
            self._heard = b""
            self.note("a line of the server has no end")

    def _hear(self, line: bytes) -> None:
        if self._content is not None:
            self._add(f"C: (content, {self._content} bytes)")
            self._content = None
        if line[:3] == b"334":
            self._challenged = True
            self._add("S: 334 ***")  # by challenge and response, a password can be guessed
            return
        if line[:3] == b"354" and line[3:4] != b"-" and self._last_said == b"DATA":
            self._content = 0
        self._reply.append(line)
        if line[3:4] != b"-" or len(self._reply) == _MOST_TOGETHER:
            self._end_reply()

    def _end_reply(self) -> None:
        """Note a reply: a secret may begin on one of its lines and end on another."""
        reply, self._reply = self._reply, []
        codes = [found[0] if (found := _CODE.match(line)) else b"" for line in reply]
        texts = [line.removeprefix(code) for line, code in zip(reply, codes, strict=True)]
        shown = self._redaction.redacted(b"\n".join(texts)).split(b"\n")
        # Of nothing, there is one empty line.
        for code, text in zip(codes, shown, strict=False):
            self._append(f"S: {_text(code + text)}")

    def _add(self, line: str) -> None:
        self._end_reply()
        self._append(line)

    def _append(self, line: str) -> None:
        if len(self._lines) < MOST_LINES:
            self._lines.append(line[:LONGEST_LINE])
        elif len(self._lines) == MOST_LINES:
            self._lines.append("(and more)")


def _text(octets: bytes) -> str:
    text = octets.decode("utf-8", "backslashreplace")
    return "".join(each if each.isprintable() else " " for each in text)
