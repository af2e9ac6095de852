"""The fields of a form for keys of the configuration, made of how the keys are declared.

A field shows what is written for its key, and says what holds if nothing is.  The way back is
`forms`.  Pure.
"""

from __future__ import annotations

import enum
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import attrs

from ..editing.secrets import MASK
from ..editing.values import entry_of
from ..mail.masks import Masks
from ..settings import kinds, names, oauth2, quantities, quota
from ..settings.keys import Key, Nested, keys_of
from ..settings.quantities import Room

_DURATIONS = (quantities.duration, quantities.positive_duration)
_SIZES = (quantities.size, quantities.command_line)
_NUMBERS = (quantities.port, quantities.count, quantities.count_or_zero)
#: Lists of texts that take something else, too.
_LISTS = (names.masks, names.local_addresses, quota.quotas)
_UNITS = (("d", 86400), ("h", 3600), ("m", 60))
_BYTES = (("GiB", quantities.GIB), ("MiB", quantities.MIB), ("KiB", quantities.KIB))
#: Stands for a list that is written, and has nothing in it.
EMPTY_LIST = "[]"


class Shape(enum.Enum):
    """What a field looks like, and how it is read."""

    FLAG = "flag"
    CHOICE = "choice"
    LIST = "list"
    """Texts, one a line."""
    NUMBER = "number"
    """A number, if it is one; else a text, as in ``"5m"``."""
    TEXT = "text"
    DATE = "date"
    SECRET = "secret"  # noqa: S105 -- no password
    TOML = "toml"
    """As the file has it: what no other shape can show."""


@attrs.frozen(kw_only=True)
class Field:
    """A field of a form.

    :param name: the key; of a table inside of the table, as in ``oauth2.tenant``.
    :param group: the table inside of the table; ``""``: it is of the table itself.
    :param form: what tells it from fields of other forms on the page; ``""``: there are none.
    :param default: what holds if nothing is written; ``""``: the doc says it.
    :param text: what is written; ``""``: nothing is. Of a secret, its mask, or nothing if it is
        kept elsewhere.
    :param source: of a secret that is kept elsewhere, how: "file", "env" ...
    :param place: of such a secret, where.
    :param faults: what is wrong with it.
    """

    name: str
    key: Key
    group: str = ""
    form: str = ""
    shape: Shape
    default: str
    text: str
    source: str = ""
    place: str = ""
    faults: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """What it is called in HTML."""
        return "-".join(filter(None, [self.form, *self.name.split(".")]))

    @property
    def options(self) -> tuple[str, ...]:
        """What can be chosen."""
        if isinstance(self.key.kind, kinds.OneOf):
            return tuple(each.value for each in self.key.kind.options)
        return ("true", "false") if self.shape is Shape.FLAG else ()

    @property
    def kept_elsewhere(self) -> bool:
        """A secret may be in another place, which is written then."""
        return self.key.kind is kinds.secret

    @property
    def numeric(self) -> bool:
        """What is only digits is meant as a number."""
        return self.shape is Shape.NUMBER or _element(self.key) in _DURATIONS

    @property
    def may_be_empty(self) -> bool:
        """A list with nothing in it can be written, and is something else than none."""
        kind = self.key.kind
        return isinstance(kind, kinds.Listed) and kind.empty and self.key.default != ()


def fields_of(
    keys: Mapping[str, Key],
    values: Mapping[str, Any],
    *,
    inherited: Mapping[str, Any] | None = None,
    faults: Mapping[str, Collection[str]] | None = None,
    group: str = "",
    form: str = "",
) -> Iterator[Field]:
    """Yield the fields for keys of a table; those of tables inside of it stand where they are.

    :param values: what is written, by key, as JSON has it; secrets are masked.
    :param inherited: what holds where nothing is written, in place of the defaults: of a preset.
    :param faults: by the name of the field.
    :param group: of all of them, as `form`: see `Field`.
    """
    inherited = inherited or {}
    for name, key in keys.items():
        if isinstance(key.kind, Nested):
            inside, given = (each.get(name) for each in (values, inherited))
            yield from fields_of(
                keys_of(key.kind.type),  # type: ignore[arg-type]  # a class of attrs
                inside if isinstance(inside, dict) else {},
                inherited=given if isinstance(given, dict) else {},
                faults=faults,
                group=name,
                form=form,
            )
            continue
        field = _field(f"{group}.{name}" if group else name, group, key, values.get(name))
        if name in inherited:
            field = attrs.evolve(field, default=_field(name, "", key, inherited[name]).text)
        yield attrs.evolve(field, form=form, faults=tuple((faults or {}).get(field.name, ())))


