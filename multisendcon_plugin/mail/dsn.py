"""What a sender wants to be told of a mail: the parameters of the DSN extension.

RFC 3461 section 4 and 5; RFC 6533 section 3 for addresses beyond ASCII.  Values and their notation;
what is reported is decided in `judgement` and `ndr`.  Pure.
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


#: What is reported to a sender who gives no NOTIFY, as RFC 3461 section 4.1 allows.
UNSAID = Notify.FAILURE | Notify.DELAY

#: Octets that a server has to take as the values of ENVID and ORCPT (RFC 3461 section 4.2 and 4.4).
#: A longer value is not passed on, since it could have the whole mail refused; our own reports have
#: it all the same.
_LONGEST_ENVID, _LONGEST_ORCPT = 100, 500

_ESCAPE = re.compile(rb"\+([0-9A-F]{2})")
_XTEXT = re.compile(r"(?:[!-*,-<>-~\x80-\U0010ffff]|\+[0-9A-F]{2})+")
_NEARLY_AN_ESCAPE = re.compile(r"(\+[0-9A-Fa-f]{2})|[+=]")
_PRINTABLE = re.compile(r"[ -~\xa0-\u2027\u202a-\U0010ffff]*")
_ORIGINAL = re.compile(r"([A-Za-z0-9-]+);(.+)", re.DOTALL)
_BEYOND_ASCII = re.compile(r"[^\x00-\x7f]")
#: RFC 6533, section 3.
_NOT_QCHAR = re.compile(r"[^\x21-\x2a\x2c-\x3c\x3e-\x5b\x5d-\x7e]")


def parse_notify(value: str) -> Notify | None:
    """Read the value of NOTIFY; ``None`` when it is none."""
    words = value.upper().split(",")
    if words == ["NEVER"]:
        return Notify.NEVER
    notify = Notify.NEVER
    for word in words:
        if word not in ("SUCCESS", "FAILURE", "DELAY"):
            return None
        notify |= Notify[word]
    return notify


def decode(xtext: str) -> str | None:
    """Return the text that xtext stands for (RFC 3461 section 4).

    It stands for octets.  They are taken for UTF-8, since Postfix writes an address beyond ASCII as
    ``rfc822`` with its UTF-8 octets in xtext, and not in the form of RFC 6533.

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


def envelope_id(value: str) -> str | None:
    """Return a value of ENVID as xtext.

    :return: ``None`` when it cannot be such a value.
    """
    xtext = _mended(value)
    text = decode(xtext) if xtext else None
    return xtext if text and text.isascii() else None


def original(value: str) -> str | None:
    """Return a value of ORCPT, its address as xtext.

    :return: ``None`` when it cannot be such a value.
    """
    found = _ORIGINAL.fullmatch(value)
    address = _mended(found[2]) if found else None
    return f"{found[1]};{address}" if found and address else None


def original_recipient(value: str) -> tuple[str, str] | None:
    """Return the type and the address that a value of ORCPT stands for.

    :return: ``None`` when it cannot be such a value.
    """
    found = _ORIGINAL.fullmatch(value)
    address = decode(found[2]) if found else None
    return (found[1], address) if found and address else None


def mail_parameters(returns: Return | None, envelope_id: str) -> str:
    """Return what follows the path in MAIL, for a server that offers DSN."""
    parameters = "" if returns is None else f" RET={returns.value}"
    if envelope_id and len(envelope_id) <= _LONGEST_ENVID:
        parameters += f" ENVID={envelope_id}"
    return parameters


def rcpt_parameters(notify: Notify | None, original: str, *, utf8: bool) -> str:
    """Return what follows the path in RCPT, for a server that offers DSN.

    :param utf8: the server takes characters beyond ASCII.
    """
    parameters = "" if notify is None else f" NOTIFY={notify.words}"
    if not utf8:
        original = _BEYOND_ASCII.sub(_escaped, original)
    if original and len(original.encode()) <= _LONGEST_ORCPT:
        parameters += f" ORCPT={original}"
    return parameters


def in_ascii(address: str) -> str:
    """Write an address beyond ASCII so that it fits into a report (RFC 6533 section 3)."""
    return _NOT_QCHAR.sub(_escaped, address)


def _mended(value: str) -> str | None:
    """Return xtext for a value that may not quite be xtext, but can be shown in a report.

    Clients write hexadecimal digits in lower case, and ``=`` as it is; or all as it is, so that in
    ``joe+facebook@example.com`` nothing is meant to be an escape.
    """
    mended = [value]
    if not _XTEXT.fullmatch(value):
        mended = [
            _NEARLY_AN_ESCAPE.sub(lambda found: (found[1] or _escape(found[0])).upper(), value),
            value.replace("+", _escape("+")).replace("=", _escape("=")),
        ]
    return next((each for each in mended if decode(each) is not None), None)


def _escape(character: str) -> str:
    return f"+{ord(character):02X}"


def _escaped(found: re.Match[str]) -> str:
    return f"\\x{{{ord(found[0]):02X}}}"
