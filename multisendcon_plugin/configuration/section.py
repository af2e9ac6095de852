"""One table of a file, as far as it could be read.  Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from ..settings.surroundings import Surroundings
from ..settings.words import InvalidValueError, nearest, shown_key
from .faults import Fault
from .lines import Path
from .tables import Table


@attrs.frozen(kw_only=True)
class Section:
    """One table of a file.

    :param title: how faults name it.
    :param given: what the file has.
    :param values: what of it could be converted.
    """

    table: Table
    path: Path
    title: str
    given: Mapping[str, object]
    values: dict[str, Any]

    def value(self, key: str) -> Any:
        """Return the value of a key, or its default."""
        return self.values.get(key, self.table.keys[key].default)

    def valid(self, *keys: str) -> bool:
        """Whether each of the keys has a value or a default, and none of them a fault."""
        return all(
            key in self.values or (key not in self.given and key not in self.table.required)
            for key in keys
        )

    def build(self) -> Any:
        """Make the value of the table."""
        return self.table.type(**self.values)

    def fault(self, key: str, reason: str) -> Fault:
        """Make a fault of one key."""
        return Fault(path=(*self.path, key), where=f"{self.title}, {shown_key(key)}", reason=reason)


def read_section(
    table: Table,
    path: Path,
    title: str,
    given: Mapping[str, object],
    surroundings: Surroundings,
) -> tuple[Section, list[Fault]]:
    """Convert all that can be converted, and tell the rest."""
    section = Section(table=table, path=path, title=title, given=given, values={})
    faults = [
        section.fault(name, f"is missing; every {path[0]} needs it")
        for name in table.required
        if name not in given
    ]
    for name, value in given.items():
        key = table.keys.get(name)
        if key is None:
            faults.append(section.fault(name, unknown("key", name, table.keys)))
            continue
        try:
            section.values[name] = key.convert(value, surroundings)
        except InvalidValueError as invalid:
            faults.extend(section.fault(name, reason) for reason in invalid.args)
    return section, faults


def unknown(what: str, name: str, known: Mapping[str, object]) -> str:
    """Say that a table or key is not known, and which was probably meant."""
    guess = nearest(name, known)
    right = f"did you mean {guess}?" if guess else f"known here: {', '.join(known)}"
    return f"unknown {what}; {right}"
