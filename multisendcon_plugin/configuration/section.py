"""One table of a file, as far as it could be read.  Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import attrs

from ..settings.keys import Nested
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
    :param faults: those of the file so far.
    :param preset: stands for keys that the file does not have, as it would have them.
    :param demands: keys that are required, each with the reason.
    :param nested: the tables inside of it that the file has.
    """

    table: Table
    path: Path
    title: str
    given: Mapping[str, object]
    faults: list[Fault]
    values: dict[str, Any] = attrs.field(factory=dict)
    preset: dict[str, Any] = attrs.field(factory=dict)
    demands: dict[str, str] = attrs.field()
    nested: dict[str, Section] = attrs.field(factory=dict)

    @demands.default
    def _of_all(self) -> dict[str, str]:
        return dict.fromkeys(self.table.required, f"every {self.kind} needs it")

    @property
    def kind(self) -> str:
        """What the table is called."""
        return next(str(each) for each in reversed(self.path) if isinstance(each, str))

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

    @contextmanager
    def finding(self, key: str) -> Iterator[None]:
        """Make faults of one key of what is raised against its value."""
        try:
            yield
        except InvalidValueError as invalid:
            self.faults.extend(self.fault(key, reason) for reason in invalid.args)

    def read(self, surroundings: Surroundings) -> None:
        """Convert all that can be converted, and tell the rest."""
        given = {**self.preset, **self.given}
        for name, reason in self.demands.items():
            if name not in given:
                self.faults.append(self.fault(name, f"is missing; {reason}"))
        for name, value in given.items():
            key = self.table.keys.get(name)
            if key is None:
                self.faults.append(self.fault(name, unknown("key", name, self.table.keys)))
                continue
            with self.finding(name):
                if isinstance(key.kind, Nested):
                    self._read_nested(name, key.kind, value, surroundings)
                else:
                    self.values[name] = key.convert(value, surroundings)

    def _read_nested(
        self, name: str, kind: Nested[Any], value: object, surroundings: Surroundings
    ) -> None:
        """Read a table inside of this one; it has a value if nothing in it is a fault.

        :raise InvalidValueError: it is no table.
        """
        if not isinstance(value, dict):
            raise InvalidValueError(f"is not a table; write [{self.kind}.{name}]")
        before = len(self.faults)
        section = self.nested[name] = Section(
            table=Table(kind.type),  # type: ignore[arg-type]  # a class of attrs
            path=(*self.path, name),
            title=f"{self.title}, {name}",
            given=value,
            faults=self.faults,
            preset=self.preset.get(name, {}),
        )
        section.read(surroundings)
        if len(self.faults) == before:
            self.values[name] = section.build()


def unknown(what: str, name: str, known: Mapping[str, object]) -> str:
    """Say that a table or key is not known, and which was probably meant."""
    guess = nearest(name, known)
    right = f"did you mean {guess}?" if guess else f"known here: {', '.join(known)}"
    return f"unknown {what}; {right}"
