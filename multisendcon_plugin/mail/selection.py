"""Which waiting deliveries somebody means, the pieces in which they are read, and their store.

Pure values.
"""

from __future__ import annotations

from typing import NamedTuple

import attrs

from .message import Delivery


@attrs.frozen(kw_only=True)
class Selection:
    """Deliveries of which all is true that is said; if nothing is, all of them.

    :param message: number of their message.
    :param sender: reverse-path, in any form that matches (`matching_form`); ``""`` is the null one.
    :param recipient: one who is not settled, in any form that matches.
    :param arrived_before: seconds since the epoch, as `arrived_since`: then or later.
    """

    message: int | None = None
    account: str | None = None
    destination: str | None = None
    sender: str | None = None
    recipient: str | None = None
    held: bool | None = None
    arrived_before: float | None = None
    arrived_since: float | None = None


@attrs.frozen
class Page:
    """One piece of a listing, in order of the numbers of the deliveries.

    :param after: where the next piece begins; ``None``: there is none.  A piece may have no
        deliveries, and others follow.
    """

    deliveries: tuple[Delivery, ...]
    after: int | None


@attrs.frozen
class Total:
    """What waits for one account.

    :param waiting: deliveries, also those that are being tried; not those that are held.
    :param held: deliveries.
    :param oldest: when the oldest of those that wait arrived, in seconds since the epoch; ``None``:
        none waits.  What is held does not count: somebody wants it to stay.
    """

    waiting: int
    held: int
    oldest: float | None

    def plus(self, other: Total) -> Total:
        """Return what waits of both together."""
        times = [each.oldest for each in (self, other) if each.oldest is not None]
        return Total(self.waiting + other.waiting, self.held + other.held, min(times, default=None))


class StoreFigures(NamedTuple):
    """How large a store is, and how it is written.

    :param taken: octets of the disk.
    :param free: octets of the disk that are free.
    :param kept_free: octets that new mail leaves free.
    :param batches: how many transactions there were, by what they had to do: the first number is
        of those with one thing, each further one of those with up to twice as many as the one
        before.
    :param jobs: what they had to do in all: new messages, outcomes, changes of the queue.
    """

    taken: int
    free: int
    kept_free: int
    batches: tuple[int, ...]
    jobs: int
