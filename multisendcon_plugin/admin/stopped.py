"""Answers for a relay that does not run, from its spool, which is left as it is.

The answers are those of `Operations`.  Here nothing has to be waited for.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

from .. import __version__
from ..events import Publisher
from ..history import stories
from ..mail.selection import Total
from ..operations.errors import RefusedError
from ..operations.json_form import encode, from_json, to_json
from ..operations.operations import Operations
from ..operations.stories import search_of
from ..operations.values import (
    AccountCounts,
    AccountStatus,
    Filter,
    HistoryFilter,
    SpoolStatus,
    Status,
)
from ..outcome.condition import Condition, State
from ..spool.stopped import StoppedSpool
from ..times import Time
from .at_once import answer, pieces
from .errors import NotRunningError, UnreachableError
from .owner import run_as_owner
from .terminal import warn


def queue(folder: Path, chosen: Mapping[str, str], limit: int | None) -> Iterator[bytes]:
    """Yield the rows of the queue, each a line of JSON."""
    with _reading(folder) as spool:
        listing = _operations(spool).listing(from_json(chosen, Filter), limit)
        for rows in pieces(listing):
            for row in rows:
                yield encode(row)


def message(folder: Path, id_: str) -> dict[str, Any]:
    """Return all that is known of a message in the queue."""
    with _reading(folder) as spool:
        found: dict[str, Any] = to_json(answer(_operations(spool).message(id_)))
        return found


def status(folder: Path) -> dict[str, Any]:
    """Return what waits, as the status of a relay that sends nothing."""
    with _reading(folder) as spool:
        totals = answer(spool.totals())
    oldest = [total.oldest for total in totals.values() if total.oldest is not None]
    stopped = Status(
        version=__version__,
        started=None,
        accepting=False,
        waiting=sum(total.waiting for total in totals.values()),
        held=sum(total.held for total in totals.values()),
        oldest=Time(min(oldest)) if oldest else None,
        accounts=tuple(_account(name, total) for name, total in totals.items()),
        alarms=(),
        history="off",
        front="none",
        spool=SpoolStatus(full=False, broken=False, error=""),
    )
    found: dict[str, Any] = to_json(stopped)
    return found


def _account(name: str, total: Total) -> AccountStatus:
    return AccountStatus(
        name=name,
        type="smtp",
        enabled=True,
        state=State.OFF,
        fault="the relay does not run",
        since=None,
        until=None,
        waiting=total.waiting,
        held=total.held,
        oldest=None if total.oldest is None else Time(total.oldest),
        active=0,
        connections=0,
        counts=AccountCounts(),
    )


def history(folder: Path, chosen: Mapping[str, str], limit: int | None) -> Iterator[bytes]:
    """Yield the stories of mails, each a line of JSON."""
    file = folder / "history.db"
    with _reading(folder):
        if not file.exists():
            raise RefusedError(f"{folder}: there is no history here; see keep in [history]")
        search = search_of(from_json(chosen, HistoryFilter), time.time())
        found = stories(file, search) if search else iter(())
        for story in islice(found, limit):
            yield encode(story)


@contextmanager
def _reading(folder: Path) -> Iterator[StoppedSpool]:
    """Say that it is the spool which answers, and what keeps it from that."""
    try:
        (folder / "spool.db").stat()
        warn(f"no relay runs here; this is what its spool says: {folder}")
        yield StoppedSpool(folder)
    except FileNotFoundError:
        raise NotRunningError(
            f"{folder}: no relay runs with this spool, and no mail is in it; name the"
            " configuration of the relay with --config=FILE, or start it: twistd multisendcon"
            " --config=FILE"
        ) from None
    except PermissionError as error:
        path = Path(error.filename or folder)
        raise UnreachableError(
            f"{path}: there is no right to read it; {run_as_owner(path)}"
        ) from None


class _Still:
    """The queue and the clock of a relay that does not run.

    :param names: of accounts.
    """

    seconds = staticmethod(time.time)

    def __init__(self, names: Iterable[str]) -> None:
        self._names = names

    def conditions(self) -> list[Condition]:
        """Return what keeps no account from sending but that there is no relay."""
        return [Condition(account=name, state=State.OK) for name in self._names]

    def under_way(self) -> frozenset[int]:
        """Return the numbers of the deliveries that are being tried."""
        return frozenset()


def _operations(spool: StoppedSpool) -> Operations:
    """Return operations that can look at the queue, and nothing else."""
    still: Any = _Still(answer(spool.totals()))
    view: Any = spool
    nothing: Any = None
    return Operations(
        version=__version__,
        events=Publisher(),
        queue=still,
        view=view,
        content=spool.content,
        registry=nothing,
        standing=nothing,
        clock=still,
        wall=time.time,
    )
