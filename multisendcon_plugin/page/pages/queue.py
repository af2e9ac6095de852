"""The page Queue: how long mail waits for each account, and the deliveries that a filter admits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import aclosing

import attrs

from ...operations.ages import AGES, AccountAges
from ...operations.errors import BadRequestError
from ...operations.values import DeliveryState, Filter, WaitingDelivery
from ..answers import Answer, Asked, Shown
from ..filters import address, filter_of, said

#: Deliveries of one page; some more, if a mail has several.
ROWS = 50
#: Accounts of the table that are shown one by one: those with the most mail.
ACCOUNTS = 25
#: Head of each column of the table, and the fields of a filter that admits what is in it.
_COLUMNS: Sequence[tuple[str, dict[str, str]]] = [
    *(
        (label, {"older_than": older, "younger_than": younger})
        for label, older, younger in zip(
            ("to 5 min", "to 15 min", "to 1 h", "to 4 h", "to 1 d"),
            ("", *AGES),
            AGES,
            strict=False,
        )
    ),
    ("older", {"older_than": [*AGES][-1]}),
]


@attrs.frozen
class Cell:
    """A number of the table.

    :param to: the address of the list of what is counted.
    """

    count: int
    to: str


@attrs.frozen
class Row:
    """A row of the table.

    :param account: ``""``: of all accounts.
    """

    account: str
    cells: tuple[Cell, ...]
    total: Cell


async def show(asked: Asked) -> Answer:
    """Show it."""
    fields, after = said(asked.query, Filter), asked.query.get("after", "")
    rows: list[WaitingDelivery] = []
    trouble = ""
    try:
        rows = await _found(asked, filter_of(asked.query, Filter), after)
    except BadRequestError as error:
        trouble = str(error)
    ages = await asked.operations.ages()
    values = {
        "fields": fields,
        "filter": address("", fields),
        "states": [each.value for each in DeliveryState],
        "columns": [label for label, _ in _COLUMNS],
        "table": [_row(each.account, each.counts) for each in _shown(ages, fields)],
        "all": _row("", [sum(some) for some in zip(*(each.counts for each in ages), strict=True)]),
        "left_out": max(len(ages) - ACCOUNTS, 0),
        "rows": rows,
        "trouble": trouble,
        "first": address("/queue", fields) if after else "",
        "next": (address("/queue", fields | {"after": rows[-1].id}) if len(rows) >= ROWS else ""),
        "accounts": asked.operations.enabled_accounts(),
    }
    return Shown(template="queue.html", values=values, status=422 if trouble else 200)


async def _found(asked: Asked, wanted: Filter, after: str) -> list[WaitingDelivery]:
    found: list[WaitingDelivery] = []
    async with aclosing(asked.operations.listing(wanted, ROWS, after)) as pieces:
        async for piece in pieces:
            found += piece
    return found


def _shown(ages: Sequence[AccountAges], fields: dict[str, str]) -> Iterator[AccountAges]:
    """Yield the accounts that have rows: those with the most mail, and the one of the filter."""
    yield from ages[:ACCOUNTS]
    yield from (each for each in ages[ACCOUNTS:] if each.account == fields.get("account"))


def _row(account: str, counts: Sequence[int]) -> Row:
    of_account = {"account": account} if account else {}
    counts = counts or [0] * len(_COLUMNS)
    cells = [
        Cell(count, address("/queue", of_account | {k: v for k, v in column.items() if v}))
        for count, (_, column) in zip(counts, _COLUMNS, strict=True)
    ]
    return Row(account, tuple(cells), Cell(sum(counts), address("/queue", of_account)))
