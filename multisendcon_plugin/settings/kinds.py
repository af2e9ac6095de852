"""The kinds of values of any subject: text, lists, choices, files, secrets.

A converter takes a value as ``tomllib`` gives it, and returns ours or raises
`InvalidValueError`.  No text may hold a control character, so none reaches SMTP or a header.  Pure.
"""

from __future__ import annotations

import enum
import re
import unicodedata
from collections.abc import Callable
from functools import partial
from typing import Generic, TypeVar

import attrs

from ..errors import ConfigurationError
from .admins import Admins, parse_admins
from .keys import Asking
from .secret import Secret, StoredSecret
from .surroundings import Surroundings
from .users import Users, parse_users
from .words import InvalidValueError, nearest, shown

Each = TypeVar("Each")
Choice = TypeVar("Choice", bound=enum.Enum)

#: Control characters, lone surrogates, and what some programs take for a line end.
_UNFIT_CATEGORIES = frozenset({"Cc", "Cs", "Zl", "Zp"})
#: Where a password may be kept.
SOURCES = {"file", "env", "credential", "command"}
_FINGERPRINT = re.compile(r"sha256:((?:[0-9a-f]{2}:?){31}[0-9a-f]{2})", re.ASCII | re.IGNORECASE)


def text(value: object) -> str:
    """Convert text of one line that is not empty."""
    if not isinstance(value, str):
        raise InvalidValueError(f"{shown(value)} is not text; put it in quotes")
    if not value.strip():
        raise InvalidValueError(f"{shown(value)} is empty; write a value or leave the key out")
    if _has_control(value):
        raise InvalidValueError(
            f"{shown(value)} contains a control character; write plain text on one line"
        )
    return value


def unless_empty(kind: Callable[[object], str]) -> Callable[[object], str]:
    """Return a converter for which ``""`` means that nothing is set."""
    return lambda value: "" if value == "" else kind(value)


@attrs.frozen
class Listed(Generic[Each]):
    """Converts lists of a kind; `empty`: there may be nothing in them."""

    kind: Callable[[object], Each]
    empty: bool = False

    def __call__(self, value: object) -> tuple[Each, ...]:
        """Convert a list."""
        if not isinstance(value, list):
            example = f"; write [{shown(value)}]" if isinstance(value, str) else ""
            raise InvalidValueError(f"{shown(value)} is not a list{example or '; put it in [ ]'}")
        if not value and not self.empty:
            raise InvalidValueError("the list is empty; it needs at least one value")
        converted = []
        reasons: list[str] = []
        for each in value:
            try:
                converted.append(self.kind(each))
            except InvalidValueError as invalid:
                reasons.extend(invalid.args)
        if reasons:
            raise InvalidValueError(*reasons)
        return tuple(converted)


def listed(kind: Callable[[object], Each], *, empty: bool = False) -> Listed[Each]:
    """Return a converter for lists of a kind; `empty`: there may be nothing in them."""
    return Listed(kind, empty)


@attrs.frozen
class OneOf(Generic[Choice]):
    """Converts one of the texts of an enumeration."""

    options: type[Choice]

    def __call__(self, value: object) -> Choice:
        """Convert a text."""
        known = {option.value: option for option in self.options}
        if isinstance(value, str) and value in known:
            return known[value]
        *most, last = map(shown, known)
        guess = nearest(value, known) if isinstance(value, str) else None
        hint = f" (nearest: {shown(guess)})" if guess else ""
        raise InvalidValueError(
            f"{shown(value)} is not known; write {', '.join(most)} or {last}{hint}"
        )


def choice(options: type[Choice]) -> OneOf[Choice]:
    """Return a converter for one of the texts of an enumeration."""
    return OneOf(options)


@Asking
def folder(value: object, surroundings: Surroundings) -> str:
    """Convert the path of a folder that need not exist, but is no link."""
    return surroundings.real_folder(text(value))


@Asking
def readable_file(value: object, surroundings: Surroundings) -> str:
    """Convert the path of a file that can be read."""
    return surroundings.readable(text(value))


def fingerprint(value: object) -> str:
    """Convert the fingerprint of a certificate to its hexadecimal digits, in lower case."""
    name = text(value)
    if found := _FINGERPRINT.fullmatch(name):
        return found[1].replace(":", "").lower()
    raise InvalidValueError(
        f'{shown(name)} is not a fingerprint; write "sha256:" and the 64 hexadecimal digits that'
        ' "openssl x509 -noout -fingerprint -sha256" shows'
    )


@Asking
def ciphers(value: object, surroundings: Surroundings) -> str:
    """Convert a list of ciphers, as OpenSSL takes it."""
    words = text(value)
    surroundings.check_ciphers(words)
    return words


@Asking
def users(value: object, surroundings: Surroundings) -> Users:
    """Convert the path of a file of users."""
    path = text(value)
    return parse_users(surroundings.path(path), surroundings.text(path))


@Asking
def admins(value: object, surroundings: Surroundings) -> Admins:
    """Convert the path of a file of those who may use the page."""
    path = text(value)
    return parse_admins(surroundings.path(path), surroundings.text(path))


@Asking
def secret(value: object, surroundings: Surroundings) -> Secret:
    """Convert a password, or the place where it is kept.

    Its faults name the place, never the password.
    """
    if isinstance(value, str):
        return _password(value)
    if isinstance(value, dict) and len(value) == 1 and value.keys() <= SOURCES:
        [(source, given)] = value.items()
        if source == "command":
            ask = partial(_told_by, surroundings, listed(text)(given))
            return StoredSecret(ask(), partial(_again, ask), slow=True)
        place = text(given)
        ask = partial(_read, surroundings, source, place)
        password = ask()
        # The environment stays as it is, and a pipe would never end a second time.
        if source == "env" or (source == "file" and not surroundings.is_file(place)):
            return password
        path = surroundings.path(place) if source == "file" else None
        return StoredSecret(password, partial(_again, ask), path)
    raise InvalidValueError(
        'not a password; write "text" or one of { file = "PATH" }, { env = "NAME" },'
        ' { credential = "NAME" }, { command = ["PROGRAM", "ARGUMENT"] }'
    )


def _again(ask: Callable[[], str]) -> str:
    try:
        return ask()
    except InvalidValueError as invalid:
        raise ConfigurationError(list(invalid.args)) from None


def _read(surroundings: Surroundings, source: str, place: str) -> str:
    match source:
        case "file":
            password = surroundings.secret_file(place)
        case "env":
            password = surroundings.secret_variable(place)
        case _:
            password = surroundings.secret_credential(place)
    if not password:
        raise InvalidValueError(f"the {source} {shown(place)} contains no password")
    return _password(password)


def _told_by(surroundings: Surroundings, arguments: tuple[str, ...]) -> str:
    password = surroundings.secret_command(arguments)
    if not password:
        raise InvalidValueError(f"the program {shown(arguments[0])} tells no password")
    return _password(password)


def _password(value: str) -> str:
    if _has_control(value):
        raise InvalidValueError(
            "the password contains a control character; write plain text on one line"
        )
    return value


def _has_control(value: str) -> bool:
    return any(unicodedata.category(character) in _UNFIT_CATEGORIES for character in value)
