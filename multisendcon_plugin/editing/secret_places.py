"""Where the secrets of the configuration's text stand, by the declarations of the keys.

What is named as a secret key is secret in whatever table it is put, and however its name is
written: ``Password`` and ``client-secret`` are faults, and yet nobody is to see what is behind
them.  Pure.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import cache, lru_cache
from typing import NamedTuple

from ..configuration.tables import TABLES
from ..settings.keys import Key, Nested, keys_of
from ..settings.kinds import SOURCES
from .blocks import Block, Path
from .scan import Item, Keys, NotScannedError, Place, nodes

#: The first name in the path of what stands in a comment.
COMMENT = "#"
#: A name in the path of what stands in a line that is not TOML.
BROKEN = "!"

_EMPTY = {'""', "''"}
_KEPT_ELSEWHERE = rf"\{{\s*(?:{'|'.join(sorted(SOURCES))})\s*=[^{{}}]*\}}"


class Secret(NamedTuple):
    """A secret of a text, as it is written.

    :param path: of its key, with the number of an account; in a comment, of its table, and what
        makes it another than other comments there.
    """

    path: Path
    place: Place


@cache
def declared() -> frozenset[Keys]:
    """Return the secret keys, with the names of their tables before them."""
    return frozenset(
        each for name, table in TABLES.items() for each in _secret((name,), table.keys)
    )


def _secret(table: Keys, keys: dict[str, Key]) -> Iterator[Keys]:
    for name, key in keys.items():
        if key.secret:
            yield (*table, name)
        if isinstance(key.kind, Nested):
            inside = keys_of(key.kind.type)  # type: ignore[arg-type]  # a class of attrs
            yield from _secret((*table, name), inside)


def secrets_of(text: str, blocks: Sequence[Block]) -> list[Secret]:
    """Return the secrets of a text; those in comments and broken lines come last.

    :param blocks: with broken lines, if the text is not TOML; rather too much of it is secret then.
    """
    broken = [(block, item) for block in blocks for item in block.broken]
    found: list[Secret] = []
    for block in blocks:
        for entry in block.entries:
            try:
                found += _of(text, block, entry)
            except (NotScannedError, RecursionError):
                broken.append((block, entry))
    found += _in_comments(text, blocks)
    end = 0
    for block, item in broken:
        for secret in _in_broken(text, block, item) if item.end > end else ():
            found.append(secret)
            end = max(end, secret.place.end)
    return list(_apart(found))


def _apart(secrets: Iterable[Secret]) -> Iterator[Secret]:
    """Yield the secrets without those that are inside of others."""
    end = 0
    for secret in sorted(secrets, key=lambda each: (each.place.start, -each.place.end)):
        if secret.place.start >= end:
            yield secret
            end = secret.place.end


def _of(text: str, block: Block, entry: Item) -> Iterator[Secret]:
    path = (*block.path, *entry.keys)
    if entry.value is None:
        return
    within = "{" in text[entry.value.start : entry.value.end] or secret_part(_names(path))
    covered = entry.value.start
    for inside, place in ((), entry.value), *(nodes(text, entry.value) if within else ()):
        names = _names((*path, *inside))
        length = secret_part(names)
        if place.start < covered or not length:
            continue
        written = text[place.start : place.end]
        if _is_kept_elsewhere(text, names[length:], place):
            covered = place.end
        elif written not in _EMPTY:
            # Without its quotes, a secret may look as if a comment was behind it.
            bare = not inside and written[0] not in "\"'[{"
            covered = entry.stop if bare else place.end
            yield Secret((*path, *inside), Place(place.start, covered))


def secret_part(names: Keys) -> int:
    """Return how many of the names are those of a secret key; 0: it is none."""
    return next((number for number, name in enumerate(names, 1) if _is_secret(name)), 0)


@lru_cache(maxsize=4096)
def _is_secret(name: str) -> bool:
    return _plain(name) in {_plain(each[-1]) for each in declared()}


def _plain(name: str) -> str:
    return re.sub(r"[-_\s]", "", name).casefold()


def _names(path: Path) -> Keys:
    return tuple(each for each in path if isinstance(each, str))


def _is_kept_elsewhere(text: str, below: Keys, place: Place) -> bool:
    """Whether a value names the place of a secret.

    :param below: the names between the secret key and the value.
    """
    if below:
        return len(below) == 1 and below[0] in SOURCES
    if text[place.start] != "{":
        return False
    inside = [path for path, _ in nodes(text, place) if len(path) == 1]
    return len(inside) == 1 and inside[0][0] in SOURCES


@cache
def _named_so() -> str:
    """Return the pattern of the name of a secret key."""
    names = sorted({re.sub("[-_]", "[-_ ]?", each[-1]) for each in declared()})
    return rf"""(?<![\w-])(?i:{"|".join(names)})["']?[ \t]*+"""


@cache
def _commented() -> re.Pattern[str]:
    value = rf"""(?!{_KEPT_ELSEWHERE})(?:"[^"\n]+"|'[^'\n]+'|[^\s"'][^\n]*)"""
    # A sentence about passwords is none.
    sign = r"""(?:=|:(?=[ \t]*+(?:["']|\S++[ \t]*+\r?$)))[ \t]*+"""
    return re.compile(rf"{_named_so()}{sign}(?P<secret>{value})", re.MULTILINE)


def _in_comments(text: str, blocks: Sequence[Block]) -> Iterator[Secret]:
    """Yield what somebody has put behind a ``#``, perhaps to have it back some day."""
    counted: Counter[Path] = Counter()
    starts = [each.start for each in blocks]
    for found in _commented().finditer(text):
        line = text.rfind("\n", 0, found.start()) + 1
        sign = text.find("#", line, found.start())
        if sign >= 0:
            block = blocks[bisect_right(starts, sign) - 1]
            path = (COMMENT, *block.path, text[sign + 1 : found.start("secret")])
            counted[path] += 1
            yield Secret((*path, counted[path]), Place(*found.span("secret")))


def _in_broken(text: str, block: Block, line: Item) -> Iterator[Secret]:
    """Yield what may be a secret in a line that is not TOML."""
    path = (*block.path, BROKEN, line.start)
    if secret_part(_names(block.path)):
        yield Secret(path, Place(line.start, line.stop))
    position = line.start
    # The key is looked for in this line only: its value may be longer.
    while key := _loose_key().search(text, position, line.end):
        position = key.end()
        if value := _loose_value().match(text, position):
            yield Secret(path, Place(*value.span()))
            position = value.end()


@cache
def _loose_key() -> re.Pattern[str]:
    return re.compile(rf"""{_named_so()}(?:[=:][ \t]*+|(?<=[ \t])(?=["']))""")


@cache
def _loose_value() -> re.Pattern[str]:
    kept = rf"(?!{_KEPT_ELSEWHERE}[ \t]*(?:\#[^\n]*)?\r?$)"
    opened = r"""(?:[\[{]|"[^"\\\n]*+(?:\\.[^"\\\n]*+)*\r?$|'[^'\n]*+\r?$)"""
    next_one = r"""\r?\n[ \t]*+(?:\r?$|\[|[\w."'-]+[ \t]*[=:])"""
    values = (
        r"(?P<quotes>\"\"\"|''').*?(?:(?P=quotes)[^\r\n]*|\Z)",
        rf"{opened}.*?(?={next_one}|\Z)",
        r"[^\r\n]+",
        r"\r?\n[ \t]*+[\"'][^\r\n]*",
    )
    return re.compile(f"{kept}(?:{'|'.join(values)})", re.DOTALL | re.MULTILINE)
