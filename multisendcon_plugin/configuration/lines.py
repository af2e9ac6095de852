"""Line numbers of the tables and keys of a TOML document, which ``tomllib`` does not give.

Best effort over the text: what is written in an unusual way (inline tables) is not found.
Expects a document that ``tomllib`` has read.  Pure.
"""

from __future__ import annotations

import re

#: Names of tables and keys from the outside in; a number follows the name of an array of
#: tables: ``("account", 1, "port")`` is the port of the second account.
Path = tuple[str | int, ...]

_NAME = r"""(?:[A-Za-z0-9_-]+|"[^"\n]*"|'[^'\n]*')"""
_NAMES = rf"{_NAME}(?:[ \t]*\.[ \t]*{_NAME})*"
_HEADER = re.compile(rf"[ \t]*(\[\[?)[ \t]*({_NAMES})[ \t]*\]")
_KEY = re.compile(rf"[ \t]*({_NAMES})[ \t]*=")
_LEXEME = re.compile(
    r'''
      \#[^\n]*
    | """ (?: \\. | [^\\] )*? """
    | \'\'\' .*? \'\'\'
    | " (?: \\. | [^"\\\n] )* "
    | ' [^'\n]* '
    ''',
    re.DOTALL | re.VERBOSE,
)


def line_numbers(text: str) -> dict[Path, int]:
    """Map the tables and keys of a document to the lines where they begin, from 1."""
    found: dict[Path, int] = {}
    last: dict[Path, int] = {}
    table: Path = ()
    depth = 0
    for number, line in enumerate(_LEXEME.sub(_blank, text).split("\n"), 1):
        # Inside of a list that goes over several lines, nothing is a header or a key.
        if depth == 0 and (header := _HEADER.match(line)):
            table = _enter(header[2], last, new=header[1] == "[[")
            found.setdefault(table, number)
            if isinstance(table[-1], int):
                found.setdefault(table[:-1], number)
        elif depth == 0 and (key := _KEY.match(line)):
            path = table
            for name in _split(key[1]):
                path += (name,)
                found.setdefault(path, number)
        depth += _opened(line)
    return found


def _blank(lexeme: re.Match[str]) -> str:
    """Keep the line ends of a comment or a long string, and short strings: they may be keys."""
    text = lexeme[0]
    if text[0] == "#" or text.startswith(('"""', "'''")):
        return "\n" * text.count("\n")
    return text


def _enter(header: str, last: dict[Path, int], *, new: bool) -> Path:
    """Return the path of a table; `last` has the number of the last element of each array."""
    path: Path = ()
    names = _split(header)
    for position, name in enumerate(names, 1):
        path += (name,)
        if new and position == len(names):
            last[path] = last.get(path, -1) + 1
        if path in last:
            path += (last[path],)
    return path


def _split(names: str) -> list[str]:
    return [name.strip("\"'") for name in re.findall(_NAME, names)]


def _opened(line: str) -> int:
    """Return how many more brackets a line opens than it closes."""
    bare = _LEXEME.sub("", line)
    return bare.count("[") - bare.count("]")
