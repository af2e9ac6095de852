"""Where everything stands in a TOML text, from the first character to the last.

``tomllib`` does not tell.  Expects a text that it reads; of another one, places may be told all the
same.  Takes time in proportion to the text.  Pure.
"""

from __future__ import annotations

import enum
import re
import tomllib
from collections.abc import Iterator
from typing import NamedTuple

#: Names from the outside in.
Keys = tuple[str, ...]

# No group repeats possessively (CPython issue 106052): plain ones do not come back here, since what
# stands in them is told apart by its first character.
_BASIC = r'"(?:\\.|[^"\\\n])*"'
_NAME = rf"(?:[A-Za-z0-9_-]++|{_BASIC}|'[^'\n]*+')"
_NAMES = rf"{_NAME}(?:[ \t]*+\.[ \t]*+{_NAME})*"
#: More than three quotes at the end: the first ones are part of the string.
_STRING = (
    rf'"""(?:\\.|[^\\])*?"""(?:"{{1,2}}+)?|\'\'\'.*?\'\'\'(?:\'{{1,2}}+)?|{_BASIC}|\'[^\'\n]*+\''
)
_PLAIN = r"""[^\s\[\]{},#"'](?:[^\n\[\]{},#"']*[^\s\[\]{},#"'])?"""
_COMMENT = r"\#[^\n]*+"
#: Without anything nested in it; what has more in it is measured by `_closed`.
_FLAT = rf"""[\[{{](?:{_BASIC}|'[^'\n]*+'|[^\[\]{{}}"'\#\n]++)*[\]}}]"""
_REST = rf"(?P<rest>[ \t]*+(?:{_COMMENT})?)\r?(?:\n|\Z)"

_LINE = re.compile(
    rf"""[ \t]*+(?:
      (?P<keys>{_NAMES})[ \t]*+=[ \t]*+(?:
        (?P<value>{_STRING}|{_PLAIN}|{_FLAT}){_REST}
      | (?P<long>[\[{{]) )
    | (?P<open>\[\[?)[ \t]*+(?P<header>{_NAMES})[ \t]*+\]\]?[ \t]*+(?:{_COMMENT})?\r?(?:\n|\Z)
    | (?P<comment>{_COMMENT})(?:\n|\Z)
    | \r?(?:\n|\Z)
    )""",
    re.DOTALL | re.VERBOSE,
)
_BEHIND = re.compile(_REST)
_PART = re.compile(rf"""{_STRING}|{_COMMENT}|[^"'\#\[\]{{}}]++|[\[{{]|[\]}}]""", re.DOTALL)
_SCALAR = re.compile(rf"{_STRING}|{_PLAIN}", re.DOTALL)
_FILLER = re.compile(rf"(?:[\s,]++|{_COMMENT})*")
_INNER_KEY = re.compile(rf"({_NAMES})[ \t]*+=[ \t]*+")
_EACH_NAME = re.compile(_NAME)


class NotScannedError(ValueError):
    """A text is not TOML, as far as this module knows it."""


class _UnclosedError(NotScannedError):
    """A bracket is not closed, up to the end of the text."""


#: Brackets without an end beyond which no long value is measured any more, as each takes a look at
#: all that follows.
MOST_UNCLOSED = 8


class Kind(enum.Enum):
    """What a line is, or the lines of a long value."""

    BLANK = enum.auto()
    COMMENT = enum.auto()
    HEADER = enum.auto()
    ENTRY = enum.auto()
    BROKEN = enum.auto()


class Place(NamedTuple):
    """A value in the text: ``text[start:end]``."""

    start: int
    end: int


class Item(NamedTuple):
    """A line of the text, or more than one if a value is as long.

    A tuple, since there may be a hundred thousand of them.

    :param start: where the line begins.
    :param stop: behind the last character that is no white space.
    :param end: behind the line end.
    :param keys: the names in a header, or before the ``=``.
    :param value: where the value stands.
    :param repeated: a header in double brackets.
    """

    kind: Kind
    start: int
    stop: int
    end: int
    keys: Keys = ()
    value: Place | None = None
    repeated: bool = False


