"""The queue as an admin sees and changes it: the SQL on deliveries that are not asked for by lane.

Each function but `totals` runs inside a transaction that is not its own, and looks at so few rows
that neither reading nor writing of mail has to wait.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from math import inf
from sqlite3 import Connection
from typing import Any

import attrs

from ..mail.address import matching_form
from ..mail.message import Delivery
from ..mail.selection import Page, Selection, Total
from . import rows
from .keys import span

#: Rows that one piece of a listing looks at, whatever it finds: some milliseconds.
LOOKED_AT = 5000
#: Entries of the index that are counted at a time: some milliseconds as well.
COUNTED = 50_000
#: Pieces of the index, each of a lane, that are counted at a time: the same.
LANES = 100

_LAST = 2**63 - 1

#: Account, destination, due time: a place in the index of the lanes.
_Place = tuple[str, str, float]
#: Before all of them.
FIRST_PLACE: _Place = ("", "", -inf)

#: What is true of a delivery, by what a selection says.
_CONDITIONS = {
    "account": "account = :account",
    "destination": "destination = :destination",
    "sender": "matching_form(json_extract(envelope, '$[0]')) = :sender",
    # Longer lists are of recipients that are settled, but not told of: see schema.sql.
    "recipient": "EXISTS (SELECT 1 FROM json_each(recipients) WHERE json_array_length(value) = 4"
    " AND matching_form(json_extract(value, '$[0]')) = :recipient)",
    "held": "held = :held",
    "arrived_before": "arrived < :arrived_before",
    "arrived_since": "arrived >= :arrived_since",
}


def prepare(connection: Connection) -> None:
    """Let SQLite compare addresses as we do."""
    connection.create_function("matching_form", 1, matching_form, deterministic=True)


def find(connection: Connection, selection: Selection, limit: int, after: int) -> Page:
    """Read a piece of the deliveries that are selected, at most `limit`."""
    piece, following, where = _piece(connection, selection, after)
    found = connection.execute(
        f"SELECT * FROM delivery NOT INDEXED WHERE {where} ORDER BY id LIMIT :limit",  # noqa: S608
        {**piece, "limit": limit},
    )
    deliveries = tuple(map(rows.delivery_of, found))
    if len(deliveries) == limit:
        following = deliveries[-1].number
    return Page(deliveries, following)


def last(connection: Connection) -> int:
    """Return the greatest number of a delivery; 0: there is none."""
    (found,) = connection.execute("SELECT max(id) FROM delivery NOT INDEXED").fetchone()
    return found or 0


def _piece(
    connection: Connection, selection: Selection, after: int
) -> tuple[dict[str, Any], int | None, str]:
    """Return what a piece is asked by, where the next one begins, and the condition."""
    first, last = (0, _LAST) if selection.message is None else span(selection.message)
    first = max(first, after + 1)
    # By id, not by lane: an index would have to be sorted anew for each piece.
    row = connection.execute(
        "SELECT id FROM delivery NOT INDEXED WHERE id BETWEEN ? AND ? ORDER BY id LIMIT 1 OFFSET ?",
        (first, last, LOOKED_AT - 1),
    ).fetchone()
    following = None if row is None else int(row[0])
    said = {
        name: matching_form(value) if name in ("sender", "recipient") else value
        for name, value in attrs.asdict(selection).items()
        if name in _CONDITIONS and value is not None
    }
    where = " AND ".join(["id BETWEEN :first AND :last", *(_CONDITIONS[name] for name in said)])
    return {**said, "first": first, "last": following or last}, following, where


async def totals(
    ask: Callable[[Callable[[Connection], Any]], Awaitable[Any]],
) -> dict[str, Total]:
    """Return what waits for each account; others read between the pieces.

    :param ask: runs one of the functions below in a transaction of its own.
    """
    found: dict[str, Total] = await ask(held)
    place: _Place | None = FIRST_PLACE
    while place is not None:
        counted, place = await ask(partial(some, after=place))
        for account, total in counted:
            known = found.get(account)
            found[account] = known.plus(total) if known else total
    return found


def direct(connection: Connection, accounts: Iterable[str]) -> frozenset[str]:
    """Return which of some accounts have mail by destination: they are of the type direct."""
    # By the indexes, of which one has what is held.
    query = (
        "SELECT 1 FROM delivery WHERE held = 0 AND account = ?1 AND destination > ''"
        " UNION ALL"
        " SELECT 1 FROM delivery WHERE held = 1 AND account = ?1 AND destination > '' LIMIT 1"
    )
    return frozenset(each for each in accounts if connection.execute(query, (each,)).fetchone())


def some(connection: Connection, after: _Place) -> tuple[list[tuple[str, Total]], _Place | None]:
    """Return what waits in some lanes: to ask for each would take longer than to count it.

    :return: what is counted, and where it ends; ``None``: there are no more.
    """
    found: list[tuple[str, Total]] = []
    left = COUNTED
    while left > 0 and len(found) < LANES:
        piece = _lane(connection, after)
        if piece is None:
            return found, None
        counted, after = piece
        found.append(counted)
        left -= counted[1].waiting
    return found, after


def _lane(connection: Connection, after: _Place) -> tuple[tuple[str, Total], _Place] | None:
    """Return a piece of what waits, by the index alone.

    :param after: where the piece before has ended.
    :return: the account, what is counted of it, and where the piece ends; ``None``: there are no
        more.
    """
    found = connection.execute(
        "SELECT account, destination, due FROM delivery INDEXED BY lane WHERE held = 0"
        " AND (account, destination, due) > (?, ?, ?) ORDER BY account, destination, due LIMIT 1",
        after,
    ).fetchone()
    if found is None:
        return None
    account, destination, _ = found
    # What is due at the same time is in the same piece.
    last = connection.execute(
        "SELECT due FROM delivery INDEXED BY lane WHERE held = 0 AND account = ? AND"
        " destination = ? AND due >= ? ORDER BY due LIMIT 1 OFFSET ?",
        (*found, COUNTED - 1),
    ).fetchone()
    due = inf if last is None else float(last[0])
    count, first = connection.execute(
        "SELECT count(*), min(id) FROM delivery INDEXED BY lane WHERE held = 0 AND account = ? AND"
        " destination = ? AND due >= ? AND due <= ?",
        (*found, due),
    ).fetchone()
    return (account, Total(count, 0, _arrived(connection, first))), (account, destination, due)


def held(connection: Connection) -> dict[str, Total]:
    """Return what is held of each account."""
    found = connection.execute(
        "SELECT account, count(*) FROM delivery INDEXED BY held WHERE held = 1 GROUP BY account"
    )
    return {account: Total(0, count, None) for account, count in found}


def _arrived(connection: Connection, first: int) -> float:
    """Return when the first of some deliveries has arrived: numbers are given in that order."""
    row = connection.execute("SELECT arrived FROM delivery WHERE id = ?", (first,)).fetchone()
    return float(row[0])


def read(connection: Connection, numbers: Iterable[int]) -> tuple[Delivery, ...]:
    """Read the deliveries that are still there of some."""
    found = []
    for number in numbers:
        row = connection.execute("SELECT * FROM delivery WHERE id = ?", (number,)).fetchone()
        if row is not None:
            found.append(rows.delivery_of(row))
    return tuple(found)


def hold(connection: Connection, numbers: Iterable[int]) -> tuple[Delivery, ...]:
    """Hold deliveries; return those that were not held."""
    return _changed(connection, "UPDATE delivery SET held = 1 WHERE held = 0 AND id = ?", numbers)


def release(connection: Connection, numbers: Iterable[int]) -> tuple[Delivery, ...]:
    """Let deliveries wait in their lanes again; return those that were held."""
    return _changed(connection, "UPDATE delivery SET held = 0 WHERE held = 1 AND id = ?", numbers)


def retry(connection: Connection, numbers: Iterable[int], due: float) -> tuple[Delivery, ...]:
    """Let deliveries be due by then; return those that are not held."""
    return _changed(
        connection,
        "UPDATE delivery SET due = min(due, ?1) WHERE held = 0 AND id = ?2",
        numbers,
        due,
    )


def _changed(
    connection: Connection, statement: str, numbers: Iterable[int], *values: float
) -> tuple[Delivery, ...]:
    changed = [
        number for number in numbers if connection.execute(statement, (*values, number)).rowcount
    ]
    return read(connection, changed)
