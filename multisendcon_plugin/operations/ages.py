"""How long mail waits, by account, as the table of a queue has it.  Pure."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

#: Where one column ends and the next begins, as filters have it (`Filter.older_than`), in seconds.
AGES: Mapping[str, float] = {"5m": 300, "15m": 900, "1h": 3600, "4h": 14400, "1d": 86400}


@attrs.frozen(kw_only=True)
class AccountAges:
    """How long the mail of one account waits.

    :param account: its name; it may not be configured any more.
    :param counts: deliveries, also held ones, by `AGES`: the youngest first, and last those that
        are older than all of them.
    """

    account: str
    counts: tuple[int, ...]

    @property
    def total(self) -> int:
        """Deliveries of any age."""
        return sum(self.counts)


def moments(now: float) -> list[float]:
    """Return when what is so old arrived, the oldest first.

    :param now: by the clock of the spool.
    """
    return [now - age for age in sorted(AGES.values(), reverse=True)]


def ages_of(found: Mapping[str, tuple[int, ...]]) -> tuple[AccountAges, ...]:
    """Return how long mail waits, the account with the most of it first.

    :param found: deliveries by account and `moments`.
    """
    rows = [
        AccountAges(account=account, counts=tuple(reversed(counts)))
        for account, counts in found.items()
    ]
    return tuple(sorted(rows, key=lambda row: (-row.total, row.account)))
