"""Reading the history: the SQL that finds stories, in pieces, in order of time.

Each question has a connection of its own: a file that was put aside meanwhile is not read any more.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from functools import partial
from json import loads
from pathlib import Path
from typing import TypeVar
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


def find(connection: sqlite3.Connection, search: Search, limit: int, after: Place) -> StoryPage:
    """Read a piece of the stories that are looked for.

    :param limit: how many at most; at least 1.
    """
    if search.number is not None:
        only = story(connection, search.number)
        return StoryPage((only,) if only and search.finds(only) else (), None)
    places, following = _places(connection, search, after)
    found: list[Story] = []
    for place in places:
        each = _there(connection, place)
        if each is None or not search.finds(each):
            continue
        found.append(each)
        if len(found) == limit:
            return StoryPage(tuple(found), place)
    return StoryPage(tuple(found), following)


def recent(connection: sqlite3.Connection, limit: int, before: Place) -> StoryPage:
    """Read a piece of all stories, the last first.

    :param limit: how many at most; at least 1.
    """
    places = connection.execute(
        "SELECT at, message FROM arrival WHERE (at, message) < (?, ?)"
        " ORDER BY at DESC, message DESC LIMIT ?",
        (*before, limit),
    ).fetchall()
    found = (_there(connection, place) for place in places)
    following = places[-1] if len(places) == limit else None
    return StoryPage(tuple(each for each in found if each is not None), following)


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
    connection: sqlite3.Connection, search: Search, after: Place
) -> tuple[list[Place], Place | None]:
    """Return which stories to look at, and where the next piece begins."""
    last = _END if search.until is None else _microseconds(search.until)
    if search.since is not None:
        after = max(after, (_microseconds(search.since), 0))
    mark = rarest(search)
    if mark is not None:
        (wanted,) = hashes([mark])
        return _marked(connection, wanted, after, last)
    places = connection.execute(
        "SELECT at, message FROM arrival WHERE (at, message) > (?, ?) AND at <= ?"
        " ORDER BY at, message LIMIT ?",
        (*after, last, LOOKED_AT),
    ).fetchall()
    return places, places[-1] if len(places) == LOOKED_AT else None


def _marked(
    connection: sqlite3.Connection, mark: int, after: Place, last: int
) -> tuple[list[Place], Place | None]:
    """Return the same of those that have a mark."""
    places, following = _sorted(connection, mark, after, last)
    fresh = connection.execute(
        "SELECT DISTINCT arrival.at, message FROM fresh CROSS JOIN arrival USING (at)"
        " WHERE hash = ?1 AND (at, message) > (?2, ?3) AND at <= ?4"
        " ORDER BY 1, 2 LIMIT ?5",
        (mark, *after, last, LOOKED_AT),
    )
    both = sorted({*places, *(each for each in fresh if following is None or each <= following)})
    if len(both) < LOOKED_AT:
        return both, following
    return both[:LOOKED_AT], both[LOOKED_AT - 1]


def _sorted(
    connection: sqlite3.Connection, mark: int, after: Place, last: int
) -> tuple[list[Place], Place | None]:
    """Look for a mark in each period that there is."""
    places: list[Place] = []
    period = after[0] >> PERIOD_BITS
    for _ in range(PERIODS_LOOKED_AT):
        begins = period << PERIOD_BITS
        wanted = (period << HASH_BITS) + mark
        row = connection.execute(
            "SELECT place FROM mark WHERE place >= ? ORDER BY place LIMIT 1", (wanted,)
        ).fetchone()
        if row is None or begins > last:
            return places, None
        (place,) = row
        if place == wanted:
            places += connection.execute(
                "SELECT arrival.at, message FROM mark"
                " CROSS JOIN arrival ON arrival.at = ?1 + mark.at"
                " WHERE place = ?2 AND mark.at >= ?3 - ?1"
                " AND (arrival.at, message) > (?3, ?4) AND arrival.at <= ?5"
                " ORDER BY 1, 2 LIMIT ?6",
                (begins, wanted, *after, last, LOOKED_AT - len(places)),
            )
            if len(places) == LOOKED_AT:
                return places, places[-1]
            period += 1
        else:
            # The next entry is of this period or a later one, and stands before the mark or behind.
            there = place >> HASH_BITS
            period = there + (place > (there << HASH_BITS) + mark)
    return places, (period << PERIOD_BITS, 0)


def _microseconds(seconds: float) -> int:
    return int(max(0.0, min(seconds * 1_000_000, _END)))
