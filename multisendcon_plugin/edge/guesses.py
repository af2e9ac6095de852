"""Delays the replies to wrong logins: the more of them an address has sent, the longer.

Counted across connections, and not ended by a right login: a guesser may have an account.  Each
minute one is forgotten; and when there are too many addresses, the one that has been quiet for
longest.  Pure.
"""

from __future__ import annotations

from collections.abc import Hashable

#: Seconds from the first wrong logins of an address to their replies, and from later ones at most.
PAUSE = 3.0
LONGEST_PAUSE = 15.0
#: After so many, the pause is twice as long.
DOUBLES_AFTER = 3
#: Addresses that are remembered.
MOST_ADDRESSES = 10_000
#: Seconds after which one wrong login is forgotten.
FORGOTTEN_AFTER = 60.0


class Guesses:
    """The wrong logins of each address, which may stand for a network."""

    def __init__(self) -> None:
        # How many, and when the last one was; those who were quiet for longest come first.
        self._wrong: dict[Hashable, tuple[float, float]] = {}

    def wrong(self, place: Hashable, now: float) -> float:
        """Count a wrong login; return the seconds from the login to its reply.

        :param place: the address or network that it came from.
        :param now: seconds of any clock.
        """
        before, since = self._wrong.pop(place, (0.0, now))
        before = max(0.0, before - (now - since) / FORGOTTEN_AFTER)
        if len(self._wrong) >= MOST_ADDRESSES:
            del self._wrong[next(iter(self._wrong))]
        self._wrong[place] = before + 1, now
        # The longest pause is reached long before the power is too large to be one.
        doublings = min(int(before / DOUBLES_AFTER), 10)
        return float(min(LONGEST_PAUSE, PAUSE * 2**doublings))
