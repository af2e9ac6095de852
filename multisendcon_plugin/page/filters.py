"""The fields of filters: from a request to what `operations` are asked, and back to an address.

Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar
from urllib.parse import urlencode

import attrs

from ..operations.errors import BadRequestError
from ..operations.json_form import from_json
from ..operations.parts import Part
from ..outcome.condition import State

T = TypeVar("T")


def said(query: Mapping[str, str], kind: type[T]) -> dict[str, str]:
    """Return the fields of a filter that say something; a form sends all of them.

    :param kind: of the filter, whose fields have the names of those of the form.
    """
    found = {}
    for field in attrs.fields(kind):  # type: ignore[arg-type]  # each kind of filter is of attrs
        if text := query.get(field.name, "").strip():
            found[field.name] = text
    return found


def filter_of(query: Mapping[str, str], kind: type[T]) -> T:
    """Return the filter that a request asks for.

    :raise BadRequestError: a field cannot be understood.
    """
    return from_json(said(query, kind), kind)


def address(path: str, fields: Mapping[str, str]) -> str:
    """Return a path with fields behind it."""
    return f"{path}?{urlencode(fields)}" if fields else path


def number_of(query: Mapping[str, str], name: str, default: int) -> int:
    """Return a number of which a field has the digits.

    :raise BadRequestError: it has something else.
    """
    text = query.get(name, "")
    if not text:
        return default
    if text.isascii() and text.isdigit() and len(text) < 10:
        return int(text)
    raise BadRequestError(f'{name}: "{text}" is no number')


def part_of(query: Mapping[str, str]) -> Part:
    """Return which accounts are asked for.

    :raise BadRequestError: it cannot be understood.
    """
    state = query.get("state", "")
    known = [each.value for each in State]
    if state and state not in known:
        raise BadRequestError(f'state: "{state}" is none of {", ".join(known)}')
    return Part(
        words=tuple(query.get("account", "").split()),
        state=State(state) if state else None,
        page=number_of(query, "page", 1),
    )


def address_of_part(path: str, part: Part, **other: Any) -> str:
    """Return the address of a part of the accounts, or of another one.

    :param other: fields of the part that differ.
    """
    part = attrs.evolve(part, **other)
    fields = {
        "account": " ".join(part.words),
        "state": part.state.value if part.state else "",
        "page": str(part.page) if part.page > 1 else "",
    }
    return address(path, {name: value for name, value in fields.items() if value})
