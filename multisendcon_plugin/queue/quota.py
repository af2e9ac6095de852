"""What is used up of quotas, counted so that no window of the server's own count has more.

The server counts a mail at some moment between our MAIL and its reply.  So a mail is reserved
before it begins, and counts from then on until a window has passed since the latest moment at which
it can have been counted.  Mails that were counted at about the same time are one `Bucket`, with the
latest of their times: a thousand of them last for each window, however many mails it may have.
Pure.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from math import inf, isinf
from operator import attrgetter
from typing import Protocol

import attrs

from ..outcome.usage import Usage
from ..settings.quantities import DAY
from ..settings.quota import Counted, Quota

#: What is longer ago is no matter of any quota: see `settings.quota`.
LONGEST = 31 * DAY
#: Parts of a window that may be rounded to one time.
_PARTS = 1000
#: By so much a window is longer for us: the server's clock may go at another rate.
_MARGIN = 1 / _PARTS
#: Seconds for which room is kept for who has waited for it, once it is there.
CLAIMED = 0.5
#: Seconds that a server may take to read a MAIL to which we have no reply, after the session.
UNANSWERED = 2.0


@attrs.define(eq=False)
class Bucket:
    """Mails that were counted at about the same time.

    :param number: by which it is stored.
    :param first: when the first of them was counted.
    :param at: when the last of them was; counts for all.
    """

    number: int
    first: float
    at: float
    mails: int
    recipients: int


_at = attrgetter("at")


@attrs.define(eq=False)
class Reservation:
    """A mail that is under way, or about to be.

    :param recipients: as many as it may have.
    """

    number: int
    recipients: int


class _Level:
    """What was counted so long ago that shorter windows have passed, but not this one.

    :ivar span: seconds, with a margin.
    :ivar grain: seconds that are rounded to one time.
    :ivar quotas: with a window of this length.
    """

    def __init__(self, window: float, quotas: Sequence[Quota]) -> None:
        self.span = window * (1 + _MARGIN)
        self.grain = window / _PARTS
        self.quotas = [quota for quota in quotas if quota.window == window]
        self.buckets: list[Bucket] = []
        self.used = dict.fromkeys(Counted, 0)

    def add(self, bucket: Bucket) -> Bucket:
        """Add a bucket, or what is in it to another one; return the one that has it now."""
        self.count(bucket, 1)
        buckets = self.buckets
        place = bisect_left(buckets, bucket.at, key=_at)
        if place < len(buckets) and buckets[place].at - bucket.first <= self.grain:
            other = buckets[place]  # a later one
        elif place and bucket.at - buckets[place - 1].first <= self.grain:
            other = buckets[place - 1]
            other.at = bucket.at
        else:
            insort(buckets, bucket, key=_at)
            return bucket
        other.first = min(other.first, bucket.first)
        other.mails += bucket.mails
        other.recipients += bucket.recipients
        return other

    def leave(self, now: float) -> Bucket | None:
        """Return a bucket for which this window has passed; it is not here any more."""
        if not self.buckets or self.buckets[0].at + self.span > now:
            return None
        bucket = self.buckets.pop(0)
        self.count(bucket, -1)
        return bucket

    def count(self, bucket: Bucket, sign: int) -> None:
        """Count what is in a bucket that comes, or leaves."""
        self.used[Counted.MAILS] += sign * bucket.mails
        self.used[Counted.RECIPIENTS] += sign * bucket.recipients


class Claimant(Protocol):
    """Somebody whose next mail has to wait for room."""

    waits: Callable[[], bool]
    """It waits for nothing else."""


class QuotaWindows:
    """The windows of one login, or of all accounts of a group.

    All times are by one clock that is never set.

    :param name: under which it is stored.
    :param usages: what is known of the time before, as `usage` had told it.
    :param started: when this process was started.
    :ivar name: see above; to be changed by `rename` only.
    :ivar quotas: that hold now.
    :ivar changed: the numbers of what is to be written, see `usage`.
    """

    def __init__(self, name: str, usages: Iterable[Usage] = (), *, started: float = 0.0) -> None:
        self.name = name
        self.quotas: tuple[Quota, ...] = ()
        self.changed: set[int] = set()
        self._levels = [_Level(LONGEST, ())]
        self._under_way: dict[int, Reservation] = {}
        self._reserved = dict.fromkeys(Counted, 0)
        self._next = 0
        self._claim: tuple[Claimant | None, float] = None, 0.0
        #: By number.
        self._stored: dict[int, Bucket] = {}
        for each in usages:
            # What was under way when the process died may have been counted after that.
            at = started + UNANSWERED if each.counted is None else min(each.counted, started)
            bucket = Bucket(each.number, at, at, each.mails, each.recipients)
            self._next = max(self._next, each.number + 1)
            self._stored[each.number] = bucket
        self._fill(sorted(self._stored.values(), key=_at))
        self.changed.update(self._stored)

    def configure(self, quotas: Sequence[Quota], now: float) -> None:
        """Go on with other quotas: what is known counts for them, too."""
        self._claim = None, 0.0
        if tuple(quotas) == self.quotas:
            return
        self.quotas = tuple(quotas)
        windows = sorted({quota.window for quota in quotas}) or [LONGEST]
        buckets = self._in_order()
        self._levels = [_Level(window, quotas) for window in windows]
        self._fill(buckets)
        self._pass(now)

    def _in_order(self) -> list[Bucket]:
        return sorted(chain.from_iterable(level.buckets for level in self._levels), key=_at)

    def _fill(self, buckets: list[Bucket]) -> None:
        """Put buckets, as fine as they are, where all windows have them."""
        level = self._levels[0]
        level.buckets = buckets
        for bucket in buckets:
            level.count(bucket, 1)

    # What is stored.

    def rename(self, name: str) -> list[Usage]:
        """Go on under another name; return what forgets all that is stored under this one."""
        numbers = self.numbers
        old = [Usage(self.name, number, None, 0, 0) for number in numbers]
        self.name = name
        self.changed.update(numbers)
        return old

    def take_changed(self) -> set[int]:
        """Return the numbers of what has changed since this was asked last."""
        changed, self.changed = self.changed, set()
        return changed

    @property
    def numbers(self) -> list[int]:
        """Return the numbers of all that is known."""
        return [*self._stored, *self._under_way]

    def usage(self, numbers: Iterable[int]) -> list[Usage]:
        """Return what is to be written of some, as they are now."""
        usages = []
        for number in numbers:
            if (bucket := self._stored.get(number)) is not None:
                counted: float | None = bucket.at
                mails, recipients = bucket.mails, bucket.recipients
            elif (reservation := self._under_way.get(number)) is not None:
                counted, mails, recipients = None, 1, reservation.recipients
            else:
                counted, mails, recipients = None, 0, 0
            usages.append(Usage(self.name, number, counted, mails, recipients))
        return usages

    def is_empty(self, now: float) -> bool:
        """Nothing is known that could count."""
        self._pass(now)
        return not (self._stored or self._under_way)

    def last(self, now: float) -> float:
        """Return when something was counted last; ``now``: a mail is under way; 0: never."""
        if self._under_way:
            return now
        return max((level.buckets[-1].at for level in self._levels if level.buckets), default=0.0)

    # Mails.

    @property
    def most_recipients(self) -> float:
        """How many recipients one mail may have."""
        counted = (each.most for each in self.quotas if each.counted is Counted.RECIPIENTS)
        return min(counted, default=inf)

    def reserve(self, recipients: int) -> Reservation:
        """A mail is about to begin: it counts from now on."""
        reservation = Reservation(self._next, recipients)
        self._next += 1
        self._under_way[reservation.number] = reservation
        self._reserve(recipients, 1)
        self.changed.add(reservation.number)
        return reservation

    def _reserve(self, recipients: int, sign: int) -> None:
        self._reserved[Counted.MAILS] += sign
        self._reserved[Counted.RECIPIENTS] += sign * recipients

    def conclude(self, reservation: Reservation, at: float | None, recipients: int) -> None:
        """What was reserved is not under way any more.

        :param at: when the server had counted it at the latest; ``None``: MAIL was not said.
        :param recipients: that were said.
        """
        number = reservation.number
        del self._under_way[number]
        self._reserve(reservation.recipients, -1)
        self.changed.add(number)
        if at is not None:
            self._add(self._levels[0], Bucket(number, at, at, 1, recipients))

    def _add(self, level: _Level, bucket: Bucket) -> None:
        """Put a bucket into a level, and note what is to be written of that."""
        there = level.add(bucket)
        if there is not bucket:
            self._stored.pop(bucket.number, None)
            self.changed.update((bucket.number, there.number))
        else:
            self._stored[bucket.number] = bucket

    def _pass(self, now: float) -> None:
        """Let go of what windows have passed."""
        for level, longer in zip(self._levels, (*self._levels[1:], None), strict=True):
            while bucket := level.leave(now):
                if longer is not None:
                    self._add(longer, bucket)
                else:
                    del self._stored[bucket.number]
                    self.changed.add(bucket.number)

    # Who is next.

    def claim(self, who: Claimant, until: float, now: float) -> None:
        """Keep for somebody the room that there will be then, unless another one was before."""
        if until < inf and not self.is_claimed(who, now):
            self._claim = who, until

    def is_claimed(self, who: Claimant, now: float) -> bool:
        """Tell whether the next room is kept for another one, who still waits for it."""
        other, until = self._claim
        return other is not None and other is not who and now <= until + CLAIMED and other.waits()

    def unclaim(self, who: Claimant) -> None:
        """It begins."""
        if self._claim[0] is who:
            self._claim = None, 0.0

    # What is left.

    def opens_at(self, recipients: int, now: float) -> tuple[float, Quota | None]:
        """Return when a mail with so many recipients may begin, and the quota that says so.

        :return: a time by now: at once.  ``math.inf``: when something that is under way has ended.
        """
        self._pass(now)
        latest, by = 0.0, None
        for n, level in enumerate(self._levels):
            for quota in level.quotas:
                need = 1 if quota.counted is Counted.MAILS else recipients
                opens = self._room_at(n, quota, need)
                if opens > latest:
                    latest, by = opens, quota
        return latest, by

    def room_for_recipients(self, now: float) -> float:
        """Return how many recipients have room in all windows now; it may be less than 0."""
        self._pass(now)
        return min(
            (
                quota.most - self._used(n, Counted.RECIPIENTS)
                for n, level in enumerate(self._levels)
                for quota in level.quotas
                if quota.counted is Counted.RECIPIENTS
            ),
            default=inf,
        )

    def _room_at(self, n: int, quota: Quota, need: int) -> float:
        short = self._used(n, quota.counted) + need - quota.most
        if short <= 0:
            return 0.0
        span = self._levels[n].span
        for bucket in self._oldest_first(n):
            short -= bucket.mails if quota.counted is Counted.MAILS else bucket.recipients
            if short <= 0:
                return bucket.at + span
        return inf

    def _oldest_first(self, n: int) -> Iterator[Bucket]:
        return chain.from_iterable(level.buckets for level in reversed(self._levels[: n + 1]))

    def _used(self, n: int, counted: Counted) -> int:
        return self._reserved[counted] + sum(level.used[counted] for level in self._levels[: n + 1])

    def use(self, quota: Quota, now: float) -> tuple[int, float | None]:
        """Return how much of a quota is used up, and when one more may begin; ``None``: unknown."""
        self._pass(now)
        for n, level in enumerate(self._levels):
            if quota in level.quotas:
                opens = self._room_at(n, quota, 1)
                return self._used(n, quota.counted), None if isinf(opens) else opens
        raise ValueError(f"{quota} does not hold here")
