"""The relay at one glance: the accounts that need somebody first, however many there are.  Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import attrs

from ..outcome.condition import Condition, State
from .parts import pages_of
from .values import Status

#: What is shown first: the state that needs somebody most.
_RANKS = {
    State.LOGIN: 0,
    State.RESTING: 1,
    State.QUOTA: 2,
    State.SLOW: 3,
    State.PAUSED: 4,
}
#: Of an account in another state, about which there is an alarm, or which has destinations at rest.
_DOUBTFUL, _WELL = 5, 6


@attrs.frozen(kw_only=True)
class Overview:
    """The relay, and a page of its accounts.

    :param status: with the accounts of this page only.
    :param counted: whether what waits is known; else its figures are 0.
    :param states: how many accounts there are in each state; of those in none there is nothing.
    :param found: how many accounts are to be seen, on all pages.
    :param page: the one that this is: the last, if there are less than was asked for.
    :param by_minute: mails of the accounts of this page in each of the last whole minutes.
    """

    status: Status
    counted: bool
    states: Mapping[State, int]
    found: int
    page: int
    by_minute: Mapping[str, tuple[int, ...]]

    @property
    def pages(self) -> int:
        """How many pages there are."""
        return pages_of(self.found)


def ranked(conditions: Collection[Condition], alarmed: Collection[str]) -> list[Condition]:
    """Put accounts in order: those that need somebody first, else by priority.

    :param conditions: in order of priority.
    :param alarmed: names of accounts about which there is an alarm.
    """

    def rank(condition: Condition) -> int:
        # Most of thousands are so, and a look into a table by a state takes its time.
        if condition.state is not State.OK and condition.state in _RANKS:
            return _RANKS[condition.state]
        doubtful = condition.account in alarmed or condition.resting_destinations
        return _DOUBTFUL if doubtful else _WELL

    return sorted(conditions, key=rank)
