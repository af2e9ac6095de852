"""Changes of the configuration's text: values of a table, accounts that come, go, or change places.

Each result is read by ``tomllib``, and means what was meant; what is not changed stays character
for character.  Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..errors import EditRefusedError
from .blocks import Group, Path
from .draft import Draft
from .patches import Patch, newline_of
from .proof import Document, plain, table_at
from .tables import home, with_table, with_value, without
from .values import Value


def with_values(text: str, path: Path, values: Mapping[str, Value | None]) -> str:
    """Return a text in which keys of a table have other values; the table is made if it is missing.

    :param path: ``("delivery",)``, ``("client", 0)``, ``("account", "Sales")``, or of a table
        inside of that, ``("account", "Sales", "oauth2")``; the number after the last makes one
        more.
    :param values: as ``tomllib`` would give them; ``None``: the key is removed.
    :raise AccountNotFoundError: there is no account of this name.
    :raise EditRefusedError: the text cannot be changed so.
    """
    draft = Draft.of(text)
    path = draft.numbered(path)
    values = plain(values)
    given = {key: value for key, value in values.items() if value is not None}
    group = draft.group_of(path)
    if values and not given and not (group and home(group.blocks, path)):
        return text
    if group is None:
        return draft.with_group(path, given)
    # In the text of its group by itself, a table of an array is the first.
    inside = (path[0], 0, *path[2:]) if _is_element(group.path) else path
    newline = newline_of(text)
    changed = text[group.start : group.end]
    if not values and not home(group.blocks, path):
        changed = with_table(changed, inside, {}, newline)
    for key, value in values.items():
        changed = with_value(changed, inside, key, value, newline)

    def change(document: Document, first: int) -> None:
        table = table_at(document, _counted_from(path, first))
        table.update(given)
        for key in values.keys() - given.keys():
            table.pop(key, None)

    return draft.proven(path, [Patch(group.start, group.end, changed)], change)


def with_account(text: str, values: Mapping[str, Value], before: str | None = None) -> str:
    """Return a text with one more account.

    :param values: as ``tomllib`` would give them, with its name.
    :param before: the account above which it stands; ``None``: it is the last one.
    :raise AccountNotFoundError: there is no account `before`.
    :raise EditRefusedError: the text cannot be changed so.
    """
    draft = Draft.of(text)
    names = draft.names("account")
    if values["name"] in names:
        raise EditRefusedError(
            f'there is an account "{values["name"]}" in the file; choose another name'
        )
    path = ("account", len(names)) if before is None else draft.numbered(("account", before))
    return draft.with_group(path, plain(values))


def without_account(text: str, name: str) -> str:
    """Return a text without an account, the tables inside of it, and the comment above it.

    :raise AccountNotFoundError: there is no account of this name.
    :raise EditRefusedError: the text cannot be changed so.
    """
    return without_table(text, ("account", name))


def without_table(text: str, path: Path) -> str:
    """Return a text without a table that is outermost; the same text if there is none.

    :param path: see `with_values`.
    :raise EditRefusedError: the text cannot be changed so.
    """
    draft = Draft.of(text)
    path = draft.numbered(path)
    group = draft.group_of(path)
    if group is None:
        return text
    if group.path != path:
        raise _not_as_blocks(path)
    blocks = [block for each in draft.groups for block in each.blocks]
    start, end, _ = without(blocks, group.blocks[0], group.blocks[-1])

    def change(document: Document, first: int) -> None:
        name = str(path[0])
        if isinstance(path[-1], int):
            del document[name][path[-1] - first]
        if not isinstance(path[-1], int) or not document[name]:
            del document[name]

    patch = Patch(start, end, _below_the_beginning(text, start, text[end:]))
    return draft.proven(path, [patch], change)


def in_order(text: str, names: Sequence[str]) -> str:
    """Return a text with its accounts in another order.

    :param names: of all accounts, topmost first.
    :raise EditRefusedError: they are others, or the text cannot be changed so.
    """
    draft = Draft.of(text)
    path: Path = ("account", 0)
    known = draft.names("account")
    if sorted(names) != sorted(map(str, known)) or len(set(names)) != len(names):
        raise EditRefusedError(
            "the order has other accounts than the file; name each account of the file once"
        )
    groups = [group for group in draft.groups if group.path[:1] == ("account",)]
    if len(groups) != len(known):
        raise _not_as_blocks(path)
    numbers = {name: number for number, name in enumerate(known)}
    order = [numbers[name] for name in names]
    patches = [
        Patch(place.start, place.stop, _moved(text, groups[number], place))
        for place, number in zip(groups, order, strict=True)
        if place is not groups[number]
    ]

    if not patches:
        return text

    def change(document: Document, first: int) -> None:
        accounts = document["account"]
        moved = order[first : first + len(accounts)]
        document["account"] = [accounts[number - first] for number in moved]

    return draft.proven(path, patches, change)


def _moved(text: str, group: Group, place: Group) -> str:
    """Return the text of a group as it stands in the place of another one."""
    written = text[group.start : group.stop]
    is_comment = written.rpartition("\n")[2].lstrip().startswith("#")
    if is_comment and place.end < len(text) and text.count("\n", place.stop, place.end) < 2:
        # Else its last comment would be the one above the next header.
        written += newline_of(text)
    return _below_the_beginning(text, place.start, written) + written


def _below_the_beginning(text: str, start: int, below: str) -> str:
    """Return a line end, if a comment would begin the file, and so be the file's from now on."""
    return newline_of(text) if start == 0 and below.lstrip(" \t").startswith("#") else ""


def _counted_from(path: Path, first: int) -> Path:
    match path:
        case (name, int(number), *inside):
            return (name, number - first, *inside)
    return path


def _is_element(path: Path) -> bool:
    """Whether a path is that of a table of an array."""
    return len(path) == 2 and isinstance(path[1], int)


def _not_as_blocks(path: Path) -> EditRefusedError:
    return EditRefusedError(
        f"[{path[0]}] is not written in the file as a table with a header of its own, together with"
        " all that belongs to it; edit the text of the file by hand"
    )
