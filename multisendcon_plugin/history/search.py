"""Reading the history: the SQL that finds stories, in pieces, in order of time.

Each question has a connection of its own: a file that was put aside meanwhile is not read any more.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from functools import partial
from json import loads
from pathlib import Path
from typing import NamedTuple, TypeVar
from urllib.parse import quote

from ..errors import HistoryError
from ..spool import at_rest
from ..spool.numbering import WRITERS
from .marks import HASH_BITS, PERIOD_BITS, hashes, rarest
from .rows import PIECES
from .store import VERSION
from .story import FIRST_PLACE, LAST_PLACE, Place, Search, Story, StoryPage
from .telling import story_of

T = TypeVar("T")

#: Stories, and periods, that one piece of a listing looks at, whatever it finds: some milliseconds.
LOOKED_AT, PERIODS_LOOKED_AT = 200, 20_000

_END, _ = LAST_PLACE


class _NotBegunError(HistoryError):
    """The file is there, but there is nothing in it yet."""


def read_only(file: Path) -> sqlite3.Connection:
    """Connect to the history of a relay that runs, without changing it.

    :raise sqlite3.Error: it cannot be read.
    :raise HistoryError: it is of another version.
    """
    address = f"file:{quote(str(file))}?mode=ro"
    connection = sqlite3.connect(address, uri=True, isolation_level=None)
    try:
        _check_version(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def stories(file: Path, search: Search, after: int | None = None) -> Iterator[Story]:
    """Iterate over the stories that are looked for, in order of time, read as they are asked for.

    For a relay that does not run; its history is left as it is, see `at_rest`.

    :param file: ``history.db``; if it is not there, there are no stories.
    :param after: leave out those up to that of the message with this number.
    :raise OSError: there is no right to read it.
    :raise SpoolError: it cannot be read.
    :raise HistoryError: it is of another version.
    """

    def ask(question: Callable[[sqlite3.Connection], T]) -> T:
        return at_rest.ask(file, partial(_checked, question))

    if not file.exists():
        return
    place: Place | None = FIRST_PLACE
    try:
        if after is not None:
            place = ask(partial(place_of, number=after))
        while place is not None:
            page = ask(partial(find, search=search, limit=LOOKED_AT, after=place))
            yield from page.stories
            place = page.after
    except _NotBegunError:
        return


def _checked(question: Callable[[sqlite3.Connection], T], connection: sqlite3.Connection) -> T:
    _check_version(connection)
    return question(connection)


def _check_version(connection: sqlite3.Connection) -> None:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if not version:
        raise _NotBegunError("the history begins only now; ask again in a second")
    if version != VERSION:
        raise HistoryError(
            f"the history has schema {version}, and this multisendcon reads {VERSION}"
        )


class Way(NamedTuple):
    """A direction in which stories are listed.

    :param step: to the next period.
    :param behind: how a place compares with one that is left out, and `until` with the last one.
    :param order: of SQL.
    """

    start: Place
    step: int
    behind: str
    until: str
    order: str


FORWARD = Way(FIRST_PLACE, 1, ">", "<=", "ASC")
#: The newest first.
BACKWARD = Way(LAST_PLACE, -1, "<", ">=", "DESC")


def find(
    connection: sqlite3.Connection,
    search: Search,
    limit: int,
    after: Place,
    way: Way = FORWARD,
) -> StoryPage:
    """Read a piece of the stories that are looked for.

    :param limit: how many at most; at least 1.
    """
    if search.number is not None:
        only = story(connection, search.number)
        return StoryPage((only,) if only and search.finds(only) else (), None)
    places, following = _places(connection, search, after, way)
    found: list[Story] = []
    for place in places:
        each = _there(connection, place)
        if each is None or not search.finds(each):
            continue
        found.append(each)
        if len(found) == limit:
            return StoryPage(tuple(found), place)
    return StoryPage(tuple(found), following)


def _there(connection: sqlite3.Connection, place: Place) -> Story | None:
    """Read the story that stands in a place."""
    at, number = place
    each = story(connection, number)
    # One that had to be begun a second time, with another clock, stands in two places.
    return each if each is not None and _microseconds(each.arrived) == at else None


def story(connection: sqlite3.Connection, number: int) -> Story | None:
    """Read the story of one message."""
    first = number * PIECES
    rows = connection.execute(
        "SELECT records FROM piece WHERE id BETWEEN ? AND ? ORDER BY id",
        (first, first + PIECES - 1),
    ).fetchall()
    try:
        return story_of(number, [record for (records,) in rows for record in loads(records)])
    except (ValueError, TypeError, LookupError):
        return None  # a page that is damaged, and SQLite did not see it


def place_of(connection: sqlite3.Connection, number: int) -> Place:
    """Return where the story of a message stands, or stood."""
    known = story(connection, number)
    # Its number is the time when its transfer began, in milliseconds: see `spool.numbering`.
    at = number // WRITERS * 1000 if known is None else _microseconds(known.arrived)
    return at, number


def newest(connection: sqlite3.Connection) -> Place:
    """Return the place of the last story; `FIRST_PLACE`: there is none."""
    found = connection.execute(
        "SELECT at, message FROM arrival ORDER BY at DESC, message DESC LIMIT 1"
    ).fetchone()
    return found or FIRST_PLACE


def _places(
    connection: sqlite3.Connection, search: Search, after: Place, way: Way
) -> tuple[list[Place], Place | None]:
    """Return which stories to look at, and where the next piece begins."""
    first = 0 if search.since is None else _microseconds(search.since)
    last = _END if search.until is None else _microseconds(search.until)
    if way is FORWARD:
        after, end = max(after, (first, 0)), last
    else:
        after, end = min(after, (last, _END), _behind_all(connection)), first
    mark = rarest(search)
    if mark is not None:
        (wanted,) = hashes([mark])
        return _marked(connection, wanted, after, end, way)
    places = connection.execute(
        f"SELECT at, message FROM arrival WHERE (at, message) {way.behind} (?, ?)"  # noqa: S608
        f" AND at {way.until} ? ORDER BY at {way.order}, message {way.order} LIMIT ?",
        (*after, end, LOOKED_AT),
    ).fetchall()
    return places, places[-1] if len(places) == LOOKED_AT else None


def _behind_all(connection: sqlite3.Connection) -> Place:
    """Return a place behind that of the last story: who goes backward begins with its period."""
    at, _ = newest(connection)
    return at, _END


def _marked(
    connection: sqlite3.Connection, mark: int, after: Place, end: int, way: Way
) -> tuple[list[Place], Place | None]:
    """Return the same of those that have a mark."""
    places, following = _sorted(connection, mark, after, end, way)
    fresh = connection.execute(
        "SELECT DISTINCT arrival.at, message FROM fresh CROSS JOIN arrival USING (at)"  # noqa: S608
        f" WHERE hash = ?1 AND (at, message) {way.behind} (?2, ?3)"
        f" AND at {way.until} ?4 ORDER BY 1 {way.order}, 2 {way.order} LIMIT ?5",
        (mark, *after, end, LOOKED_AT),
    )
    both = {*places, *(each for each in fresh if following is None or _up_to(each, following, way))}
    found = sorted(both, reverse=way is BACKWARD)
    if len(found) < LOOKED_AT:
        return found, following
    return found[:LOOKED_AT], found[LOOKED_AT - 1]


def _up_to(place: Place, last: Place, way: Way) -> bool:
    return place <= last if way is FORWARD else place >= last


def _sorted(
    connection: sqlite3.Connection, mark: int, after: Place, end: int, way: Way
) -> tuple[list[Place], Place | None]:
    """Look for a mark in each period that there is."""
    places: list[Place] = []
    period, last = after[0] >> PERIOD_BITS, end >> PERIOD_BITS
    within = ">=" if way is FORWARD else "<="
    for _ in range(PERIODS_LOOKED_AT):
        begins = period << PERIOD_BITS
        wanted = (period << HASH_BITS) + mark
        row = connection.execute(
            f"SELECT place FROM mark WHERE place {within} ? ORDER BY place {way.order}"  # noqa: S608
            " LIMIT 1",
            (wanted,),
        ).fetchone()
        if row is None or (period - last) * way.step > 0:
            return places, None
        (place,) = row
        if place == wanted:
            places += connection.execute(
                "SELECT arrival.at, message FROM mark"  # noqa: S608
                " CROSS JOIN arrival ON arrival.at = ?1 + mark.at"
                f" WHERE place = ?2 AND mark.at {within} ?3 - ?1"
                f" AND (arrival.at, message) {way.behind} (?3, ?4) AND arrival.at {way.until} ?5"
                f" ORDER BY 1 {way.order}, 2 {way.order} LIMIT ?6",
                (begins, wanted, *after, end, LOOKED_AT - len(places)),
            )
            if len(places) == LOOKED_AT:
                return places, places[-1]
            period += way.step
        else:
            # The next entry is of this period or one behind it, and stands before the mark or
            # after it.
            there = place >> HASH_BITS
            passed = (place - (there << HASH_BITS) - mark) * way.step > 0
            period = there + way.step * passed
    # Nothing of that period has been looked at.
    if way is FORWARD:
        return places, (period << PERIOD_BITS, 0)
    return places, ((period + 1 << PERIOD_BITS) - 1, _END)


def _microseconds(seconds: float) -> int:
    return int(max(0.0, min(seconds * 1_000_000, _END)))
