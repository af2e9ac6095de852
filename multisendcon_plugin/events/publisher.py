"""Tells facts to those who have subscribed to them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from twisted.logger import Logger

from .clients import ClientEvent
from .facts import (
    AccountFaulted,
    AccountPaused,
    AccountRecovered,
    AccountResumed,
    AlarmTold,
    ArchiveFailed,
    ArchiveRecovered,
    AttemptEnded,
    ConfigurationChanged,
    ConnectionsLimited,
    DeliveryDeleted,
    DeliveryHeld,
    DeliveryMoved,
    DeliveryReleased,
    FailureUntold,
    FrontProcessEnded,
    FrontProcessStarted,
    HistoryInterrupted,
    HistoryResumed,
    MailAccepted,
    ReportQueued,
    ReportUnroutable,
    ReportWithheld,
    SpoolBroken,
    SpoolFull,
    SpoolHasRoom,
)

Event = (
    MailAccepted
    | AttemptEnded
    | DeliveryMoved
    | DeliveryHeld
    | DeliveryReleased
    | DeliveryDeleted
    | ReportQueued
    | FailureUntold
    | ReportWithheld
    | ReportUnroutable
    | AccountFaulted
    | AccountRecovered
    | AccountPaused
    | AccountResumed
    | ConnectionsLimited
    | SpoolBroken
    | SpoolFull
    | SpoolHasRoom
    | ArchiveFailed
    | ArchiveRecovered
    | HistoryInterrupted
    | HistoryResumed
    | ConfigurationChanged
    | FrontProcessEnded
    | FrontProcessStarted
    | AlarmTold
    | ClientEvent
)

E = TypeVar("E", bound=Event)


class Publisher:
    """Tells each event to those who have subscribed to its class, at once and in their order.

    One that fails harms neither the others nor the room that publishes, which does not wait for
    them either: whoever has much to do with an event does it later.
    """

    log = Logger()

    def __init__(self) -> None:
        self._subscribers: dict[type, tuple[Callable[[Any], object], ...]] = {}
        self._failed: list[Callable[[Any], object]] = []

    def subscribe(self, kind: type[E], subscriber: Callable[[E], object]) -> Callable[[], None]:
        """Have each event of a class told.

        :return: ends that.
        """
        self._subscribers[kind] = (*self._subscribers.get(kind, ()), subscriber)
        return partial(self._unsubscribe, kind, subscriber)

    def _unsubscribe(self, kind: type, subscriber: Callable[[Any], object]) -> None:
        self._subscribers[kind] = tuple(
            each for each in self._subscribers[kind] if each is not subscriber
        )

    def publish(self, event: Event) -> None:
        """Tell an event."""
        for subscriber in self._subscribers.get(type(event), ()):
            try:
                subscriber(event)
            except Exception:
                self._tell_of_failure(subscriber, event)

    def _tell_of_failure(self, subscriber: Callable[[Any], object], event: Event) -> None:
        # Once for each: what fails may do so with every mail.
        if subscriber not in self._failed:
            self._failed.append(subscriber)
            self.log.failure(
                "internal error of a subscriber to {event} (a bug); traceback follows",
                event=type(event).__name__,
            )
