"""Values of the configuration file as JSON has them, and back.  Pure.

JSON has no dates, and no numbers that are none.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Iterator, Mapping
from typing import Any

from ..routing.account import Account
from ..settings.keys import Key, Nested, keys_of
from ..settings.oauth2 import date
from .errors import BadRequestError

#: Tables inside of an account, each with its keys.
_INSIDE = {
    name: keys_of(key.kind.type)  # type: ignore[arg-type]  # a class of attrs
    for name, key in keys_of(Account).items()
    if isinstance(key.kind, Nested)
}


def as_json(value: Any) -> Any:
    """Return what ``tomllib`` has read as objects, lists and plain values of JSON."""
    match value:
        case dict():
            return {name: as_json(each) for name, each in value.items()}
        case list():
            return [as_json(each) for each in value]
        case datetime.date() | datetime.time():
            return value.isoformat()
        case float() if not math.isfinite(value):
            return str(value)
    return value


def parts(values: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    """Yield the keys of an account as the file has them: those of tables inside of it first.

    The last ones are its own, with an empty path: one of them may be its name.

    :raise BadRequestError: something within a value is ``null``.
    """
    own = {}
    for name, value in values.items():
        _check_nulls(name, value)
        if name in _INSIDE and isinstance(value, dict):
            yield (name,), _as_toml(value, _INSIDE[name])
        else:
            own[name] = value
    yield (), own


def _check_nulls(name: str, value: Any) -> None:
    """See that ``null`` only stands where it removes a key."""
    is_table = name in _INSIDE and isinstance(value, dict)
    if any(map(_has_null, value.values() if is_table else [value])):
        raise BadRequestError(f"{name}: null can only stand for the whole value of a key")


def _has_null(value: Any) -> bool:
    """Whether there is one inside of a value."""
    inside = value.values() if isinstance(value, dict) else value
    return isinstance(value, dict | list) and any(
        each is None or _has_null(each) for each in inside
    )


def _as_toml(values: Mapping[str, Any], keys: Mapping[str, Key]) -> dict[str, Any]:
    return {
        name: _day(value) if _is_day(keys.get(name)) else value for name, value in values.items()
    }


def _is_day(key: Key | None) -> bool:
    return key is not None and key.kind is date


def _day(value: Any) -> Any:
    try:
        return datetime.date.fromisoformat(value)
    except (TypeError, ValueError):
        return value  # which is a fault of the text that comes of it


def known(values: Mapping[str, Any], mask: str) -> dict[str, Any]:
    """Return values without those that stay what they are: secrets that are masked."""
    return {
        name: known(value, mask) if isinstance(value, dict) else value
        for name, value in values.items()
        if value != mask
    }


def check_characters(text: str) -> None:
    """See that a text can be written; JSON can have halves of characters, and no file can.

    :raise BadRequestError: it cannot.
    """
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise BadRequestError(
            f"the text cannot be written as UTF-8: character {error.start + 1} is half of one"
        ) from None


def check_unmasked(values: Mapping[str, Any], mask: str) -> None:
    """See that no secret is only its mask, where there is none yet.

    :raise BadRequestError: one is.
    """
    for name, value in values.items():
        if isinstance(value, dict):
            check_unmasked(value, mask)
        elif value == mask:
            raise BadRequestError(
                f"{name}: there is no secret yet that the mask could stand for; write it"
            )
