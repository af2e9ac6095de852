"""Values to rows and back: all the SQL on messages and deliveries.

Each function runs inside a transaction that is not its own; one that writes leaves nothing
behind but rows, so that it can be repeated after a rollback.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from sqlite3 import Connection
from typing import Any

from ..dsn import Notify, Return
from ..envelope import Envelope
from ..errors import SpoolError
from ..message import FIRST_TURN, Delivery, Message, Recipient, Turn
from ..settle import Settlement
from .keys import message_of, pieces, place, span

#: A new message as it is stored: its number, its content and its deliveries.
New = tuple[int, bytes, tuple[Delivery, ...]]

#: In two, so that many deliveries that are due at the same time are found by the index as well.
_WAITING = """
    SELECT * FROM delivery WHERE account = :account AND due = :due AND id >= :id
    UNION ALL
    SELECT * FROM delivery WHERE account = :account AND due > :due
    ORDER BY due, id LIMIT :n
"""


def add_piece(connection: Connection, message: int, part: int, data: bytes) -> None:
    """Store a piece of a message that is still arriving."""
    connection.execute("INSERT OR IGNORE INTO draft VALUES (?)", (message,))
    connection.execute("INSERT INTO content VALUES (?, ?)", (place(message, part), data))


def complete(connection: Connection, new: New, parts: int) -> None:
    """Make a draft a message.

    :param new: with the content that follows on the pieces already stored.
    :param parts: how many pieces should be stored already.
    :raise SpoolError: some are not.
    """
    number = new[0]
    if parts:
        (stored,) = connection.execute(
            "SELECT count(*) FROM content WHERE id BETWEEN ? AND ?", span(number)
        ).fetchone()
        if stored != parts:
            raise SpoolError("some of the content could not be stored")
        connection.execute("DELETE FROM draft WHERE message = ?", (number,))
    _add(connection, new, parts)


def erase_draft(connection: Connection, message: int) -> None:
    """Remove the pieces of a message that never became whole."""
    connection.execute("DELETE FROM content WHERE id BETWEEN ? AND ?", span(message))
    connection.execute("DELETE FROM draft WHERE message = ?", (message,))


def settle(
    connection: Connection, settlement: Settlement, reports: Iterable[New]
) -> tuple[Delivery, ...]:
    """Record what came of an attempt; return the deliveries of its reports.

    A delivery that is settled already stays as it is, and is not reported again.
    """
    if settlement.mail_ended is not None:
        connection.execute(
            "INSERT INTO account VALUES (?, ?)"
            " ON CONFLICT (name) DO UPDATE SET mail_ended = excluded.mail_ended",
            (settlement.delivery.account, settlement.mail_ended),
        )
    if settlement.remaining is None:
        known = _end(connection, settlement.delivery)
    else:
        known = _change(connection, settlement.delivery, settlement.remaining)
    if not known:
        return ()
    made: tuple[Delivery, ...] = ()
    for new in reports:
        _add(connection, new)
        made += new[2]
    return made


def waiting(
    connection: Connection, account: str, limit: int, since: Turn = FIRST_TURN
) -> tuple[Delivery, ...]:
    """Read the deliveries of an account from a turn on, the earliest due first."""
    due, number = since
    asked = {"account": account, "due": due, "id": number, "n": limit}
    rows = connection.execute(_WAITING, asked)
    return tuple(map(_delivery, rows))


def lanes(connection: Connection) -> dict[str, int]:
    """Count the deliveries of each account that has any."""
    return dict(connection.execute("SELECT account, count(*) FROM delivery GROUP BY account"))


def mail_ends(connection: Connection) -> dict[str, float]:
    """Read when each account's last mail ended."""
    return dict(connection.execute("SELECT name, mail_ended FROM account"))


def bring_forward(connection: Connection, account: str, latest: float) -> None:
    """Let no delivery of an account be due later than that."""
    connection.execute(
        "UPDATE delivery SET due = ? WHERE account = ? AND due > ?", (latest, account, latest)
    )


