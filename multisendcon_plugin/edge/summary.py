"""Which facts about clients are told, and how many more there were.

Whoever is refused can be refused very often.  Of each kind of fact, an address gets a number in a
minute; the others are counted, and summed up.  Pure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable

#: Seconds after which facts are told again, and those summed up that were not.
MINUTE = 60.0
#: Facts of one kind about one address in a minute.
IN_FULL = 50
#: Kinds of facts and addresses that are told apart in a minute.
MOST_KEYS = 1_000


class Summary:
    """The facts of a minute.

    :param others: counts for all that cannot be told apart any more.
    """

    def __init__(self, others: Hashable) -> None:
        self._others = others
        self._since = 0.0
        self._counts: Counter[Hashable] = Counter()

    def is_told(self, key: Hashable, now: float) -> bool:
        """Count a fact; say whether it is to be told.

        When not, `take` is to be called after a minute.

        :param key: of facts that repeat each other.
        :param now: seconds of any clock.
        """
        if now >= self._since + MINUTE and not self._left_out():
            self._counts.clear()
        if not self._counts:
            self._since = now
        # From an IPv6 network, or through a proxy, there is no end of addresses.
        if key not in self._counts and len(self._counts) >= MOST_KEYS:
            key = self._others
        self._counts[key] += 1
        return self._counts[key] <= IN_FULL

    def take(self) -> list[tuple[Hashable, int]]:
        """Return how many facts were not told of what; begin a new minute."""
        left_out = self._left_out()
        self._counts.clear()
        return left_out

    def _left_out(self) -> list[tuple[Hashable, int]]:
        return [(key, count - IN_FULL) for key, count in self._counts.items() if count > IN_FULL]
