"""Answers for a relay that does not run, from its spool, which is left as it is.

The answers are like those of `Operations`.  Here nothing has to be waited for.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

from twisted.internet.task import Clock

from .. import __version__
from ..events import Publisher
from ..history import stories
from ..mail.selection import Total
from ..operations.errors import RefusedError
from ..operations.filters import search_of
from ..operations.json_form import encode, from_json, to_json
from ..operations.pieces import Pieces
from ..operations.rows import Present
from ..operations.values import (
    AccountCounts,
    AccountStatus,
    Filter,
    HistoryFilter,
    SpoolStatus,
    Status,
)
from ..operations.waiting_mail import WaitingMail
from ..outcome.condition import Condition, State
from ..routing.account import AccountType
from ..spool.stopped import StoppedSpool
from ..times import Time
from .at_once import answer, pieces
from .errors import NotRunningError, UnreachableError
from .owner import run_as_owner
from .terminal import warn


def queue(folder: Path, chosen: Mapping[str, str], limit: int | None) -> Iterator[bytes]:
    """Yield the rows of the queue, each a line of JSON."""
    with _reading(folder) as spool:
        listing = _mail(spool).listing(from_json(chosen, Filter), limit, after="")
        for rows in pieces(listing):
            for row in rows:
                yield encode(row)


def message(folder: Path, id_: str) -> dict[str, Any]:
    """Return all that is known of a message in the queue."""
    with _reading(folder) as spool:
        found: dict[str, Any] = to_json(answer(_mail(spool).message(id_)))
        return found


def status(folder: Path) -> dict[str, Any]:
    """Return what waits, as the status of a relay that sends nothing."""
    with _reading(folder) as spool:
        totals = answer(spool.totals())
        direct = answer(spool.direct(totals))
    oldest = [total.oldest for total in totals.values() if total.oldest is not None]
    stopped = Status(
        version=__version__,
        started=None,
        accepting=False,
        waiting=sum(total.waiting for total in totals.values()),
        held=sum(total.held for total in totals.values()),
        oldest=Time(min(oldest)) if oldest else None,
        accounts=tuple(
            _account(name, total, direct=name in direct) for name, total in totals.items()
        ),
        alarms=(),
        history="off",
        front="none",
        spool=SpoolStatus(full=False, broken=False, error=""),
    )
    found: dict[str, Any] = to_json(stopped)
    return found


def _account(name: str, total: Total, *, direct: bool) -> AccountStatus:
    return AccountStatus(
        name=name,
        type=(AccountType.DIRECT if direct else AccountType.SMTP).value,
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


def _mail(spool: StoppedSpool) -> WaitingMail:
    # Nothing keeps an account from sending but that there is no relay; and no mail has to be given
    # way to, for which a clock would be looked at.
    names = answer(spool.totals())
    conditions = {name: Condition(account=name, state=State.OK) for name in names}
    return WaitingMail(
        pieces=Pieces(spool, Publisher(), Clock()),
        content=spool.content,
        present=lambda: Present(conditions.get, under_way=frozenset(), rest=lambda *_: None),
        now=time.time,
    )
