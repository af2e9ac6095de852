"""The fields of filters: from a request to what `operations` are asked, and back to an address.

Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar
from urllib.parse import urlencode

import attrs

from ...operations.json_form import from_json

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
