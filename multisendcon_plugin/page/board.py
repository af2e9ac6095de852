"""The overview as it is written for people: alarms, facts of the relay, rows of accounts.

What changes from second to second is a cell with a name, by which the live stream changes it.  All
else is the shape of the board: when that changes, the board is written anew.  Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from ..operations.overview import Overview
from ..operations.parts import Part
from ..operations.values import AccountStatus, Alarm, Quota, Status
from ..outcome.condition import State
from ..times import Time
from .filters import address_of_part
from .graphs import bars
from .wording import about, count, moment, visible

#: What is not known.
_UNKNOWN = "…"


@attrs.frozen(kw_only=True)
class Fact:
    """Something that is so of the relay.

    :param key: the name of its cell.
    :param bad: it should not be so.
    """

    key: str
    title: str
    text: str
    bad: bool = False


@attrs.frozen(kw_only=True)
class Row:
    """An account.

    :param cells: texts, and the path of the graph, by the name of their column.
    """

    name: str
    state: State
    cells: Mapping[str, str]


@attrs.frozen(kw_only=True)
class Board:
    """What is to be seen.

    :param states: in which there are accounts, and how many, with what leads to them.
    """

    alarms: tuple[Alarm, ...]
    facts: tuple[Fact, ...]
    states: tuple[tuple[State, int, str], ...]
    rows: tuple[Row, ...]
    found: int
    page: int
    pages: int
    before: str
    after: str

    @property
    def shape(self) -> Any:
        """What no cell has."""
        return (
            self.alarms,
            [(each.key, each.bad) for each in self.facts],
            [state for state, _, _ in self.states],
            [(each.name, each.state) for each in self.rows],
            (self.found, self.page, self.pages),
        )

    @property
    def cells(self) -> dict[str, str]:
        """The texts of all cells, by name."""
        found = {f"fact-{each.key}": each.text for each in self.facts}
        found |= {f"state-{state.value}": count(number) for state, number, _ in self.states}
        for place, row in enumerate(self.rows):
            found |= {f"{place}-{name}": text for name, text in row.cells.items()}
        return found


def changed(before: Board, now: Board) -> dict[str, str] | None:
    """Return the cells that have another text; ``None``: the board has another shape."""
    if before.shape != now.shape:
        return None
    known = before.cells
    return {name: text for name, text in now.cells.items() if known[name] != text}


def board(overview: Overview, part: Part, now: Time) -> Board:
    """Write an overview for people."""
    status, page = overview.status, overview.page
    waits = overview.counted
    return Board(
        alarms=status.alarms,
        facts=_facts(status, now, counted=waits),
        states=tuple(
            (state, overview.states[state], address_of_part("/", part, state=state, page=1))
            for state in State
            if overview.states.get(state)
        ),
        rows=tuple(
            _row(each, overview.by_minute.get(each.name, ()), now, counted=waits)
            for each in status.accounts
        ),
        found=overview.found,
        page=page,
        pages=overview.pages,
        before=address_of_part("/", part, page=page - 1) if page > 1 else "",
        after=address_of_part("/", part, page=page + 1) if page < overview.pages else "",
    )


def _facts(status: Status, now: Time, *, counted: bool) -> tuple[Fact, ...]:
    spool = status.spool
    health = "broken" if spool.broken else "full" if spool.full else "ok"
    return (
        Fact(
            key="accepting",
            title="New mail",
            text="accepted" if status.accepting else "not accepted",
            bad=not status.accepting,
        ),
        Fact(key="waiting", title="Waiting", text=count(status.waiting) if counted else _UNKNOWN),
        Fact(key="held", title="Held", text=count(status.held) if counted else _UNKNOWN),
        Fact(
            key="oldest",
            title="Oldest",
            text=_age(status.oldest, now, "none") if counted else _UNKNOWN,
        ),
        Fact(
            key="spool",
            title="Spool",
            text=f"{health}: {spool.error}" if spool.error else health,
            bad=spool.broken or spool.full,
        ),
        Fact(
            key="front",
            title="Front process",
            text=status.front,
            bad=status.front == "restarting",
        ),
        Fact(
            key="history",
            title="History",
            text=status.history,
            bad=status.history not in ("on", "off"),
        ),
        Fact(key="started", title="Running for", text=_age(status.started, now, "")),
    )


def _row(account: AccountStatus, by_minute: tuple[int, ...], now: Time, *, counted: bool) -> Row:
    counts = account.counts
    cells = {
        "reason": _reason(account),
        "until": _until(account, now),
        "waiting": count(account.waiting) if counted else _UNKNOWN,
        "held": f"{count(account.held)} held" if account.held else "",
        "oldest": _age(account.oldest, now, "") if counted else _UNKNOWN,
        "rate": f"{counts.rate:.1f}" if counts.rate else "0",
        "most": f"most {count(max(by_minute))}" if any(by_minute) else "",
        "graph": bars(by_minute),
        "success": _age(counts.last_success, now, ""),
        "quota": "; ".join(map(_quota, account.quota)),
    }
    return Row(name=account.name, state=account.state, cells=cells)


def _reason(account: AccountStatus) -> str:
    parts = [account.fault]
    if account.login and account.login.trouble and account.login.trouble != account.fault:
        parts.append(account.login.trouble)
    if account.resting_destinations:
        parts.append(f"{count(account.resting_destinations)} destinations rest")
    return visible("; ".join(filter(None, parts)))


def _until(account: AccountStatus, now: Time) -> str:
    if account.until is not None and account.until > now:
        return f"{moment(account.until)[11:16]} UTC, in {about(account.until - now)}"
    return ""


def _quota(quota: Quota) -> str:
    left = _UNKNOWN if quota.left is None else count(quota.left)
    return f"{left} left of {quota.quota}"


def _age(time: Time | None, now: Time, none: str) -> str:
    return none if time is None else about(max(0.0, now - time))
