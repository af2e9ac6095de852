"""A TOML text as blocks: what stands at a header, with the comment above it, up to the next one.

Comment lines directly above a header belong to its block; a blank line ends that.  What the file
begins with stays its head, also a comment directly above the first header.  All else belongs to
the block above.  Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress

import attrs

from .scan import Item, Kind, NotScannedError, Place, decoded, nodes, scan

#: Names of tables from the outside in; a number follows the name of an array of tables.
Path = tuple[str | int, ...]


@attrs.frozen(kw_only=True)
class Block:
    """A header with what belongs to it: ``text[start:end]``.

    :param path: of its table; ``()``: of the head, which has no header.
    :param header: ``None``: it is the head.
    :param entries: keys with their values.
    :param broken: lines that are not TOML.
    :param stop: behind the last character that is no white space: what follows is the space
        before the next block, and stays there when the block moves.
    """

    path: Path
    header: Item | None
    entries: tuple[Item, ...]
    broken: tuple[Item, ...]
    start: int
    stop: int
    end: int


@attrs.frozen
class Group:
    """A table with the tables inside of it that follow it."""

    blocks: tuple[Block, ...]

    @property
    def path(self) -> Path:
        """The path of the outermost table."""
        return self.blocks[0].path

    @property
    def start(self) -> int:
        """Where its first comment or its header begins."""
        return self.blocks[0].start

    @property
    def stop(self) -> int:
        """See `Block`."""
        return self.blocks[-1].stop

    @property
    def end(self) -> int:
        """Where the next one begins."""
        return self.blocks[-1].end


def blocks_of(text: str, *, lenient: bool = False) -> list[Block]:
    """Return the blocks of a text from top to bottom, the head first; together they are all of it.

    :param lenient: a text that is not TOML has blocks with broken lines.
    :raise NotScannedError: it is not TOML, and `lenient` is not set.
    """
    parts: list[list[Item]] = [[]]
    comments: list[Item] = []
    beginning = True
    for item in scan(text, lenient=lenient):
        if item.kind is Kind.COMMENT:
            (parts[0] if beginning else comments).append(item)
            continue
        beginning = False
        if item.kind is Kind.HEADER:
            parts.append([*comments, item])
        else:
            parts[-1] += [*comments, item]
        comments = []
    parts[-1] += comments
    last: dict[Path, int] = {}
    found = []
    start = 0
    for part in parts:
        block = _block(part, start, last)
        found.append(block)
        start = block.end
    return found


def _block(items: Sequence[Item], start: int, last: dict[Path, int]) -> Block:
    header = next((each for each in items if each.kind is Kind.HEADER), None)
    written = [each.stop for each in items if each.kind is not Kind.BLANK]
    return Block(
        path=_entered(header, last) if header else (),
        header=header,
        entries=tuple(each for each in items if each.kind is Kind.ENTRY),
        broken=tuple(each for each in items if each.kind is Kind.BROKEN),
        start=start,
        stop=written[-1] if written else start,
        end=items[-1].end if items else start,
    )


def _entered(header: Item, last: dict[Path, int]) -> Path:
    """Return the path of a table; `last` has the number of the last element of each array."""
    path: Path = ()
    for position, name in enumerate(header.keys, 1):
        path += (name,)
        if header.repeated and position == len(header.keys):
            last[path] = last.get(path, -1) + 1
        if path in last:
            path += (last[path],)
    return path


def groups_of(blocks: Sequence[Block]) -> list[Group]:
    """Return the blocks with those of the tables inside of them; the head is the first group."""
    gathered: list[list[Block]] = []
    for block in blocks:
        root = gathered[-1][0].path if gathered else ()
        if root and block.path[: len(root)] == root and len(block.path) > len(root):
            gathered[-1].append(block)
        else:
            gathered.append([block])
    return [Group(tuple(each)) for each in gathered]


def names_of(text: str, blocks: Sequence[Block], table: str) -> list[str | None]:
    """Return what the tables of an array are named, in their order, also if it is one value.

    ``None``: it has no name, or none that can be read.
    """
    found: dict[Path, str | None] = {}
    for block in blocks:
        if len(block.path) == 2 and block.path[0] == table:
            found[block.path] = None
        for entry in block.entries:
            if (*block.path, *entry.keys)[0] != table:
                continue
            for path, place in _values(text, block, entry):
                match path:
                    case (_, int(number)):
                        found[table, number] = None
                    case (_, int(number), "name"):
                        with suppress(NotScannedError):
                            found[table, number] = decoded(text[place.start : place.end])
    return [found[path] for path in sorted(found, key=lambda path: int(path[1]))]


def _values(text: str, block: Block, entry: Item) -> Iterator[tuple[Path, Place]]:
    """Yield the value of an entry, and in the head also those inside of it."""
    if entry.value:
        path = (*block.path, *entry.keys)
        yield path, entry.value
        if not block.path:
            with suppress(NotScannedError, RecursionError):
                for inside, place in nodes(text, entry.value):
                    yield (*path, *inside), place
