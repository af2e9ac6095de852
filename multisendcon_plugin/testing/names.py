"""A DNS of which a test writes the zones: `Names`, without a server."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Protocol

import attrs
from twisted.internet.defer import Deferred, fail, succeed

from ..dns import TYPES, Answer, DnsError, Kind, Record
from ..dns.names import normal

_MOST_ALIASES = 8


class _Clock(Protocol):
    def seconds(self) -> float: ...


@attrs.define(eq=False, kw_only=True)
class FakeNames:
    """Answers from zones.

    ::

        FakeNames(zones={
            "example.com": {"MX": [Mx(10, "mx.example.com")]},
            "mx.example.com": {"A": ["192.0.2.1"], "AAAA": []},
            "www.example.com": {"CNAME": ["example.com"]},
        })

    A name that is not there, and has none below it, is `Kind.NO_NAME`; a type that is not there is
    `Kind.NO_DATA`.  All of it may be changed at any time; nothing is kept.

    :param zones: the records by name and type.
    :param secure: the names whose answers are verified; names below them are not meant.
    :param failures: what questions fail with, by name, or by name and type; it is raised as a
        temporary `DnsError` with this text.
    :param ttl: for how long answers hold, in seconds.
    :param clock: tells the time, as a reactor does; without one it is always 0.
    :param asked: how often each question was asked.
    :param held: while it is set, questions wait until `release`.
    """

    zones: dict[str, Mapping[str, Sequence[Record]]] = attrs.field(factory=dict)
    secure: set[str] = attrs.field(factory=set)
    failures: dict[str | tuple[str, str], str] = attrs.field(factory=dict)
    ttl: float = 300.0
    clock: _Clock | None = None
    held: bool = False
    asked: Counter[tuple[str, str]] = attrs.field(factory=Counter, init=False)
    _waiting: list[tuple[str, str, Deferred[Answer]]] = attrs.field(factory=list, init=False)

    def query(self, name: str, rdtype: str) -> Deferred[Answer]:
        if rdtype not in TYPES:
            raise ValueError(f"records of type {rdtype} are not asked for")
        try:
            name = normal(name)
        except DnsError as error:
            return fail(error)
        self.asked[name, rdtype] += 1
        if self.held:
            waiting: Deferred[Answer] = Deferred()
            self._waiting.append((name, rdtype, waiting))
            return waiting
        try:
            return succeed(self._answer(name, rdtype))
        except DnsError as error:
            return fail(error)

    def release(self) -> None:
        """Answer what waits, and whatever is asked from now on."""
        self.held = False
        waiting, self._waiting = self._waiting, []
        for name, rdtype, deferred in waiting:
            if deferred.called:  # cancelled
                continue
            try:
                deferred.callback(self._answer(name, rdtype))
            except DnsError as error:
                deferred.errback(error)

    def _answer(self, asked: str, rdtype: str) -> Answer:
        zones = {normal(name): records for name, records in self.zones.items()}
        secure_names = {normal(name) for name in self.secure}
        name, secure = asked, True
        for _ in range(_MOST_ALIASES + 1):
            self._fail_if_told(name, rdtype, asked)
            secure &= name in secure_names
            records = zones.get(name, {})
            if not (alias := records.get("CNAME")):
                return self._last(name, tuple(records.get(rdtype, ())), secure, zones)
            name = normal(str(alias[0]))
        raise DnsError(f"{rdtype} of {asked}: its aliases (CNAME) have no end")

    def _last(
        self,
        name: str,
        records: tuple[Record, ...],
        secure: bool,
        zones: Mapping[str, object],
    ) -> Answer:
        kind = Kind.FOUND
        if not records:
            there = name in zones or any(each.endswith(f".{name}") for each in zones)
            kind = Kind.NO_DATA if there else Kind.NO_NAME
        now = self.clock.seconds() if self.clock else 0.0
        return Answer(
            kind=kind, records=records, secure=secure, canonical=name, expires=now + self.ttl
        )

    def _fail_if_told(self, name: str, rdtype: str, asked: str) -> None:
        text = self.failures.get((name, rdtype)) or self.failures.get(name)
        if text:
            raise DnsError(f"{rdtype} of {asked}: {text}")
