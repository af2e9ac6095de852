"""The tables of the configuration as sections of the page Settings, each with a form.  Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import attrs

from ..configuration import AT_START_ONLY
from ..configuration.tables import TABLES, Table
from .drafts import Draft, Entry, Form, draft_of
from .fields import fields_of
from .kept import Kept

#: Accounts have pages of their own.
NAMES = tuple(name for name in TABLES if name != "account")

_AT_START = (
    "It cannot change while the relay runs, and holds from the next start:"
    " write it in the file by hand, and restart."
)


@attrs.frozen(kw_only=True)
class Section:
    """One table, as it is written, or as it could be.

    :param index: which of several of that name; ``None``: there is but one.
    :param values: what is written, by key; secrets are masked.
    :param written: it is in the file.
    """

    name: str
    table: Table
    index: int | None
    values: Mapping[str, Any]
    written: bool

    @property
    def id(self) -> str:
        """What it is called in HTML."""
        return self.name if self.index is None else f"{self.name}-{self.index}"

    @property
    def title(self) -> str:
        """What people call it."""
        if self.index is None:
            return f"[{self.name}]"
        return f"[[{self.name}]] {self.index + 1}" if self.written else f"New [[{self.name}]]"

    @property
    def title_of_faults(self) -> str:
        """How faults name it."""
        return (
            f"[{self.name}]" if self.index is None else f"[[{self.name}]] number {self.index + 1}"
        )

    @property
    def mark(self) -> str:
        """By which it is known again when it has another place."""
        written = json.dumps(self.values, sort_keys=True) if self.written else ""
        return hashlib.sha256(written.encode("utf-8", "surrogatepass")).hexdigest()[:32]

    @property
    def verb(self) -> str:
        """Of the button that writes it."""
        if self.written:
            return "Save"
        return "Add" if self.table.repeated else "Switch on" if self.table.optional else "Save"

    @property
    def removing(self) -> str:
        """The verb of the button that removes it; ``""``: there is none."""
        if not self.written:
            return ""
        return "Remove" if self.table.repeated else "Switch off" if self.table.optional else ""

    @property
    def notes(self) -> Mapping[str, str]:
        """Why keys cannot be changed here, by key."""
        return {key: _AT_START for table, key in AT_START_ONLY if table == self.name}

    def draft(self, form: Form, kept: Kept) -> Draft:
        """Return what a form changes of it."""
        return draft_of(form, fields_of(self.table.keys, self.values, form=self.id), kept)


@attrs.frozen(kw_only=True)
class ShownSection:
    """A section as it is shown.

    :param trouble: why it was not saved.
    :param others: faults that are about none of its keys.
    """

    section: Section
    entries: tuple[Entry, ...]
    trouble: str = ""
    others: tuple[str, ...] = ()


def sections_of(name: str, tables: Mapping[str, Any]) -> Iterator[Section]:
    """Yield the sections of a name; of a table that may be repeated, a new one last.

    :param tables: what the file has, by name.
    """
    table, found = TABLES[name], tables.get(name)
    if not table.repeated:
        values = found if isinstance(found, dict) else {}
        yield Section(name=name, table=table, index=None, values=values, written=name in tables)
        return
    written: Sequence[Any] = found if isinstance(found, list) else ()
    for index, each in enumerate(written):
        values = each if isinstance(each, dict) else {}
        yield Section(name=name, table=table, index=index, values=values, written=True)
    yield Section(name=name, table=table, index=len(written), values={}, written=False)


def found_again(sections: Sequence[Section], index: int | None, mark: str) -> Section | None:
    """Return the section that was shown with an index and mark; ``None``: it is no more.

    :param sections: those of its name, as they are now.
    """
    if index is None:
        return sections[0] if sections[0].index is None else None
    if index < len(sections) and sections[index].mark == mark:
        return sections[index]
    alike = [each for each in sections if each.mark == mark]
    return alike[0] if len(alike) == 1 else None
