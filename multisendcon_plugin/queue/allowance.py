"""Limits the reports that one address gets in an hour, and counts those that are left out.

Whatever they are about: a flood has many subjects.  Kept in memory: a restart begins anew, and the
log has each report that was left out; after ``kill -9`` it alone knows of those since the last
sum.  Pure.
"""

from __future__ import annotations

from collections import Counter, deque

from ..mail.address import matching_form

#: Seconds.
HOUR = 3600.0
#: Reports of the last hour that are remembered, to whomever; beyond, the first ones are forgotten.
MOST_REMEMBERED = 100_000
#: Addresses whose reports are counted for themselves; what others did not get is counted together.
MOST_NAMED = 1_000


class Allowance:
    """Counts reports.

    :ivar left_out: reports that were not to be sent since `sum_up`, by address; those to further
        addresses by ``""``.
    """

    def __init__(self) -> None:
        self.left_out: Counter[str] = Counter()
        # Not the addresses themselves: some are longer than a hundred others.
        self._sent: deque[tuple[float, int]] = deque()
        self._counts: Counter[int] = Counter()

    def take(self, address: str, per_hour: int, now: float) -> bool:
        """Tell whether a report may be sent, and count it.

        :param per_hour: reports to one address, in any time of one hour.
        :param now: seconds, of a clock that is not set.
        """
        while self._sent and self._sent[0][0] <= now - HOUR:
            self._forget()
        form = hash(matching_form(address))
        if self._counts[form] < per_hour:
            if len(self._sent) == MOST_REMEMBERED:
                self._forget()
            self._counts[form] += 1
            self._sent.append((now, form))
            return True
        known = address in self.left_out or len(self.left_out) < MOST_NAMED
        self.left_out[address if known else ""] += 1
        return False

    def sum_up(self) -> Counter[str]:
        """Return what was left out, and begin to count anew."""
        left_out, self.left_out = self.left_out, Counter()
        return left_out

    def _forget(self) -> None:
        _, form = self._sent.popleft()
        self._counts[form] -= 1
        if not self._counts[form]:
            del self._counts[form]
