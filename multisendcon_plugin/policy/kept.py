"""The policies of domains that are known, bounded: those not asked for longest go first.

Times are seconds since the epoch.  Pure.
"""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from .mta_sts import LONGEST, StsPolicy

#: Domains, and characters of what they say.
MOST_DOMAINS, MOST_CHARACTERS = 10_000, 16_000_000
#: Seconds after which a policy is fetched again, though it may be kept longer, so that it does not
#: run out between two mails (RFC 8461 section 3.3): at most a day, or half of what it may be kept.
_REFRESHED = 86_400


@attrs.frozen
class KeptPolicy:
    """A policy of a domain, as it was when it was fetched.

    :param id: of its TXT record at that time.
    """

    domain: str
    id: str
    fetched: float
    policy: StsPolicy

    @property
    def size(self) -> int:
        """Characters, about."""
        return len(self.domain) + len(self.id) + sum(map(len, self.policy.lines))

    def expired(self, now: float) -> bool:
        """Tell whether it may not be used any more."""
        return now >= self.fetched + self._longest

    def holds(self, now: float) -> bool:
        """Tell whether it may be used.

        Not if it is from as far in the future: then the clock was wrong once, or is so now, and it
        would be kept until it is as late as that.
        """
        return abs(now - self.fetched) < self._longest

    @property
    def _longest(self) -> int:
        return min(self.policy.max_age, LONGEST)

    def aged(self, now: float) -> bool:
        """Tell whether it is time to fetch it again."""
        return abs(now - self.fetched) >= min(self.policy.max_age / 2, _REFRESHED)


class KeptPolicies:
    """What is known."""

    def __init__(self, most: int = MOST_DOMAINS, characters: int = MOST_CHARACTERS) -> None:
        self._most = most
        self._characters = characters
        self._kept: dict[str, KeptPolicy] = {}
        self._size = 0

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, domain: str, now: float) -> KeptPolicy | None:
        """Return what holds for a domain; ``None``: nothing is known."""
        kept = self._kept.pop(domain, None)
        if kept is None:
            return None
        self._kept[domain] = kept  # asked for last
        return kept if kept.holds(now) else None

    def put(self, kept: KeptPolicy) -> list[str]:
        """Keep a policy in the place of the one before; return the domains that had to give way."""
        self._drop(kept.domain)
        self._kept[kept.domain] = kept
        self._size += kept.size
        return list(self._give_way())

    def _give_way(self) -> Iterator[str]:
        while len(self._kept) > self._most or self._size > self._characters:
            oldest = next(iter(self._kept))
            self._drop(oldest)
            yield oldest

    def _drop(self, domain: str) -> None:
        if before := self._kept.pop(domain, None):
            self._size -= before.size
