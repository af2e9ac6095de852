"""One value of one table changed in a text: that of a block with the tables inside of it, or any.

A table may be written as a block, as an inline table, or by dotted keys; what is there keeps its
form.  Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..configuration.tables import TABLES
from ..settings.keys import Nested
from .blocks import Block, Path, blocks_of
from .patches import Patch, patched
from .proof import read
from .scan import Item, Keys
from .values import Value, changed_entry, entry_of, key_of


def home(blocks: Sequence[Block], path: Path) -> tuple[Block, Item | None] | None:
    """Return the block in which a table is written, and the entry, if it is in the value of one.

    ``None``: it is not written anywhere.
    """
    for block in blocks:
        if block.path == path:
            return block, None
    for block in blocks:
        if block.path == path[: len(block.path)]:
            rest = path[len(block.path) :]
            for entry in block.entries:
                if entry.keys == rest[: len(entry.keys)]:
                    return block, entry
                if entry.keys[: len(rest)] == rest:
                    return block, None
    return None


def with_value(text: str, path: Path, key: str, value: Value | None, newline: str) -> str:
    """Return a text in which a key of a table has another value.

    The table is made below all others, if it is not there.

    :param path: of the table in this text.
    :param value: ``None``: the key is removed, if it is there.
    :param newline: how lines end.
    :raise EditRefusedError: tomlkit does not understand what is there.
    """
    blocks = blocks_of(text)
    found = home(blocks, path)
    if found is None:
        return text if value is None else with_table(text, path, {key: value}, newline)
    block, entry = found
    if entry:
        return patched(text, [_changed(text, entry, path[len(block.path) :], key, value)])
    names = tuple(map(str, (*path[len(block.path) :], key)))
    entries = [each for each in block.entries if each.keys[: len(names)] == names]
    tables = [each for each in blocks if each.path[: len(path) + 1] == (*path, key)]
    if value is not None and entries and entries[0].keys == names:
        return patched(text, [_changed(text, entries[0], names[:-1], key, value)])
    if isinstance(value, Mapping) and (entries or tables or is_table(path, key)):
        return _with_whole_table(text, (*path, key), value, newline)
    patches = [Patch(each.start, each.end, "") for each in entries]
    if tables:
        patches.append(without(blocks, tables[0], tables[-1]))
    if value is not None:
        line = entry_of(names, value)
        if entries:
            patches[0] = Patch(entries[0].start, entries[0].stop, line)
        else:
            patches.append(_below(text, block, names[:-1], line, newline))
    return patched(text, patches)


def without(blocks: Sequence[Block], first: Block, last: Block) -> Patch:
    """Remove blocks that follow each other, with the space below them, or else above them."""
    if last is blocks[-1] and first is not blocks[0]:
        above = blocks[blocks.index(first) - 1]
        # The space at the end is not theirs.
        return Patch(above.stop or first.start, last.stop, "")
    return Patch(first.start, last.end, "")


def _changed(
    text: str, entry: Item, table: Sequence[str | int], key: str, value: Value | None
) -> Patch:
    written = changed_entry(text[entry.start : entry.stop], table, {key: value})
    return Patch(entry.start, entry.stop, written)


def _below(text: str, block: Block, table: Keys, line: str, newline: str) -> Patch:
    """Write a line below the last entry of a table, as far to the right.

    :param table: its names within the block.
    """
    entries = [each for each in block.entries if each.keys[: len(table)] == table]
    above = entries[-1] if entries else block.header
    if above is None:
        return Patch(block.start, block.start, line + newline)
    written = text[above.start : above.stop]
    indent = written[: len(written) - len(written.lstrip(" \t"))]
    return Patch(above.stop, above.stop, newline + indent + line)


def _with_whole_table(text: str, path: Path, values: Mapping[str, Value], newline: str) -> str:
    """Return a text with a table that has these values and no others."""
    if home(blocks_of(text), path) is None:
        return with_table(text, path, values, newline)
    there = read(text)
    for step in path:
        there = there[step]  # type: ignore[index]  # a number of a list
    # What is new comes first: a table without anything in it might not be there any more.
    for key, value in values.items():
        text = with_value(text, path, key, value, newline)
    for key in there.keys() - values.keys():
        text = with_value(text, path, key, None, newline)
    return text


def with_table(text: str, path: Path, values: Mapping[str, Value], newline: str) -> str:
    """Return a text with a further table below all others."""
    stop = blocks_of(text)[-1].stop
    table = written_table(path, values, newline)
    return patched(text, [Patch(stop, stop, f"{newline * 2}{table}" if stop else table + newline)])


def written_table(path: Path, values: Mapping[str, Value], newline: str) -> str:
    """Return a table as it is written, without the last line end.

    :param path: ends with a number: it is one of several.
    """
    names = key_of([each for each in path if isinstance(each, str)])
    tables = {
        key for key, each in values.items() if isinstance(each, Mapping) and is_table(path, key)
    }
    lines = [f"[[{names}]]" if isinstance(path[-1], int) else f"[{names}]"]
    lines += [entry_of([key], each) for key, each in values.items() if key not in tables]
    for key in values:
        if key in tables:
            lines += ["", written_table((*path, key), values[key], newline)]  # type: ignore[arg-type]
    return newline.join(lines)


def is_table(path: Path, key: str) -> bool:
    """Whether a key is declared as a table, which has a header of its own."""
    names = [each for each in path if isinstance(each, str)]
    table = TABLES.get(names[0]) if len(names) == 1 else None
    return bool(table and key in table.keys and isinstance(table.keys[key].kind, Nested))
