"""Values to rows and back: all the SQL on messages and deliveries.

Each function runs inside a transaction that is not its own; one that writes leaves nothing
behind but rows, so that it can be repeated after a rollback.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from sqlite3 import Connection
from typing import Any, NamedTuple

from ..mail.json_form import (
    LENGTH,
    Texts,
    decode,
    encode,
    envelope_of,
    recipient_of,
    recipients_text,
    untold_of,
)
from ..mail.message import FIRST_POSITION, Delivery, LaneKey, Message, Position
from ..outcome.settlement import AccountState, Settlement
from ..outcome.usage import Usage, UsageClock, UsageLog
from .keys import message_of, pieces, place, span

#: The only row of content that is in a file.
IN_A_FILE = b""

#: In two, so that many deliveries that are due at the same time are found by the index as well.
_WAITING = """
    SELECT * FROM delivery WHERE held = 0
        AND account = ?1 AND destination = ?2 AND due = ?3 AND id >= ?4
    UNION ALL
    SELECT * FROM delivery WHERE held = 0
        AND account = ?1 AND destination = ?2 AND due > ?3
    ORDER BY due, id LIMIT ?5
"""


class New(NamedTuple):
    """A new message as it is stored.

    :param texts: of its envelope and its deliveries, stored unread.
    """

    number: int
    content: bytes
    deliveries: tuple[Delivery, ...]
    texts: Texts


def add(connection: Connection, new: New) -> None:
    """Store a message; its content is `IN_A_FILE`, or fits in rows."""
    number, content, deliveries, (envelope, recipients) = new
    connection.executemany("INSERT INTO content VALUES (?, ?)", pieces(number, content))
    added = []
    for delivery, listed in zip(deliveries, recipients, strict=True):
        message = delivery.message
        added.append(
            (
                delivery.number,
                delivery.account,
                delivery.destination,
                delivery.due,
                listed,
                message.size,
                message.header_size,
                message.arrived,
                message.dots,
                envelope,
            )
        )
    connection.executemany(
        "INSERT INTO delivery VALUES (?, ?, ?, ?, 0, 0, 0, 0, '[]', 0, 0, '', ?, ?, ?, ?, ?, ?)",
        added,
    )


def settle(
    connection: Connection, settlement: Settlement, reports: Iterable[New]
) -> tuple[tuple[Delivery, ...], bool]:
    """Record what came of an attempt.

    A delivery that is settled already stays as it is, and is not reported again.

    :return: the deliveries of its reports, and whether the content has gone with it.
    """
    if settlement.account_state is not None:
        connection.execute(
            "INSERT INTO account VALUES (?, ?)"
            " ON CONFLICT (name) DO UPDATE SET state = excluded.state",
            (settlement.delivery.account, encode(settlement.account_state)),
        )
    if settlement.remaining is None:
        known = end(connection, settlement.delivery.number)
    else:
        known = change(connection, settlement.remaining)
    if not known:
        return (), False
    for part in settlement.parts:
        divide(connection, settlement.delivery.number, part)
    erased = settlement.remaining is None and erase(connection, settlement.delivery.message.number)
    made: tuple[Delivery, ...] = ()
    for new in reports:
        add(connection, new)
        made += new.deliveries
    return made, erased


def waiting(
    connection: Connection, lane: LaneKey, limit: int, since: Position = FIRST_POSITION
) -> tuple[Delivery, ...]:
    """Read the deliveries of a lane from a position on, the earliest due first."""
    rows = connection.execute(_WAITING, (*lane, *since, limit))
    return tuple(map(delivery_of, rows))


def lanes(connection: Connection) -> dict[LaneKey, int]:
    """Count the deliveries of each lane that has any."""
    counted = connection.execute(
        "SELECT account, destination, count(*) FROM delivery WHERE held = 0"
        " GROUP BY account, destination"
    )
    return {(account, destination): count for account, destination, count in counted}


def account_states(connection: Connection) -> dict[str, AccountState]:
    """Read the state of each account that has left any."""
    rows = connection.execute("SELECT name, state FROM account")
    return {name: decode(state) for name, state in rows}


def pauses(connection: Connection) -> dict[str, float]:
    """Read which accounts are paused, and since when."""
    return dict(connection.execute("SELECT account, since FROM pause"))


def pause(connection: Connection, account: str, since: float) -> None:
    """Note that an account is paused."""
    connection.execute("INSERT OR IGNORE INTO pause VALUES (?, ?)", (account, since))


def resume(connection: Connection, account: str) -> None:
    """Note that an account is not paused any more."""
    connection.execute("DELETE FROM pause WHERE account = ?", (account,))


def usage(connection: Connection) -> UsageLog:
    """Read what is known of the use of quotas."""
    clock = connection.execute("SELECT boot, ahead, wall FROM quota_clock").fetchone()
    rows = connection.execute("SELECT * FROM quota ORDER BY counted, name, number")
    return UsageLog(UsageClock(*clock) if clock else None, tuple(Usage(*row) for row in rows))


def count(connection: Connection, usages: Sequence[Usage], clock: UsageClock | None) -> None:
    """Write use of quotas down; all of it, if there is another clock."""
    if clock is not None:
        connection.execute("DELETE FROM quota")
        connection.execute("DELETE FROM quota_clock")
        connection.execute(
            "INSERT INTO quota_clock VALUES (?, ?, ?)", (clock.boot, clock.ahead, clock.wall)
        )
    connection.executemany(
        "INSERT OR REPLACE INTO quota VALUES (?, ?, ?, ?, ?)",
        [
            (each.name, each.number, each.counted, each.mails, each.recipients)
            for each in usages
            if each.mails
        ],
    )
    connection.executemany(
        "DELETE FROM quota WHERE name = ? AND number = ?",
        [(each.name, each.number) for each in usages if not each.mails],
    )


def bring_forward(connection: Connection, lane: LaneKey, latest: float) -> None:
    """Let no delivery of a lane be due later than that."""
    connection.execute(
        "UPDATE delivery SET due = ?"
        " WHERE held = 0 AND account = ? AND destination = ? AND due > ?",
        (latest, *lane, latest),
    )


def piece(connection: Connection, message: int, part: int) -> bytes | None:
    """Read one piece of a message's content."""
    row: tuple[bytes] | None = connection.execute(
        "SELECT data FROM content WHERE id = ?", (place(message, part),)
    ).fetchone()
    return None if row is None else row[0]


