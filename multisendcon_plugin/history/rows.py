"""The SQL that writes the history.

Each function runs inside a transaction that is not its own.  A batch is handed to SQLite as one
text of JSON for each table: with a statement for each row, the interpreter's lock would be given
away and asked for again thousands of times, while mails want it.  https://sqlite.org/json1.html
"""

from __future__ import annotations

from json import JSONEncoder, loads
from sqlite3 import Connection

from .marks import HASH_BITS, PERIOD_BITS, hashes
from .records import QUEUED, Batch

#: Fresh marks, all of which each search looks at: 10 ms.
MOST_FRESH = 100_000
#: Pieces that a message may have.
PIECES = 65_536

_LAST_PIECES = """
    SELECT json_group_array((
        SELECT max(id) FROM piece WHERE id BETWEEN value * ?2 AND value * ?2 + ?2 - 1
    )) FROM json_each(?1)
"""
_ADD_PIECES = "INSERT OR IGNORE INTO piece SELECT key, value FROM json_each(?)"
_ADD_ARRIVALS = """
    INSERT OR IGNORE INTO arrival SELECT value, CAST(key AS INTEGER) FROM json_each(?)
"""
_ADD_MARKS = """
    INSERT INTO fresh SELECT mark.value, CAST(story.key AS INTEGER)
    FROM json_each(?) AS story, json_each(story.value) AS mark
"""
_SORT_MARKS = """
    INSERT OR IGNORE INTO mark
    SELECT (at >> ?1 << ?2) + hash, at & (1 << ?1) - 1 FROM fresh ORDER BY 1, 2
"""
_OLD = "SELECT at, message FROM arrival WHERE at < ?1 ORDER BY at LIMIT ?2"
_OLD_PIECES = f"""
    DELETE FROM piece WHERE id IN (
        SELECT id FROM ({_OLD}) JOIN piece ON id BETWEEN message * ?3 AND message * ?3 + ?3 - 1
    )
"""  # noqa: S608
_OLD_ARRIVALS = f"DELETE FROM arrival WHERE (at, message) IN ({_OLD})"  # noqa: S608
_OLD_MARKS = """
    DELETE FROM mark WHERE (place, at) IN (SELECT place, at FROM mark WHERE place < ?1 LIMIT ?2)
"""

_encode = JSONEncoder(separators=(",", ":")).encode


def add(connection: Connection, batch: Batch) -> None:
    """Write a batch; a story that has not begun does so with what the queue knows."""
    news = batch.news
    known = [number for number, each in news.items() if not each.accepted]
    last: list[int | None] = []
    if known:
        last = loads(connection.execute(_LAST_PIECES, (_encode(known), PIECES)).fetchone()[0])
    places = dict(zip(known, last, strict=True))
    pieces: dict[int, object] = {}
    arrivals: dict[int, int] = {}
    marks: dict[int, list[int]] = {}
    for number, each in news.items():
        first = number * PIECES
        # Piece 0 stays free for an arrival that is told late.
        place = first if each.accepted else (places[number] or first) + 1
        if place == first or places[number] is None:
            arrivals[number] = each.arrived
        if place == first + PIECES:
            continue  # no retry schedule comes to that
        if place == first + 1 and places[number] is None:
            batch.begin(each, QUEUED, (each.delivery,))
        pieces[place] = each.records
        if each.marks:
            marks.setdefault(each.arrived, []).extend(hashes(each.marks))
    connection.execute(_ADD_PIECES, (_encode(pieces),))
    if arrivals:
        connection.execute(_ADD_ARRIVALS, (_encode(arrivals),))
    if marks:
        connection.execute(_ADD_MARKS, (_encode(marks),))


def sort(connection: Connection) -> None:
    """Sort the fresh marks into the others, if there are many."""
    (fresh,) = connection.execute("SELECT max(rowid) FROM fresh").fetchone()
    if fresh and fresh >= MOST_FRESH:
        connection.execute(_SORT_MARKS, (PERIOD_BITS, HASH_BITS))
        connection.execute("DELETE FROM fresh")


def prune(connection: Connection, before: float, most: int) -> bool:
    """Forget some of what arrived before then.

    :param most: so many messages, and marks.
    :return: there may be more.
    """
    at = int(before * 1_000_000)
    connection.execute(_OLD_PIECES, (at, most, PIECES))
    messages = connection.execute(_OLD_ARRIVALS, (at, most)).rowcount
    marks = connection.execute(_OLD_MARKS, (at >> PERIOD_BITS << HASH_BITS, most)).rowcount
    return most in (messages, marks)
