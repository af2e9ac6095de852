"""Values as they are written in TOML, by tomlkit, which sees one entry of a block at a time.

It would keep comments within long lists, and is left with those: between the tables of an array, it
puts them at the wrong ones.  The extra "web" has it.  Pure.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from difflib import SequenceMatcher
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import Array, Item

from ..errors import EditRefusedError

#: What ``tomllib`` makes of a value.
Value = (
    str
    | int
    | float
    | bool
    | datetime.datetime
    | datetime.date
    | datetime.time
    | Sequence["Value"]
    | Mapping[str, "Value"]
)


def key_of(names: Sequence[str]) -> str:
    """Return a key, or the inside of a header, as it is written."""
    return ".".join(tomlkit.key(name).as_string() for name in names)


def entry_of(names: Sequence[str], value: Value) -> str:
    """Return an entry as it is written, without a line end."""
    return f"{key_of(names)} = {_written(value)}"


def changed_entry(entry: str, path: Sequence[str | int], values: Mapping[str, Value | None]) -> str:
    """Return an entry with other values; its comments stay, and the elements of lists that stay.

    :param entry: its text, with the comment behind it.
    :param path: from the first name of its key to the table that has the values.
    :param values: ``None``: the key is removed.
    :raise EditRefusedError: tomlkit does not understand it.
    """
    try:
        document = tomlkit.parse(entry)
        table: Any = document
        for step in path:
            table = table[step]
        for key, value in values.items():
            _set(table, key, value)
        return document.as_string()
    except (TOMLKitError, LookupError, TypeError, ValueError, RecursionError):
        raise EditRefusedError("an entry is written in a way that cannot be changed here") from None


def _set(table: Any, key: str, value: Value | None) -> None:
    old = table.get(key)
    if value is None:
        table.pop(key, None)
    elif isinstance(old, Array) and isinstance(value, Sequence) and not isinstance(value, str):
        if "\n" in old.as_string():
            _edit_lines(old, list(value))
        else:
            table[key] = _with_elements_of(old, list(value))
    else:
        table[key] = _item(value)


def _with_elements_of(old: Array, values: list[Value]) -> Array:
    """Return a list on one line; what was in the old one is written as it was."""
    known = list(old)
    array = tomlkit.array()
    for value in values:
        array.append(known.pop(known.index(value)) if value in known else _item(value))
    return array


def _edit_lines(array: Array, values: list[Value]) -> None:
    """Change a list on several lines element by element, so that comments stay."""
    before, after = ([repr(each) for each in side] for side in (array.unwrap(), values))
    steps = SequenceMatcher(None, before, after, autojunk=False).get_opcodes()
    for step, start, end, first, last in reversed(steps):
        if step != "equal":
            for position in reversed(range(start, end)):
                array.pop(position)
            for offset, value in enumerate(values[first:last]):
                array.insert(start + offset, _item(value))


def _item(value: Value) -> Item:
    return tomlkit.value(_written(value))


def _written(value: Value) -> str:
    if isinstance(value, Mapping):
        entries = ", ".join(f"{key_of([key])} = {_written(each)}" for key, each in value.items())
        return f"{{ {entries} }}" if entries else "{}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"[{', '.join(map(_written, value))}]"
    return tomlkit.item(value).as_string()