def begin(connection: Connection) -> tuple[bool, int]:
    """Take the store into use.

    :return: whether it was closed in good order, and the highest number that was in use.
    """
    (clean,) = connection.execute("SELECT value FROM meta WHERE name = 'clean'").fetchone()
    (last,) = connection.execute(
        "SELECT max(ifnull((SELECT max(id) FROM delivery), 0),"
        " ifnull((SELECT max(id) FROM content), 0))"
    ).fetchone()
    connection.execute("UPDATE meta SET value = 0 WHERE name = 'clean'")
    return bool(clean), message_of(last)


def is_waiting(connection: Connection, message: int) -> bool:
    """Tell whether a message has any delivery."""
    found = connection.execute("SELECT 1 FROM delivery WHERE id BETWEEN ? AND ?", span(message))
    return found.fetchone() is not None


def close(connection: Connection) -> None:
    """Note that the store is closed in good order."""
    connection.execute("UPDATE meta SET value = 1 WHERE name = 'clean'")


def end(connection: Connection, number: int) -> bool:
    """Remove a delivery; tell whether it was there."""
    ended = connection.execute("DELETE FROM delivery WHERE id = ?", (number,))
    return bool(ended.rowcount)


def erase(connection: Connection, message: int) -> bool:
    """Remove the content of a message that has no delivery any more; tell whether it had not."""
    keys = span(message)
    erased = connection.execute(
        "DELETE FROM content WHERE id BETWEEN ? AND ?"
        " AND NOT EXISTS (SELECT 1 FROM delivery WHERE id BETWEEN ? AND ?)",
        (*keys, *keys),
    )
    return bool(erased.rowcount)


def change(connection: Connection, remaining: Delivery) -> bool:
    """Make a delivery what remains of it; tell whether it was there.

    Whether it is held stays as it is: that is changed by `view` alone.
    """
    changed = connection.execute(
        "UPDATE delivery SET account = ?, destination = ?, due = ?, attempts = ?, tried_at = ?,"
        " waited = ?, tried = ?, uncertain = ?, warned = ?, last_reply = ?, recipients = ?"
        " WHERE id = ?",
        (
            remaining.account,
            remaining.destination,
            remaining.due,
            *_progress(remaining),
            remaining.number,
        ),
    )
    return bool(changed.rowcount)


def divide(connection: Connection, number: int, part: Delivery) -> None:
    """Add a delivery of the same message as another one, and held if that is."""
    connection.execute(
        "INSERT INTO delivery SELECT ?, ?, ?, ?, held, ?, ?, ?, ?, ?, ?, ?, ?,"
        " size, header_size, arrived, dots, envelope FROM delivery WHERE id = ?",
        (
            part.number,
            part.account,
            part.destination,
            part.due,
            *_progress(part),
            number,
        ),
    )


def _progress(delivery: Delivery) -> tuple[object, ...]:
    """Return the columns from ``attempts`` to ``recipients``."""
    return (
        delivery.attempts,
        delivery.tried_at,
        delivery.waited,
        encode(delivery.tried),
        delivery.uncertain,
        delivery.warned,
        delivery.last_reply,
        recipients_text(delivery.recipients, delivery.untold),
    )


def delivery_of(row: Sequence[Any]) -> Delivery:
    """Return the delivery that is in a row."""
    number, account, destination, due, held, attempts, tried_at, waited, tried, *more = row
    uncertain, warned, last_reply, listed, size, header_size, arrived, dots, envelope = more
    recipients = decode(listed)
    return Delivery(
        number=number,
        message=Message(
            number=message_of(number),
            envelope=envelope_of(decode(envelope)),
            size=size,
            header_size=header_size,
            arrived=arrived,
            dots=dots,
        ),
        account=account,
        destination=destination,
        recipients=tuple(recipient_of(*each) for each in recipients if len(each) == LENGTH),
        untold=tuple(untold_of(*each) for each in recipients if len(each) > LENGTH),
        due=due,
        attempts=attempts,
        tried_at=tried_at,
        waited=waited,
        tried=tuple(decode(tried)),
        uncertain=bool(uncertain),
        warned=bool(warned),
        last_reply=last_reply,
        held=bool(held),
    )
