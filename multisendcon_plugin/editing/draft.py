"""A text of which a table is to change: where its tables are, and the proof of what became of it.

Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import attrs

from ..configuration.section import unknown
from ..configuration.tables import TABLES
from ..errors import AccountNotFoundError, EditRefusedError
from .blocks import Group, Path, blocks_of, groups_of, names_of
from .patches import Patch, newline_of, patched
from .proof import Document, prove, table_at
from .scan import NotScannedError
from .tables import home, written_table
from .values import Value

#: Characters up to which the proof reads all of a text; longer ones take it a second.  Of those it
#: reads the tables that change: what a table means does not depend on what stands around it.
READ_AS_A_WHOLE = 200_000

#: Does to a document what is meant to be done by the text.  The number is that of the first table
#: of the array in it: 0, unless the document is a part of the text.
Change = Callable[[Document, int], None]


@attrs.frozen
class Draft:
    """A text, and its groups from top to bottom."""

    text: str
    groups: list[Group]

    @classmethod
    def of(cls, text: str) -> Draft:
        """Make it of a text.

        :raise EditRefusedError: it is not TOML.
        """
        try:
            return cls(text, groups_of(blocks_of(text)))
        except NotScannedError:
            raise EditRefusedError(
                "the file is not TOML, so nothing in it can be changed piece by piece; mend its"
                " text first"
            ) from None

    def names(self, table: str) -> list[str | None]:
        """Return what the tables of an array are named, in their order."""
        return names_of(self.text, [each for group in self.groups for each in group.blocks], table)

    def numbered(self, path: Path) -> Path:
        """Return the path of a table with a number in the place of the name of an account.

        :raise AccountNotFoundError: there is no account of this name.
        :raise EditRefusedError: the path names no table of an array, or two.
        """
        if path[0] not in TABLES or not TABLES[str(path[0])].repeated:
            return path
        known = self.names(str(path[0]))
        wanted = path[1]
        if isinstance(wanted, str):
            if wanted not in known:
                raise AccountNotFoundError(f'there is no account "{wanted}" in the file')
            if known.count(wanted) > 1:
                raise EditRefusedError(f'two accounts in the file are named "{wanted}"')
            return (path[0], known.index(wanted), *path[2:])
        if not 0 <= wanted <= len(known) - (len(path) > 2):
            raise EditRefusedError(f"the file has {len(known)} tables [[{path[0]}]]")
        return path

    def group_of(self, path: Path) -> Group | None:
        """Return the group in which a table is, or has its place; ``None``: it has none so far."""
        for group in self.groups:
            if home(group.blocks, path):
                return group
        for group in self.groups:
            if group.path and group.path == path[: len(group.path)]:
                return group
        return None

    def with_group(self, path: Path, values: Mapping[str, Value]) -> str:
        """Return the text with one more group.

        :param path: with the number of a table of an array that is there: it stands above that one.
        """
        newline = newline_of(self.text)
        written = written_table(path, values, newline)
        below = next((each for each in self.groups if each.path == path), None)
        above = self._above(str(path[0]))
        if below:
            patch = Patch(below.start, below.start, written + 2 * newline)
        elif above.stop:
            patch = Patch(above.stop, above.stop, 2 * newline + written)
        else:
            patch = Patch(0, 0, written + newline * (2 if self.text else 1))

        def change(document: Document, first: int) -> None:
            if isinstance(path[-1], int):
                document.setdefault(str(path[0]), []).insert(path[-1] - first, values)
            else:
                table_at(document, path).update(values)

        return self.proven(path, [patch], change)

    def _above(self, table: str) -> Group:
        """Return the last group of those that come before a new one in the reference file."""
        order = list(TABLES)
        if table not in TABLES:
            raise EditRefusedError(f"[{table}]: {unknown('table', table, TABLES)}")
        earlier = set(order[: order.index(table) + 1])
        return [each for each in self.groups if not each.path or each.path[0] in earlier][-1]

    def proven(self, path: Path, patches: Sequence[Patch], change: Change) -> str:
        """Return the text with patches, which mean what is meant.

        :param path: of the table that changes.
        :raise EditRefusedError: they do not.
        """
        result = patched(self.text, patches)
        start, end = self._part(patches)
        before, after = self.text[start:end], result[start : end + len(result) - len(self.text)]
        above = [group for group in self.groups if group.start < start]
        first = sum(len(each.path) == 2 and each.path[0] == path[0] for each in above)
        prove(before, after, lambda document: change(document, first))
        return result

    def _part(self, patches: Sequence[Patch]) -> tuple[int, int]:
        """Return from where to where the text is read for the proof."""
        apart = any(len(each.path) > 2 for each in self.groups)
        if not patches or apart or len(self.text) <= READ_AS_A_WHOLE:
            return 0, len(self.text)
        start, end = min(each.start for each in patches), max(each.end for each in patches)
        return (
            max(each.start for each in self.groups if each.start <= start),
            min(each.end for each in self.groups if each.end >= end),
        )
