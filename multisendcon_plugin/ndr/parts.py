"""MIME, and what may stand in it: the parts of a report (RFC 2045, RFC 2046, RFC 6533)."""

from __future__ import annotations

import re
from binascii import b2a_qp

_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
"""Controls, and what else Unicode takes for the end of a line."""
_SEVEN_BIT = re.compile(rb"(?:[\x01-\x09\x0b\x0c\x0e-\x7f]{0,998}(?:\r\n|\Z))*")
"""RFC 2045, section 2.7."""
_EIGHT_BIT = re.compile(rb"(?:[^\0\r\n]{0,998}(?:\r\n|\Z))*")
"""RFC 2045, section 2.8."""


def text_part(content_type: str, data: bytes) -> bytes:
    """Return a part with a text, quoted-printable unless it is 7-bit."""
    if _SEVEN_BIT.fullmatch(data):
        return _part(content_type, "7bit", data)
    return _part(content_type, "quoted-printable", quoted_printable(data))


def status_part(status: str, utf8: bool) -> bytes:
    """Return the part for programs (RFC 3464 section 2, RFC 6533 section 4)."""
    if utf8 and not status.isascii():
        return _part("message/global-delivery-status", "8bit", encoded(status))
    return _part("message/delivery-status", "7bit", status.encode("ascii", "backslashreplace"))


def message_part(message: bytes, header: bytes) -> bytes | None:
    """Return a part with a whole message; ``None`` when it cannot be one as it is.

    Its content must not be encoded (RFC 2046 section 5.2.1), so a mail with long lines, NULs or a
    header beyond ASCII cannot stand in a report.
    """
    if _SEVEN_BIT.fullmatch(message):
        return _part("message/rfc822", "7bit", message)
    if header.isascii() and _EIGHT_BIT.fullmatch(message):
        return _part("message/rfc822", "8bit", message)
    return None


def header_part(header: bytes, utf8: bool) -> bytes:
    """Return a part with the header of a message (RFC 6522 section 4, RFC 6533 section 6.3)."""
    if header.isascii():
        return text_part("text/rfc822-headers", header)
    try:
        header.decode("utf-8")
    except UnicodeDecodeError:
        return text_part("text/rfc822-headers", header)
    if utf8:
        return _part("message/global-headers", "8bit", header)
    return text_part("text/rfc822-headers; charset=utf-8", header)


def _part(content_type: str, transfer_encoding: str, data: bytes) -> bytes:
    header = f"Content-Type: {content_type}\r\nContent-Transfer-Encoding: {transfer_encoding}\r\n"
    return header.encode("ascii") + b"\r\n" + data


def unstuffed(content: bytes) -> bytes:
    """Return content that was in wire form as its reader gets it."""
    return content.removeprefix(b".").replace(b"\r\n.", b"\r\n")


def quoted_printable(data: bytes) -> bytes:
    """Encode by RFC 2045, section 6.7, so that every octet comes back, a bare CR or LF too."""
    lines = data.split(b"\r\n")
    return b"\r\n".join(b2a_qp(line, istext=False).replace(b"\n", b"\r\n") for line in lines)


def safe(text: str) -> str:
    """Return a text that cannot begin a line of its own."""
    return _UNSAFE.sub(" ", text)


def encoded(text: str) -> bytes:
    """Return a text as octets; a lone surrogate is shown, and stops nothing."""
    return text.encode("utf-8", "backslashreplace")
