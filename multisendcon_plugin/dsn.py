"""What a sender wants to be told of a mail: the parameters of the DSN extension.

RFC 3461 section 4 and 5; RFC 6533 section 3 for addresses beyond ASCII.  Values and their notation;
what is reported is decided in `settle` and `ndr`.  Pure.
"""

from __future__ import annotations

import enum
import re


class Notify(enum.Flag):
    """Of what a sender wants to be told, for one recipient."""

    NEVER = 0
    SUCCESS = enum.auto()
    FAILURE = enum.auto()
    DELAY = enum.auto()

    @property
    def words(self) -> str:
        """The value of NOTIFY."""
        names = (flag.name for flag in Notify if flag & self and flag.name)
        return ",".join(names) or "NEVER"


class Return(enum.Enum):
    """How much of a mail a report on its failure is to bring back."""

    FULL = "FULL"
    HEADER = "HDRS"


#: What RFC 3461 section 4.1 lets us take for the wish of a sender who does not say anything.
UNSAID = Notify.FAILURE | Notify.DELAY

#: Octets that the values of ENVID and ORCPT may have (RFC 3461 section 4.2 and 4.4).
_LONGEST_ENVID, _LONGEST_ORCPT = 100, 500

_ESCAPE = re.compile(rb"\+([0-9A-F]{2})")
_XTEXT = re.compile(r"(?:[!-*,-<>-~\x80-\U0010ffff]|\+[0-9A-F]{2})+")
_PRINTABLE = re.compile(r"[ -~\xa0-\u2027\u202a-\U0010ffff]*")
_ORIGINAL = re.compile(r"([A-Za-z0-9-]+);(.+)", re.DOTALL)
_BEYOND_ASCII = re.compile(r"[^\x00-\x7f]")
_NOT_QCHAR = re.compile(r"[^\x21-\x2a\x2c-\x3c\x3e-\x5b\x5d-\x7e]")
"""RFC 6533, section 3."""


def parse_notify(value: str) -> Notify | None:
    """Read the value of NOTIFY; ``None`` when it is none."""
    words = value.upper().split(",")
    if words == ["NEVER"]:
        return Notify.NEVER
    wishes = Notify.NEVER
    for word in words:
        if word not in ("SUCCESS", "FAILURE", "DELAY"):
            return None
        wishes |= Notify[word]
    return wishes


def decode(xtext: str) -> str | None:
    """Return the text that xtext stands for (RFC 3461 section 4).

    It stands for octets.  They are taken for UTF-8, as Postfix writes an address beyond ASCII.

    :return: ``None`` when it is no xtext, or stands for what cannot be shown in a report.
    """
    if not _XTEXT.fullmatch(xtext):
        return None
    octets = _ESCAPE.sub(lambda found: bytes.fromhex(found[1].decode()), xtext.encode())
    try:
        text = octets.decode()
    except UnicodeDecodeError:
        return None
    return text if _PRINTABLE.fullmatch(text) else None


def is_envelope_id(value: str) -> bool:
    """Tell whether this may be the value of ENVID."""
    if not value.isascii() or len(value) > _LONGEST_ENVID:
        return False
    text = decode(value)
    return text is not None and text.isascii()


def original_recipient(value: str) -> tuple[str, str] | None:
    """Return the type and the address that a value of ORCPT stands for.

    :return: ``None`` when it cannot be such a value.
    """
    found = _ORIGINAL.fullmatch(value)
    address = decode(found[2]) if found and len(value.encode()) <= _LONGEST_ORCPT else None
    return (found[1], address) if found and address else None


def rcpt_parameters(notify: Notify | None, original: str, *, utf8: bool) -> str:
    """Return what follows the path in RCPT, for a server that offers DSN.

    :param utf8: the server takes characters beyond ASCII.
    """
    parameters = "" if notify is None else f" NOTIFY={notify.words}"
    if original:
        parameters += f" ORCPT={original if utf8 else _BEYOND_ASCII.sub(_escaped, original)}"
    return parameters


def in_ascii(address: str) -> str:
    """Write an address beyond ASCII so that it fits into a report (RFC 6533 section 3)."""
    return _NOT_QCHAR.sub(_escaped, address)


def _escaped(found: re.Match[str]) -> str:
    return f"\\x{{{ord(found[0]):02X}}}"