def _field(name: str, group: str, key: Key, value: Any) -> Field:
    shape = _shape(key)
    source = place = ""
    if isinstance(value, dict) and key.kind is kinds.secret:
        [(source, kept)] = value.items() if len(value) == 1 else [("", value)]
        place = kept if isinstance(kept, str) else _toml(kept)
        text: str | None = "" if source in kinds.SOURCES else None
    else:
        text = "" if value is None else _TEXT_OF[shape](key, value)
    if text is None:
        shape, text, source, place = Shape.TOML, _toml(value), "", ""
    default = "" if "unset:" in key.doc else _default(key)
    return Field(
        name=name,
        key=key,
        group=group,
        shape=shape,
        default=default,
        text=text,
        source=source,
        place=place,
    )


def _shape(key: Key) -> Shape:
    kind: Any = key.kind
    if key.secret:
        return Shape.SECRET
    if isinstance(kind, kinds.OneOf):
        return Shape.CHOICE
    if isinstance(kind, kinds.Listed) or kind in _LISTS:
        return Shape.LIST
    if kind is quantities.flag:
        return Shape.FLAG
    if kind is oauth2.date:
        return Shape.DATE
    if kind in (*_DURATIONS, *_SIZES, *_NUMBERS, quantities.room):
        return Shape.NUMBER
    return Shape.TOML if key.default == () else Shape.TEXT


# What is written, as the text of a field; ``None``: its shape cannot show it.


def _flag_text(_: Key, value: Any) -> str | None:
    return str(value).lower() if isinstance(value, bool) else None


def _choice_text(key: Key, value: Any) -> str | None:
    options = key.kind.options  # type: ignore[union-attr]  # by its shape
    return value if value in [each.value for each in options] else None


def _list_text(key: Key, value: Any) -> str | None:
    if isinstance(value, str):
        # Masks may be one text with commas.
        parts = value.split(",") if key.kind is names.masks else [value]
        value = [each.strip() for each in parts if each.strip()]
    if not isinstance(value, list):
        return None
    if not value:
        return EMPTY_LIST
    if _element(key) in _DURATIONS:
        value = [str(each) if _is_number(each) else each for each in value]
    plain = all(
        isinstance(each, str)
        and each == each.strip()
        and each not in ("", EMPTY_LIST)
        # As lines are told apart in a form, not as `str.splitlines` does.
        and not {"\r", "\n"} & set(each)
        for each in value
    )
    return "\n".join(value) if plain else None


def _number_text(key: Key, value: Any) -> str | None:
    return str(value) if _is_number(value) else _plain_text(key, value)


def _plain_text(_: Key, value: Any) -> str | None:
    if not isinstance(value, str) or not value or {"\r", "\n"} & set(value):
        return None
    return value if value == value.strip() else None


_TEXT_OF = {
    Shape.FLAG: _flag_text,
    Shape.CHOICE: _choice_text,
    Shape.LIST: _list_text,
    Shape.NUMBER: _number_text,
    Shape.TEXT: lambda key, value: "" if value == "" else _plain_text(key, value),
    Shape.DATE: _plain_text,
    Shape.SECRET: lambda _, value: value if value in (MASK, "") else None,
    Shape.TOML: lambda _, value: _toml(value),
}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _element(key: Key) -> Any:
    """Return the kind of what is in a list; ``None``: it is no list."""
    return key.kind.kind if isinstance(key.kind, kinds.Listed) else None


def _toml(value: Any) -> str:
    return entry_of(("value",), value).partition(" = ")[2]


# What holds where nothing is written.


def _default(key: Key) -> str:
    if key.required or key.default is None:
        return ""
    return _as_written(key.kind, key.default)


def _as_written(kind: Any, value: Any) -> str:
    match value:
        case enum.Enum():
            return str(value.value)
        case bool():
            return str(value).lower()
        case Room():
            return f"{value.share:.0%}" if value.share else _size(value.octets)
        case Masks():
            return ", ".join(value.texts)
        case tuple():
            inside = getattr(kind, "kind", None)
            return ", ".join(_as_written(inside, each) for each in value)
        case int() | float() if kind in _DURATIONS:
            return _duration(value)
        case int() if kind in _SIZES:
            return _size(value)
    # A network of one address is written as that.
    return str(value).removesuffix("/32").removesuffix("/128")


def _duration(seconds: float) -> str:
    for unit, size in _UNITS:
        if seconds and seconds % size == 0:
            return f"{seconds / size:.0f}{unit}"
    return f"{seconds:g}"


def _size(octets: int) -> str:
    for unit, size in _BYTES:
        if octets and octets % size == 0:
            return f"{octets // size} {unit}"
    return str(octets)
