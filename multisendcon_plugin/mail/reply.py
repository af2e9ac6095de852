"""SMTP replies, ours and theirs: code, enhanced status code, text.

RFC 5321 section 4.2 and RFC 3463.  Pure: knows the form of a reply, not its meaning.
"""

from __future__ import annotations

import re
from functools import cached_property, lru_cache

import attrs

_ENHANCED = re.compile(r"([245]\.\d{1,3}\.\d{1,3})(?:\s+|$)")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]+")

#: A reply longer than this is cut: it ends up in logs, reports and the spool.
LONGEST_TEXT = 2000


@attrs.frozen
class Reply:
    """A reply of an SMTP server.

    :param code: three digits; 0 when the reply is not a server's but a statement of ours
        about a connection that gave none.
    :param enhanced: ``"5.1.1"``, or ``""`` when there is none.
    :param text: one or more lines without code, one below the other.
    """

    code: int
    enhanced: str = ""
    text: str = ""

    @property
    def positive(self) -> bool:
        """2xx and 3xx: the command was taken."""
        return 200 <= self.code < 400

    @property
    def permanent(self) -> bool:
        """5xx: the same command will fail again."""
        return 500 <= self.code < 600

    def __str__(self) -> str:
        code = str(self.code) if self.code else ""
        return " ".join(filter(None, (code, self.enhanced, *self.text.splitlines())))

    # Most of our replies are said again and again, four times a mail.
    @cached_property
    def wire(self) -> bytes:
        """The reply as a server writes it, the enhanced code on each line (RFC 2034)."""
        prefix = f"{self.enhanced} " if self.enhanced else ""
        *lines, last = self.text.split("\n")
        text = "".join(f"{self.code}-{prefix}{line}\r\n" for line in lines)
        return f"{text}{self.code} {prefix}{last}\r\n".encode()

    @classmethod
    def parse(cls, code: int, lines: list[bytes], longest: int = LONGEST_TEXT) -> Reply:
        """Read the lines of a server's reply, their codes already cut off.

        Replies come from strangers: control characters are removed, what is not UTF-8 is
        escaped, and each line, as well as all of them together, is limited in length.

        :param longest: characters of the whole.
        """
        if len(lines) == 1:
            return reply_of_line(code, lines[0])
        replies = [reply_of_line(code, line) for line in lines]
        enhanced = next((each.enhanced for each in replies if each.enhanced), "")
        return cls(code, enhanced, "\n".join(each.text for each in replies)[:longest])


# Most replies of a server are the same for each mail and recipient: 0.05 us instead of 1, four
# times for each mail.
@lru_cache(maxsize=64)
def reply_of_line(code: int, line: bytes) -> Reply:
    """Read a reply of one line; one of more lines is made of such."""
    text = line.decode("utf-8", "backslashreplace")
    if not text.isprintable():  # far faster than to search each
        text = _CONTROL.sub(" ", text)
    text = text.strip()
    enhanced = ""
    found = _ENHANCED.match(text)
    # RFC 3463 section 3: the class is that of the code.  Where it is not, it is text, and one must
    # be wrong: the code is what clients go by.
    if found and found[1][0] == str(code)[0]:
        enhanced, text = found[1], text[found.end() :]
    return Reply(code, enhanced, text[:LONGEST_TEXT])


class ReplyError(Exception):
    """A command is answered with this reply instead of being carried out."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(str(reply))
        self.reply = reply
