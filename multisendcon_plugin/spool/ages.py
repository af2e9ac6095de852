"""Counts what waits by account and age, by the indexes alone: for a table that is looked at often.

Counted in pieces, as in `view`: each is some milliseconds, and others read between them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from sqlite3 import Connection
from typing import Any, NamedTuple

from . import view

#: How many of an account arrived between the moments that were asked for, see `ages`.
Ages = dict[str, tuple[int, ...]]


class _Index(NamedTuple):
    """An index of what waits, which begins with the account."""

    name: str
    held: int
    columns: str
    slots: str
    first: tuple[object, ...]


_INDEXES = (
    _Index("lane", 0, "account, destination, due", "?, ?, ?", view.FIRST_PLACE),
    _Index("held", 1, "account, id", "?, ?", ("", 0)),
)


async def ages(
    ask: Callable[[Callable[[Connection], Any]], Awaitable[Any]], moments: Sequence[float]
) -> Ages:
    """Return how many of each account arrived before the first moment, and then before each next.

    :param ask: runs one of the functions below in a transaction of its own.
    :param moments: in seconds since the epoch, rising.
    """
    found: Ages = {}
    bounds = await ask(partial(first_since, moments=moments))
    for index in _INDEXES:
        place: tuple[object, ...] | None = index.first
        while place is not None:
            counted, place = await ask(partial(_piece, index=index, after=place, bounds=bounds))
            for account, *counts in counted:
                known = found.get(account)
                found[account] = (
                    tuple(map(sum, zip(known, counts, strict=True))) if known else tuple(counts)
                )
    return found


def first_since(connection: Connection, moments: Sequence[float]) -> list[int]:
    """Return for each moment the least number of a delivery that arrived then or later.

    Numbers are given in the order of arrival, so that no index of times is needed.
    """
    last = view.last(connection)
    end = last + 1 if last else 0
    bounds: list[int] = []
    for moment in moments:
        low, high = bounds[-1] if bounds else 0, end
        while low < high:
            middle = (low + high) // 2
            number, arrived = connection.execute(
                "SELECT id, arrived FROM delivery NOT INDEXED WHERE id >= ? ORDER BY id LIMIT 1",
                (middle,),
            ).fetchone()
            if arrived < moment:
                low = number + 1
            else:
                high = middle
        bounds.append(low)
    return bounds


def _piece(
    connection: Connection, index: _Index, after: tuple[object, ...], bounds: Sequence[int]
) -> tuple[list[tuple[Any, ...]], tuple[object, ...] | None]:
    """Count a piece of an index; return what is counted by account, and where the piece ends."""
    name, held, columns, slots, _ = index
    source = f"delivery INDEXED BY {name} WHERE held = {held} AND ({columns}) > ({slots})"
    # What has the same place is in the same piece.
    end = connection.execute(
        f"SELECT {columns} FROM {source} ORDER BY {columns} LIMIT 1 OFFSET ?",  # noqa: S608
        (*after, view.COUNTED - 1),
    ).fetchone()
    until = "" if end is None else f" AND ({columns}) <= ({slots})"
    between = zip([0, *bounds], [*bounds, 2**63 - 1], strict=True)
    counts = ", ".join(f"sum(id >= {low} AND id < {high})" for low, high in between)
    counted = connection.execute(
        f"SELECT account, {counts} FROM {source}{until} GROUP BY account",  # noqa: S608
        (*after, *(end or ())),
    ).fetchall()
    return counted, end
