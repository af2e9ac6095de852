"""Values as JSON, and back: one converter for all that `operations` are asked and answer.

The names are those of the fields, enums are their values.  A `Time` is a number, and beside it
stands ``NAME_at``, the same in ISO 8601 and UTC.  A `flat` field has no name: its own fields stand
in its place.
"""

from __future__ import annotations

import datetime
import enum
import json
from collections.abc import Callable, Iterator
from typing import Any, TypeVar, get_type_hints

import attrs
from cattrs import BaseValidationError, Converter, ForbiddenExtraKeysError, transform_error
from cattrs.gen import make_dict_structure_fn, override
from cattrs.preconf.json import JsonConverter, make_converter

from .errors import BadRequestError
from .values import Time

T = TypeVar("T")

_TIMES = (Time, Time | None)
# No spaces, and letters of all languages as they are.
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def to_json(value: Any) -> Any:
    """Return a value as objects, lists and plain values of JSON."""
    return _CONVERTER.unstructure(value)


def encode(value: Any) -> bytes:
    """Return a value as JSON in one line, without its end."""
    # Headers may hold octets that are no UTF-8: see `header_text`.
    return _encode(to_json(value)).encode("utf-8", "replace")


def from_json(plain: object, kind: type[T]) -> T:
    """Return the value that objects, lists and plain values of JSON stand for.

    :raise BadRequestError: they do not fit; the text says where, and what would be right.
    """
    try:
        return _CONVERTER.structure(plain, kind)
    except BaseValidationError as error:
        raise BadRequestError("; ".join(transform_error(error, format_exception=_fault))) from None
    except ValueError as error:
        raise BadRequestError(str(error)) from None


def iso(time: float) -> str:
    """Return a time in ISO 8601 and UTC, exact to a millisecond."""
    moment = datetime.datetime.fromtimestamp(time, datetime.UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _fault(error: BaseException, _: type | None) -> str:
    match error:
        case KeyError():
            return f'"{error.args[0]}" is missing'
        case ForbiddenExtraKeysError():
            known = ", ".join(map(_name, _named(error.cl)))
            return f"unknown: {', '.join(sorted(error.extra_fields))}; known are {known}"
        case _:
            return str(error)


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
    flat = {
        field.name: frozenset(map(_name, _named(types[field.name])))
        for field in attrs.fields(kind)
        if "flat" in field.metadata
    }
    renamed: dict[str, Any] = {
        field.name: override(rename=_name(field))
        for field in attrs.fields(kind)
        if _name(field) != field.name
    }
    read = make_dict_structure_fn(
        kind, converter, _cattrs_forbid_extra_keys=True, _cattrs_detailed_validation=True, **renamed
    )

    def structure(plain: Any, _: Any) -> Any:
        if not isinstance(plain, dict):
            raise ValueError("an object is needed here")
        for attribute, names in flat.items():
            part = {name: plain[name] for name in plain.keys() & names}
            rest = {name: plain[name] for name in plain.keys() - names}
            plain = {attribute: part, **rest}
        return read(plain, kind)

    return structure


def _only(kind: type, words: str) -> Callable[[Any, Any], Any]:
    # cattrs would make text of numbers, and truth of texts.
    def check(plain: Any, _: Any) -> Any:
        if type(plain) is not kind:
            raise ValueError(f"{words} is needed here")
        return plain

    return check


def _word(plain: Any, kind: type[enum.Enum]) -> enum.Enum:
    words = [each.value for each in kind]
    if plain not in words:
        raise ValueError(f"{json.dumps(plain)} is none of {', '.join(words)}")
    return kind(plain)


def _texts(plain: Any, _: Any) -> tuple[str, ...]:
    if not isinstance(plain, list) or not all(isinstance(each, str) for each in plain):
        raise ValueError("a list of texts is needed here")
    return tuple(plain)


def _converter() -> JsonConverter:
    converter = make_converter(detailed_validation=True)
    converter.register_unstructure_hook_factory(attrs.has, lambda kind: _writing(kind, converter))
    converter.register_structure_hook_factory(attrs.has, lambda kind: _reading(kind, converter))
    converter.register_structure_hook(str, _only(str, "text"))
    converter.register_structure_hook(bool, _only(bool, "true or false"))
    converter.register_structure_hook_func(lambda kind: kind == tuple[str, ...], _texts)
    converter.register_structure_hook_func(_is_enum, _word)
    return converter


def _is_enum(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, enum.Enum)


_CONVERTER = _converter()
