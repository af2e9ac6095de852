"""Values as JSON, and back: one converter for all that `operations` are asked and answer.

The names are those of the fields, enums are their values.  A `Time` is a number, and beside it
stands ``NAME_at``, the same in ISO 8601 and UTC.  A `flat` field has no name: its own fields stand
in its place.
"""

from __future__ import annotations

import enum
import json
import re
from collections.abc import Callable, Iterator
from typing import Any, TypeVar, get_type_hints

import attrs
from cattrs import Converter
from cattrs.preconf.json import JsonConverter, make_converter

from ..mail.envelope import Client
from ..mail.reply import Reply
from ..times import Time, iso
from .errors import BadRequestError

T = TypeVar("T")

_SURROGATE = re.compile("[\ud800-\udfff]")
_TIMES = (Time, Time | None)
# No spaces, and letters of all languages as they are.
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def to_json(value: Any) -> Any:
    """Return a value as objects, lists and plain values of JSON."""
    return _CONVERTER.unstructure(value)


def encode(value: Any) -> bytes:
    """Return a value as JSON in one line, without its end."""
    return encode_plain(to_json(value))


def encode_plain(plain: Any) -> bytes:
    """Return what is JSON already in one line, without its end."""
    # What clients wrote may hold octets that are no UTF-8, as surrogates.
    return _encode(plain).encode("utf-8", "replace")


def from_json(plain: object, kind: type[T]) -> T:
    """Return the value that objects, lists and plain values of JSON stand for.

    :raise BadRequestError: they do not fit; the text says where, and what would be right.
    """
    try:
        return _CONVERTER.structure(plain, kind)
    except _FaultsError as error:
        told = [f"{place}: {text}" if place else text for place, text in error.faults]
        raise BadRequestError("; ".join(told)) from None


class _FaultsError(ValueError):
    """What is to become a value does not fit.

    :ivar faults: each with its place, names between dots; ``""`` is the whole.
    """

    def __init__(self, *faults: tuple[str, str]) -> None:
        super().__init__()
        self.faults = faults


def _name(field: attrs.Attribute[Any]) -> str:
    """Return the name of a field in JSON."""
    name: str = field.metadata.get("json", field.name)
    return name


def _writing(kind: Any, converter: Converter) -> Callable[[Any], dict[str, Any]]:
    """Return what makes an object of JSON of a value of a class."""
    types = get_type_hints(kind)
    steps: list[tuple[str, str, Callable[[Any], Any] | None, bool]] = []
    for field in attrs.fields(kind):
        annotation = types[field.name]
        if annotation in _TIMES:
            steps.append((field.name, field.name, None, False))
        else:
            hook = converter.get_unstructure_hook(annotation)
            steps.append((field.name, _name(field), hook, "flat" in field.metadata))

    def write(value: Any) -> dict[str, Any]:
        plain: dict[str, Any] = {}
        for attribute, name, hook, flat in steps:
            part = getattr(value, attribute)
            if hook is None:
                plain[name] = part
                plain[f"{name}_at"] = None if part is None else iso(part)
            elif flat:
                plain.update(hook(part))
            else:
                plain[name] = hook(part)
        return plain

    return write


def _named(kind: Any) -> Iterator[attrs.Attribute[Any]]:
    """Iterate over all fields of a class that have a name in JSON, those of flat ones too."""
    types = get_type_hints(kind)
    for field in attrs.fields(kind):
        if "flat" in field.metadata:
            yield from _named(types[field.name])
        else:
            yield field


