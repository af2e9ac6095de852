"""From the records of a message to its story: see `records`.  Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from ..mail.envelope import Client
from ..mail.message import queue_id
from .records import QUEUED, Record
from .story import Kind, Story, StoryEvent

_RANKS: dict[str, int] = {kind: rank for rank, kind in enumerate(Kind)}
_SETTLED = frozenset({Kind.DELIVERED, Kind.FAILED, Kind.DELETED})


def story_of(number: int, records: Iterable[Record]) -> Story | None:
    """Return the story of a message; the records may be in any order.

    :return: ``None``: nothing says how it begins.
    :raise ValueError: the records are not ours, as `TypeError` and `KeyError`.
    """
    beginnings: dict[str, Record] = {}
    happened: list[Record] = []
    for record in records:
        if record[0] in (Kind.ACCEPTED, QUEUED):
            beginnings.setdefault(record[0], record)
        else:
            happened.append(record)
    beginning = beginnings.get(Kind.ACCEPTED) or beginnings.get(QUEUED)
    if beginning is None:
        return None
    _, arrived, size, sender, recipients, message_id, subject, client, *author, _ = beginning
    everyone = tuple(recipients)
    events = list(events_of(beginning, everyone))
    for record in sorted(happened, key=_order):
        events += events_of(record, everyone)
    # What came with a clock that was wrong may be older than the arrival.
    events.sort(key=lambda event: event.time)
    open_ones = set(everyone)
    for event in events:
        if event.event in _SETTLED:
            open_ones.difference_update(event.recipients)
    if not open_ones:
        events.append(StoryEvent(time=events[-1].time, event=Kind.ENDED))
    known = None if client is None else Client(*client)
    return Story(
        id=queue_id(number),
        arrived=arrived,
        sender=sender,
        recipients=everyone,
        message_id=message_id,
        subject=subject,
        size=size,
        client=known,
        user="" if known is None else known.user,
        events=tuple(events),
        author="".join(author),
    )


def _order(record: Record) -> tuple[float, int, str]:
    word, at, account, *_ = record
    return at, _RANKS[word], account


def events_of(record: Record, everyone: tuple[str, ...]) -> Iterator[StoryEvent]:
    """Yield what a record says.

    :param everyone: the recipients of the message.
    """
    word = record[0]
    if word in (Kind.ACCEPTED, QUEUED):
        yield from _beginning(record, everyone)
    elif word == Kind.ATTEMPT:
        yield from _attempt(record, everyone)
    else:
        yield _other(record, everyone)


def _beginning(record: Record, everyone: tuple[str, ...]) -> Iterator[StoryEvent]:
    for account, reason, who in record[-1]:
        yield StoryEvent(
            time=record[1],
            event=Kind.ACCEPTED,
            account=account,
            recipients=_whom(who, everyone),
            reason=reason,
            late=record[0] == QUEUED,
        )


def _other(record: Record, everyone: tuple[str, ...]) -> StoryEvent:
    word, at, account, who, detail = record
    kind = Kind(word)
    about: dict[str, Any] = {}
    match kind:
        case Kind.MOVED:
            about["to_account"], about["reason"] = detail
        case Kind.DELETED:
            about["notified"] = detail
        case Kind.REPORTED:
            about["report"] = detail
    whom = _whom(who, everyone)
    return StoryEvent(time=at, event=kind, account=account, recipients=whom, **about)


def _attempt(record: Record, everyone: tuple[str, ...]) -> Iterator[StoryEvent]:
    _, at, account, session, fault, groups, due, to_account, reason, *others = record
    # Only what a direct account has tried has one, and nothing from before there was one.
    (policy,) = others or ("",)
    tried: list[str] = []
    waiting: list[str] = []
    results = []
    for verdict, reply, waits, who in groups:
        recipients = _whom(who, everyone)
        tried += recipients
        if waits:
            waiting += recipients
        results.append(
            StoryEvent(
                time=at,
                event=Kind(verdict),
                account=account,
                recipients=recipients,
                reply=reply,
                session=session,
                policy=policy,
                due=due if waits else None,
            )
        )
    yield StoryEvent(
        time=at,
        event=Kind.ATTEMPT,
        account=account,
        recipients=tuple(tried),
        reply=fault or next((each.reply for each in results), ""),
        session=session,
        policy=policy,
        due=due,
    )
    yield from results
    if to_account:
        yield StoryEvent(
            time=at,
            event=Kind.MOVED,
            account=account,
            recipients=tuple(waiting),
            reason=reason,
            to_account=to_account,
        )


def _whom(who: list[str] | None, everyone: tuple[str, ...]) -> tuple[str, ...]:
    return everyone if who is None else tuple(who)
