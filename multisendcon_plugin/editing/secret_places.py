"""Where the secrets of the configuration's text stand, by the declarations of the keys.  Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import NamedTuple

from ..configuration.tables import TABLES
from ..settings.keys import Key, Nested, keys_of
from ..settings.kinds import SOURCES
from .blocks import Block, Path
from .scan import Item, Keys, Place, nodes

#: The first name in the path of what stands in a comment.
COMMENT = "#"

_EMPTY = {'""', "''"}
_KEPT_ELSEWHERE = rf"\{{\s*(?:{'|'.join(sorted(SOURCES))})\s*=[^{{}}]*\}}"


class Secret(NamedTuple):
    """A secret of a text, as it is written.

    :param path: of its key, with the number of an account; in a comment, what makes it another
        than other comments.
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
    """Return the secrets of a text, from top to bottom; those in comments last.

    :raise NotScannedError: the text is not TOML.
    """
    found = [
        secret for block in blocks for entry in block.entries for secret in _of(text, block, entry)
    ]
    return found + list(_in_comments(text, [each.place for each in found]))


def _of(text: str, block: Block, entry: Item) -> Iterator[Secret]:
    path = (*block.path, *entry.keys)
    if entry.value is None or not _may_have_secrets(_names(path)):
        return
    covered = entry.value.start
    for inside, place in ((), entry.value), *nodes(text, entry.value):
        if place.start < covered:
            continue
        names = _names((*path, *inside))
        secret = next((each for each in declared() if each == names[: len(each)]), None)
        if secret is None:
            continue
        written = text[place.start : place.end]
        if _is_kept_elsewhere(text, names[len(secret) :], place):
            covered = place.end
        elif written not in _EMPTY:
            # Without its quotes, a secret may look as if a comment was behind it.
            bare = not inside and written[0] not in "\"'[{"
            covered = entry.stop if bare else place.end
            yield Secret((*path, *inside), Place(place.start, covered))


def _names(path: Path) -> Keys:
    return tuple(each for each in path if isinstance(each, str))


def _may_have_secrets(names: Keys) -> bool:
    return any(all(a == b for a, b in zip(names, each, strict=False)) for each in declared())


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
def _written_so() -> str:
    """Return the pattern of a secret key with its ``=``."""
    names = sorted({re.escape(each[-1]) for each in declared()})
    return rf"""(?<![\w-])(?:{"|".join(names)})["']?[ \t]*=[ \t]*"""


@cache
def _commented() -> re.Pattern[str]:
    value = rf"""(?!{_KEPT_ELSEWHERE})(?:"[^"\n]+"|'[^'\n]+'|[^\s"'][^\n]*)"""
    return re.compile(rf"#(?P<before>[^\n]*?{_written_so()})(?P<secret>{value})")


def _in_comments(text: str, others: Iterable[Place]) -> Iterator[Secret]:
    """Yield what somebody has put behind a ``#``, perhaps to have it back some day."""
    starts = {place.start for place in others}
    counted: Counter[str] = Counter()
    for found in _commented().finditer(text):
        before = found["before"]
        counted[before] += 1
        if found.start("secret") not in starts:
            yield Secret((COMMENT, before, counted[before]), Place(*found.span("secret")))


def loose_secrets(text: str) -> list[Place]:
    """Return what may be a secret in a text that is not TOML: rather too much of it."""
    return [Place(*found.span("secret")) for found in _loose().finditer(text)]


@cache
def _loose() -> re.Pattern[str]:
    kept = rf"(?!{_KEPT_ELSEWHERE}[ \t]*(?:\#[^\n]*)?\r?$)"
    values = (
        r"(?P<quotes>\"\"\"|''').*?(?:(?P=quotes)[^\r\n]*|\Z)",
        r"[\[{].*?(?=\r?\n[ \t]*\r?$|\r?\n[ \t]*\[|\r?\n[ \t]*[\w.\"'-]+[ \t]*=|\Z)",
        r"[^\r\n]+",
    )
    return re.compile(
        f"{_written_so()}{kept}(?P<secret>{'|'.join(values)})", re.DOTALL | re.MULTILINE
    )