def _reading(kind: Any, converter: Converter) -> Callable[[Any, Any], Any]:
    """Return what makes a value of a class of an object of JSON."""
    types = get_type_hints(kind)
    known = [_name(field) for field in _named(kind)]

    def structure(plain: Any, _: Any) -> Any:
        if not isinstance(plain, dict):
            raise _FaultsError(("", "an object is needed here"))
        faults: list[tuple[str, str]] = []
        if unknown := [name for name in plain if name not in known]:
            faults.append(("", f"unknown: {', '.join(unknown)}; known are {', '.join(known)}"))
        values = {}
        for field in attrs.fields(kind):
            part, place = _part(field, types[field.name], plain)
            if part is attrs.NOTHING:
                if field.default is attrs.NOTHING:
                    faults.append((place, "is missing"))
                continue
            try:
                values[field.name] = converter.structure(part, types[field.name])
            except _FaultsError as error:
                faults += [(_within(place, inner), text) for inner, text in error.faults]
        if faults:
            raise _FaultsError(*faults)
        return kind(**values)

    return structure


def _within(place: str, inner: str) -> str:
    return ".".join(filter(None, (place, inner)))


def _part(field: attrs.Attribute[Any], kind: Any, plain: dict[str, Any]) -> tuple[Any, str]:
    """Return what an object has for a field, and where."""
    if "flat" in field.metadata:
        names = set(map(_name, _named(kind)))
        return {name: value for name, value in plain.items() if name in names}, ""
    name = _name(field)
    return plain.get(name, attrs.NOTHING), name


def _only(fits: Callable[[Any], bool], words: str) -> Callable[[Any, Any], Any]:
    # cattrs would make text of numbers, and truth of texts.
    def check(plain: Any, _: Any) -> Any:
        if not fits(plain):
            raise _FaultsError(("", f"{words} is needed here"))
        return plain

    return check


def _is_text(plain: Any) -> bool:
    # Halves of characters cannot be looked for, nor written.
    return isinstance(plain, str) and (plain.isascii() or not _SURROGATE.search(plain))


def _texts(plain: Any, _: Any) -> tuple[str, ...]:
    if not isinstance(plain, list) or not all(map(_is_text, plain)):
        raise _FaultsError(("", "a list of texts is needed here"))
    return tuple(plain)


#: How deeply values of the configuration file may lie in each other.
_DEEPEST = 8


def _values(plain: Any, _: Any) -> dict[str, Any]:
    if not isinstance(plain, dict) or not _is_value(plain, _DEEPEST):
        raise _FaultsError(("", "an object with values of the configuration file is needed here"))
    return plain


def _is_value(plain: Any, depth: int) -> bool:
    """Tell whether the configuration file can have a value; ``null`` removes one of a table."""
    match plain:
        case str():
            return _is_text(plain)
        case dict():
            return depth > 0 and all(
                _is_text(name) and (each is None or _is_value(each, depth - 1))
                for name, each in plain.items()
            )
        case list():
            return depth > 0 and all(_is_value(each, depth - 1) for each in plain)
    return plain is not None


def _word(plain: Any, kind: type[enum.Enum]) -> enum.Enum:
    words = [each.value for each in kind]
    if plain not in words:
        raise _FaultsError(("", f"{json.dumps(plain)} is none of {', '.join(words)}"))
    return kind(plain)


def _converter() -> JsonConverter:
    converter = make_converter(detailed_validation=False)
    converter.register_unstructure_hook_factory(attrs.has, lambda kind: _writing(kind, converter))
    converter.register_structure_hook_factory(attrs.has, lambda kind: _reading(kind, converter))
    converter.register_unstructure_hook(Client, Client._asdict)
    converter.register_unstructure_hook(Reply, str)
    converter.register_structure_hook(str, _only(_is_text, "text"))
    converter.register_structure_hook(
        bool, _only(lambda plain: isinstance(plain, bool), "true or false")
    )
    converter.register_structure_hook_func(lambda kind: kind == tuple[str, ...], _texts)
    converter.register_structure_hook_func(lambda kind: kind == dict[str, Any], _values)
    converter.register_structure_hook(
        int, _only(lambda plain: type(plain) is int and plain >= 0, "a number from 0 on")
    )
    converter.register_structure_hook_func(_is_enum, _word)
    return converter


def _is_enum(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, enum.Enum)


_CONVERTER = _converter()
