"""MAIL, RCPT and BDAT: paths, ESMTP parameters and sizes, read strictly.

RFC 5321 section 4.1.2, RFC 1870 (SIZE), RFC 6152 (BODY), RFC 6531 (SMTPUTF8), RFC 3461 (RET, ENVID,
NOTIFY, ORCPT), RFC 3030 (BDAT).  A parameter that would not be obeyed is refused.  Pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

import attrs

from ..errors import AddressError
from ..mail import dsn
from ..mail.address import parse_path
from ..mail.reply import Reply, ReplyError
from .replies import MAIL_SYNTAX, NEEDS_UTF8, RCPT_SYNTAX

#: RFC 1870 section 4 allows no more digits; for BDAT nothing is said.
_LONGEST_NUMBER = 20
_FROM = re.compile(rb"FROM:", re.IGNORECASE)
_TO = re.compile(rb"TO:", re.IGNORECASE)
_PARAMETER = re.compile(rb"([A-Za-z0-9][A-Za-z0-9-]*)(?:=([!-~\x80-\xff]+))?")


@attrs.frozen(kw_only=True)
class ReversePath:
    """The argument of MAIL.

    :param address: ``""`` for the null reverse-path.
    :param size: octets that the client announces; 0 when it does not.
    :param envelope_id: in xtext; ``""`` when there is none.
    """

    address: str
    size: int = 0
    eight_bit: bool = False
    utf8: bool = False
    returns: dsn.Return | None = None
    envelope_id: str = ""


@attrs.frozen
class ForwardPath:
    """The argument of RCPT.

    :param notify: of what the sender wants to be told; ``None`` when it does not say.
    :param original: the value of ORCPT, its address in xtext; ``""`` when there is none.
    """

    address: str
    notify: dsn.Notify | None = None
    original: str = ""


# Clients that send many mails say the same in most of them.
@lru_cache(maxsize=64)
def read_mail(argument: bytes, *, auth: bool = False, smtputf8: bool = True) -> ReversePath:
    """Read what follows ``MAIL``.

    :param auth: clients may log in; then they may also say who has handed the mail in to them
        (RFC 4954 section 5), which we trust none to know.
    :param smtputf8: is offered.
    :raise ReplyError: with the reply that the client gets.
    """
    address, rest = _path(_FROM, argument, MAIL_SYNTAX, null_allowed=True)
    # Most clients say no more than that: the parameters are not looked for.
    if not rest and address.isascii():
        return ReversePath(address=address)
    parameters = _parameters(rest)
    size = parameters.pop("SIZE", "0")
    if size is None or not size.isdecimal() or len(size) > _LONGEST_NUMBER:
        raise _malformed("SIZE takes a number of octets")
    body = parameters.pop("BODY", "7BIT")
    if body is None or body.upper() not in ("7BIT", "8BITMIME"):
        raise _malformed("BODY takes 7BIT or 8BITMIME")
    utf8 = "SMTPUTF8" in parameters
    if smtputf8 and parameters.pop("SMTPUTF8", None) is not None:
        raise _malformed("SMTPUTF8 takes no value")
    returns = parameters.pop("RET", "")
    if returns is None or returns.upper() not in ("", "FULL", "HDRS"):
        raise _malformed("RET takes FULL or HDRS")
    envelope_id = _xtext(dsn.envelope_id, parameters.pop("ENVID", ""), "ENVID takes xtext")
    if auth and parameters.pop("AUTH", "<>") is None:
        raise _malformed("AUTH takes an address, or <>")
    _refuse(parameters)
    if not (utf8 or address.isascii()):
        raise ReplyError(NEEDS_UTF8)
    return ReversePath(
        address=address,
        size=int(size),
        eight_bit=body.upper() == "8BITMIME",
        utf8=utf8,
        returns=dsn.Return(returns.upper()) if returns else None,
        envelope_id=envelope_id,
    )


def read_rcpt(argument: bytes, *, utf8: bool) -> ForwardPath:
    """Read what follows ``RCPT``.

    :param utf8: the transaction was begun with SMTPUTF8.
    :raise ReplyError: with the reply that the client gets.
    """
    address, rest = _path(_TO, argument, RCPT_SYNTAX, null_allowed=False)
    if not (utf8 or address.isascii()):
        raise ReplyError(NEEDS_UTF8)
    if not rest:
        return ForwardPath(address)
    parameters = _parameters(rest, utf8=utf8)
    notify = parameters.pop("NOTIFY", "")
    wanted = dsn.parse_notify(notify or "")
    if wanted is None and notify != "":
        raise _malformed("NOTIFY takes NEVER, or some of SUCCESS,FAILURE,DELAY")
    original = _xtext(
        dsn.original, parameters.pop("ORCPT", ""), "ORCPT takes a type, a semicolon and xtext"
    )
    _refuse(parameters)
    return ForwardPath(address, wanted, original)


@attrs.frozen
class Chunk:
    """The argument of BDAT.

    :param size: octets that follow the command.
    :param last: no chunk follows; ``None``: what is said of that cannot be read.
    """

    size: int
    last: bool | None


def read_bdat(argument: bytes) -> Chunk | None:
    """Read what follows ``BDAT``; ``None``: how many octets follow cannot be known."""
    size, *marker = argument.split(maxsplit=1) or [b""]
    if not size.isdigit() or len(size) > _LONGEST_NUMBER:
        return None
    last = {b"": False, b"LAST": True}.get(b"".join(marker).upper())
    return Chunk(int(size), last)


def _path(
    keyword: re.Pattern[bytes], argument: bytes, syntax: Reply, *, null_allowed: bool
) -> tuple[str, bytes]:
    found = keyword.match(argument)
    if not found:
        raise ReplyError(syntax)
    try:
        return parse_path(argument[found.end() :], null_allowed=null_allowed)
    except AddressError as error:
        # RFC 3463 section 3.2 has one code for senders and another for recipients.  The text
        # repeats nothing of the path, which may be long, or hostile.
        enhanced = "5.1.7" if null_allowed else "5.1.3"
        raise ReplyError(Reply(501, enhanced, str(error))) from None


def _parameters(text: bytes, *, utf8: bool = False) -> dict[str, str | None]:
    parameters: dict[str, str | None] = {}
    for word in text.split():
        found = _PARAMETER.fullmatch(word)
        if not found:
            raise _malformed("a parameter cannot be read")
        keyword = found[1].decode("ascii").upper()
        # RFC 5321 has no word on it; either of the two could be meant.
        if keyword in parameters:
            raise _malformed(f"{keyword} is given twice")
        value: bytes | None = found[2]
        try:
            # Only an original recipient may go beyond ASCII (RFC 6533 section 3).
            encoding = "utf-8" if utf8 and keyword == "ORCPT" else "ascii"
            parameters[keyword] = None if value is None else value.decode(encoding)
        except UnicodeDecodeError:
            raise _malformed(f"the value of {keyword} cannot be read") from None
    return parameters


def _xtext(read: Callable[[str], str | None], value: str | None, syntax: str) -> str:
    """Return a value as xtext; ``""``: there is none."""
    if value == "":
        return ""
    xtext = read(value) if value else None
    if xtext is None:
        raise _malformed(syntax)
    return xtext


def _malformed(text: str) -> ReplyError:
    return ReplyError(Reply(501, "5.5.4", text))


def _refuse(parameters: dict[str, str | None]) -> None:
    if parameters:
        # RFC 5321 section 4.1.1.11.  To ignore it would be to promise what is not kept.
        raise ReplyError(Reply(555, "5.5.4", f"{next(iter(parameters))} is not known here"))