def piece(connection: Connection, message: int, part: int) -> bytes | None:
    """Read one piece of a message's content."""
    row: tuple[bytes] | None = connection.execute(
        "SELECT data FROM content WHERE id = ?", (place(message, part),)
    ).fetchone()
    return None if row is None else row[0]


def begin(connection: Connection) -> tuple[bool, int]:
    """Take the store into use: sweep up what never became a message.

    :return: whether it was closed in good order, and the highest number that was in use.
    """
    (clean,) = connection.execute("SELECT value FROM meta WHERE name = 'clean'").fetchone()
    (last,) = connection.execute(
        "SELECT max(ifnull((SELECT max(id) FROM delivery), 0),"
        " ifnull((SELECT max(id) FROM content), 0))"
    ).fetchone()
    for (message,) in connection.execute("SELECT message FROM draft").fetchall():
        erase_draft(connection, message)
    connection.execute("UPDATE meta SET value = 0 WHERE name = 'clean'")
    return bool(clean), message_of(last)


def end(connection: Connection) -> None:
    """Note that the store is closed in good order."""
    connection.execute("UPDATE meta SET value = 1 WHERE name = 'clean'")


def _add(connection: Connection, new: New, first_part: int = 0) -> None:
    number, content, deliveries = new
    for part, data in enumerate(pieces(content), first_part):
        connection.execute("INSERT INTO content VALUES (?, ?)", (place(number, part), data))
    connection.executemany(
        "INSERT INTO delivery VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,"
        " ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [(each.number, *_state(each), *_facts(each.message)) for each in deliveries],
    )


def _end(connection: Connection, delivery: Delivery) -> bool:
    """Remove a delivery and, when it was the last, its content; tell whether it was there."""
    ended = connection.execute("DELETE FROM delivery WHERE id = ?", (delivery.number,))
    if not ended.rowcount:
        return False
    keys = span(delivery.message.number)
    connection.execute(
        "DELETE FROM content WHERE id BETWEEN ? AND ?"
        " AND NOT EXISTS (SELECT 1 FROM delivery WHERE id BETWEEN ? AND ?)",
        (*keys, *keys),
    )
    return True


def _change(connection: Connection, delivery: Delivery, remaining: Delivery) -> bool:
    """Make a delivery what remains of it; tell whether it was there."""
    changed = connection.execute(
        "UPDATE delivery SET account = ?, due = ?, attempts = ?, tried_at = ?, waited = ?,"
        " tried = ?, uncertain = ?, warned = ?, last_reply = ?, recipients = ? WHERE id = ?",
        (*_state(remaining), delivery.number),
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
        json.dumps([_listed(each) for each in delivery.recipients]),
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
    )


def _listed(recipient: Recipient) -> tuple[str, str, int | None, str]:
    notify = recipient.notify
    value = None if notify is None else notify.value
    return recipient.address, recipient.reason, value, recipient.original


def _delivery(row: Sequence[Any]) -> Delivery:
    number, account, due, attempts, tried_at, waited, tried, *more = row
    uncertain, warned, last_reply, recipients, *facts = more
    return Delivery(
        number=number,
        message=_message(message_of(number), facts),
        account=account,
        recipients=tuple(_recipient(*each) for each in json.loads(recipients)),
        due=due,
        attempts=attempts,
        tried_at=tried_at,
        waited=waited,
        tried=tuple(json.loads(tried)),
        uncertain=bool(uncertain),
        warned=bool(warned),
        last_reply=last_reply,
    )


def _recipient(address: str, reason: str, notify: int | None, original: str) -> Recipient:
    return Recipient(
        address=address,
        reason=reason,
        notify=None if notify is None else Notify(notify),
        original=original,
    )


def _message(number: int, facts: Sequence[Any]) -> Message:
    size, header_size, arrived, reverse_path, eight_bit, utf8, returns, *more = facts
    envelope_id, author, recipients = more
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
        ),
        size=size,
        header_size=header_size,
        arrived=arrived,
    )
