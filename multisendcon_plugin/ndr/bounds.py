"""Limits the size of a report.

Its address may be forged, by somebody who chooses the number of recipients, and whose servers may
choose the replies: 30 KB of commands once made a report of 40.9 MB.  So the first recipients stand
in it with their replies, the next ones by address, as many as there is room for; the number of all
is always given.
"""

from __future__ import annotations

from ..mail.message import LONGEST_TOLD
from ..mail.reply import Reply
from .parts import encoded, quoted_printable

_KIB = 1024

#: Octets of a whole report.
LARGEST = 256 * _KIB
#: Octets of the header that it brings back.
LARGEST_HEADER = 16 * _KIB
#: Octets for the recipients who stand there with the replies about them, and for the others, who
#: stand there by address, in the part for people.
WORDS_ROOM, WORDS_ROOM_BY_ADDRESS = 40 * _KIB, 24 * _KIB
#: Octets for these recipients, and for all, in the part for programs.
STATUS_ROOM, STATUS_ROOM_FOR_ALL = 64 * _KIB, 96 * _KIB


def said(reply: Reply) -> str:
    """Return what a reply says, as far as a report repeats it."""
    return shortened(str(reply))


def shortened(text: str) -> str:
    """Return a text as long as a report shows it among its own words."""
    return text if len(text) <= LONGEST_TOLD else text[: LONGEST_TOLD - 3] + "..."


def words_size(text: str) -> int:
    """Return how many octets some lines take in the part for people, at most."""
    return len(quoted_printable(encoded(f"{text}\r\n")))


def beginning(header: bytes) -> bytes:
    """Return as many lines of a header as a report brings back."""
    if len(header) <= LARGEST_HEADER:
        return header
    end = header.rfind(b"\r\n", 0, LARGEST_HEADER)
    return header[: end + 2] if end >= 0 else header[: LARGEST_HEADER - 2] + b"\r\n"
