"""What somebody has typed into the fields of a table, as changes of its keys.  Pure."""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from ..editing.secrets import MASK
from ..settings.kinds import SOURCES
from .fields import EMPTY_LIST, Field, Shape

_WHOLE = re.compile(r"[+-]?[0-9]{1,15}")
_DECIMAL = re.compile(r"[+-]?[0-9]{1,15}\.[0-9]{1,15}")


@attrs.frozen(kw_only=True)
class Typed:
    """What somebody wants.

    :param values: of the keys that are to change, as the operations take them; ``None``: the key
        goes. Those of tables inside of the table are in tables of their own.
    :param fields: as they were typed, with what cannot be read at all among their faults.
    """

    values: dict[str, Any]
    fields: tuple[Field, ...]

    @property
    def readable(self) -> bool:
        """Whether all of it could be read."""
        return not any(field.faults for field in self.fields)


def read(fields: Iterable[Field], form: Mapping[str, list[str]]) -> Typed:
    """Return what was typed into fields; one that the form does not have stays as it is.

    :param fields: as they were shown.
    :param form: by the name of the field.
    """
    values: dict[str, Any] = {}
    typed = []
    for each in fields:
        field = _as_typed(each, form)
        if field != each:
            try:
                value = _value(field)
            except ValueError as error:
                field = attrs.evolve(field, faults=(str(error),))
            else:
                inside = values.setdefault(field.group, {}) if field.group else values
                inside[field.name.removeprefix(f"{field.group}.")] = value
        typed.append(field)
    for group in {field.group for field in typed if field.group} & values.keys():
        # A table inside of the table of which nothing is left goes as a whole.
        if not any(each.text or each.source for each in typed if each.group == group):
            values[group] = None
    return Typed(values=values, fields=tuple(typed))


def _as_typed(field: Field, form: Mapping[str, list[str]]) -> Field:
    """Return a field with what the form has of it."""

    def given(name: str, before: str) -> str:
        # Browsers end lines by CRLF.
        return form.get(name, [before])[-1].replace("\r\n", "\n").strip()

    if field.shape is not Shape.SECRET:
        return attrs.evolve(field, text=given(field.name, field.text), faults=())
    source = given(f"{field.name}.source", field.source)
    source = source if source in SOURCES else ""
    return attrs.evolve(
        field,
        # A password may begin with a blank.
        text=form.get(field.name, [field.text])[-1],
        source=source,
        place=given(f"{field.name}.place", field.place) if source else "",
        faults=(),
    )


def _value(field: Field) -> Any:
    """Return what is to be written; ``None``: nothing.

    :raise ValueError: it cannot be read.
    """
    if field.shape is Shape.SECRET and field.source:
        if field.text not in ("", MASK):
            raise ValueError("is written itself, and kept elsewhere; leave one of them empty")
        return {field.source: _place(field)}
    if not field.text:
        return None
    match field.shape:
        case Shape.FLAG:
            return field.text == "true"
        case Shape.LIST:
            lines = [each.strip() for each in field.text.split("\n")]
            found = [] if field.text == EMPTY_LIST else [each for each in lines if each]
            return [_number(each) if field.numeric else each for each in found]
        case Shape.NUMBER:
            return _number(field.text)
        case Shape.TOML:
            return _toml(field.text)
    return field.text


def _number(text: str) -> Any:
    """Return a number if a text is one, and else the text: it may have a unit."""
    if _WHOLE.fullmatch(text):
        return int(text)
    return float(text) if _DECIMAL.fullmatch(text) else text


def _place(field: Field) -> Any:
    if field.source != "command":
        return field.place
    try:
        return tomllib.loads(f"value = {field.place}")["value"]
    except (ValueError, RecursionError):
        pass
    try:
        return shlex.split(field.place)
    except ValueError:
        raise ValueError("the quotes of this command do not end") from None


def _toml(text: str) -> Any:
    try:
        document = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        document = {}
    if document.keys() != {"value"}:
        raise ValueError("is not written as in TOML; see the examples of the reference file")
    return document["value"]