def scan(text: str, *, lenient: bool = False) -> Iterator[Item]:
    """Yield the items of a text, from the top to the bottom; together they are all of it.

    :param lenient: a line that is neither comment, header nor value is ``BROKEN``.
    :raise NotScannedError: there is one, and `lenient` is not set.
    """
    position = unclosed = 0
    while position < len(text):
        try:
            item = _item(text, position, measured=unclosed < MOST_UNCLOSED)
        except NotScannedError as error:
            if not lenient:
                raise
            unclosed += isinstance(error, _UnclosedError)
            end = text.find("\n", position) + 1 or len(text)
            item = Item(Kind.BROKEN, position, len(text[:end].rstrip("\r\n")), end)
        yield item
        position = item.end


def _item(text: str, start: int, *, measured: bool) -> Item:
    line = _LINE.match(text, start)
    if line is None:
        raise NotScannedError(start)
    match line.lastgroup:
        case None:
            return Item(Kind.BLANK, start, start, line.end())
        case "comment":
            stop = start + len(line[0].rstrip())
            return Item(Kind.COMMENT, start, stop, line.end())
        case "header":
            stop = start + len(line[0].rstrip())
            repeated = line["open"] == "[["
            return Item(Kind.HEADER, start, stop, line.end(), names(line["header"]), None, repeated)
        case "long" if not measured:
            raise NotScannedError(start)
        case "long":
            value = Place(line.start("long"), _closed(text, line.start("long")))
            behind = _BEHIND.match(text, value.end)
            if behind is None:
                raise NotScannedError(value.end)
        case _:
            value, behind = Place(*line.span("value")), line
    stop = value.end + len(behind["rest"].rstrip())
    return Item(Kind.ENTRY, start, stop, behind.end(), names(line["keys"]), value)


def _closed(text: str, start: int) -> int:
    """Return what is behind the bracket that closes the one at the start."""
    depth, position = 0, start
    while part := _PART.match(text, position):
        position = part.end()
        if part[0] in ("[", "{"):
            depth += 1
        elif part[0] in ("]", "}"):
            depth -= 1
            if not depth:
                return position
    raise _UnclosedError(start)


def nodes(text: str, value: Place) -> Iterator[tuple[tuple[str | int, ...], Place]]:
    """Yield what is inside of the value of an entry: the path of each value in it, and its place.

    What is outside comes before what is in it.

    :raise NotScannedError: something in it is not TOML.
    """
    opening = text[value.start]
    if opening not in "[{":
        return
    number, position = 0, _filled(text, value.start + 1)
    while position < value.end - 1:
        path: tuple[str | int, ...] = (number,)
        if opening == "{":
            key = _INNER_KEY.match(text, position)
            if key is None:
                raise NotScannedError(position)
            path, position = names(key[1]), key.end()
        inner = Place(position, _value_end(text, position))
        yield path, inner
        for below, place in nodes(text, inner):
            yield (*path, *below), place
        number, position = number + 1, _filled(text, inner.end)


def _filled(text: str, position: int) -> int:
    filler = _FILLER.match(text, position)
    return filler.end() if filler else position


def _value_end(text: str, start: int) -> int:
    if text[start] in "[{":
        return _closed(text, start)
    scalar = _SCALAR.match(text, start)
    if scalar is None:
        raise NotScannedError(start)
    return scalar.end()


def names(dotted: str) -> Keys:
    """Return the names of a dotted key."""
    if '"' not in dotted and "'" not in dotted and "." not in dotted:
        return (dotted.strip(),)
    return tuple(decoded(name) if name[0] in "\"'" else name for name in _EACH_NAME.findall(dotted))


def decoded(raw: str) -> str:
    """Return what a string of the text means, or another value as ``str``.

    :raise NotScannedError: it means nothing.
    """
    if raw[0] == '"' and "\\" not in raw and not raw.startswith('"""'):
        return raw[1:-1]
    try:
        return str(tomllib.loads(f"value = {raw}")["value"])
    except ValueError:
        raise NotScannedError(raw) from None
