"""Values to rows and back: all the SQL on messages and deliveries.

Each function runs inside a transaction that is not its own; one that writes leaves nothing
behind but rows, so that it can be repeated after a rollback.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from sqlite3 import Connection
from typing import Any

from ..mail.dsn import Return
from ..mail.envelope import Client, Envelope
from ..mail.json_form import LENGTH, plain, plain_untold, recipient_of, untold_of
from ..mail.message import FIRST_POSITION, Delivery, LaneKey, Message, Position
from ..outcome.settlement import AccountState, Settlement
from .keys import message_of, pieces, place, span

#: A new message as it is stored: its number, its content and its deliveries.
New = tuple[int, bytes, tuple[Delivery, ...]]

#: The only row of content that is in a file.
IN_A_FILE = b""

#: In two, so that many deliveries that are due at the same time are found by the index as well.
_WAITING = """
    SELECT * FROM delivery WHERE held = 0
        AND account = :account AND destination = :destination AND due = :due AND id >= :id
    UNION ALL
    SELECT * FROM delivery WHERE held = 0
        AND account = :account AND destination = :destination AND due > :due
    ORDER BY due, id LIMIT :n
"""


def add(connection: Connection, new: New) -> None:
    """Store a message whose content fits in rows."""
    number, content, deliveries = new
    for part, data in enumerate(pieces(content)):
        _add_piece(connection, place(number, part), data)
    _add_deliveries(connection, deliveries)


def add_filed(connection: Connection, message: int, deliveries: tuple[Delivery, ...]) -> None:
    """Store a message whose content is in a file."""
    _add_piece(connection, place(message, 0), IN_A_FILE)
    _add_deliveries(connection, deliveries)


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
            (settlement.delivery.account, json.dumps(settlement.account_state)),
        )
    if settlement.remaining is None:
        known = end(connection, settlement.delivery.number)
    else:
        known = change(connection, settlement.remaining)
    if not known:
        return (), False
    erased = settlement.remaining is None and erase(connection, settlement.delivery.message.number)
    made: tuple[Delivery, ...] = ()
    for new in reports:
        add(connection, new)
        made += new[2]
    return made, erased


def waiting(
    connection: Connection, lane: LaneKey, limit: int, since: Position = FIRST_POSITION
) -> tuple[Delivery, ...]:
    """Read the deliveries of a lane from a position on, the earliest due first."""
    account, destination = lane
    due, number = since
    asked = {
        "account": account,
        "destination": destination,
        "due": due,
        "id": number,
        "n": limit,
    }
    rows = connection.execute(_WAITING, asked)
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
    return {name: json.loads(state) for name, state in rows}


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


def _add_piece(connection: Connection, key: int, data: bytes) -> None:
    connection.execute("INSERT INTO content VALUES (?, ?)", (key, data))


def _add_deliveries(connection: Connection, deliveries: tuple[Delivery, ...]) -> None:
    connection.executemany(
        "INSERT INTO delivery VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,"
        " ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0)",
        [
            (each.number, *_state(each), *_facts(each.message), each.destination)
            for each in deliveries
        ],
    )


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

    Whether it is held stays as it is: somebody may have changed that while it was under way.
    """
    changed = connection.execute(
        "UPDATE delivery SET account = ?, due = ?, attempts = ?, tried_at = ?, waited = ?,"
        " tried = ?, uncertain = ?, warned = ?, last_reply = ?, recipients = ?, destination = ?"
        " WHERE id = ?",
        (*_state(remaining), remaining.destination, remaining.number),
    )
    return bool(changed.rowcount)


def _state(delivery: Delivery) -> tuple[Any, ...]:
    """Return the columns that an attempt may change."""
    return (
        delivery.account,
        delivery.due,
        delivery.attempts,
        delivery.tried_at,
        delivery.waited,
        json.dumps(delivery.tried),
        delivery.uncertain,
        delivery.warned,
        delivery.last_reply,
        json.dumps(
            [
                *(plain(each) for each in delivery.recipients),
                *(plain_untold(each) for each in delivery.untold),
            ]
        ),
    )


def _facts(message: Message) -> tuple[Any, ...]:
    """Return the columns that tell of the whole message."""
    envelope = message.envelope
    return (
        message.size,
        message.header_size,
        message.arrived,
        envelope.reverse_path,
        envelope.eight_bit,
        envelope.utf8,
        envelope.returns and envelope.returns.value,
        envelope.envelope_id,
        envelope.author,
        json.dumps(envelope.recipients),
        message.dots,
        envelope.client and json.dumps(envelope.client),
    )


def delivery_of(row: Sequence[Any]) -> Delivery:
    """Return the delivery that is in a row."""
    number, account, due, attempts, tried_at, waited, tried, *more = row
    uncertain, warned, last_reply, listed, *facts, destination, held = more
    recipients = json.loads(listed)
    return Delivery(
        number=number,
        message=_message(message_of(number), facts),
        account=account,
        destination=destination,
        recipients=tuple(recipient_of(*each) for each in recipients if len(each) == LENGTH),
        untold=tuple(untold_of(*each) for each in recipients if len(each) > LENGTH),
        due=due,
        attempts=attempts,
        tried_at=tried_at,
        waited=waited,
        tried=tuple(json.loads(tried)),
        uncertain=bool(uncertain),
        warned=bool(warned),
        last_reply=last_reply,
        held=bool(held),
    )


def _message(number: int, facts: Sequence[Any]) -> Message:
    size, header_size, arrived, reverse_path, eight_bit, utf8, returns, *more = facts
    envelope_id, author, recipients, dots, client = more
    return Message(
        number=number,
        envelope=Envelope(
            reverse_path=reverse_path,
            recipients=tuple(json.loads(recipients)),
            eight_bit=bool(eight_bit),
            utf8=bool(utf8),
            returns=None if returns is None else Return(returns),
            envelope_id=envelope_id,
            author=author,
            client=client and Client(*json.loads(client)),
        ),
        size=size,
        header_size=header_size,
        arrived=arrived,
        dots=dots,
    )
