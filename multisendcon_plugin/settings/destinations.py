"""The destinations of direct delivery: ``[[destination]]``, and what holds for a domain.

A destination is the domain of a recipient; each has its own connections and its own minimum wait,
also where one table is about many.  As in `values`: each key is declared here and nowhere else.
Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache

import attrs

from . import names, quantities
from .keys import key
from .kinds import listed
from .receivers import RECEIVERS, Receiver

#: A destination gets at most one part in so many of the connections of its account: one that is
#: slow never holds up the others.
SHARES = 5
#: Paces that are remembered.
_MOST_KNOWN = 1000


@attrs.frozen(kw_only=True)
class DestinationSettings:
    """``[[destination]]``: what differs for some domains."""

    domains: tuple[str, ...] = key(
        listed(names.domain_mask),
        doc="The domains of the recipients, exact names and *.example for all subdomains; each is"
        " a destination of its own.",
    )
    max_connections: int | None = key(
        quantities.count,
        default=None,
        doc="The most connections of an account to one destination at the same time; unset: a fifth"
        " of those of the account, or fewer if that is known of the receiver.",
    )
    minimum_wait: float = key(
        quantities.duration,
        default=0.0,
        doc="How long to wait from the end of one mail to the start of the next, one at a time; 0:"
        " full speed.",
    )
    max_mails_per_connection: int | None = key(
        quantities.count,
        default=None,
        doc="The most mails over one connection; unset: as for the account, or fewer if that is"
        " known of the receiver.",
    )


@attrs.frozen(kw_only=True)
class Pace:
    """How fast one account sends to one destination.

    :param connections: the most at the same time.
    :param minimum_wait: seconds from the end of one mail to the start of the next.
    :param mails_per_connection: the most over one connection.
    """

    connections: int
    minimum_wait: float
    mails_per_connection: int


class Destinations:
    """What holds for each domain.

    :param written: the first that matches a domain counts.
    """

    def __init__(self, written: Iterable[DestinationSettings] = ()) -> None:
        self._written = tuple(written)
        self._by_form = _first_of(each.domains for each in self._written)
        # Each mail asks several times.
        self._known_paces = lru_cache(_MOST_KNOWN)(self._pace)

    def pace(self, domain: str, *, connections: int, mails_per_connection: int) -> Pace:
        """Return how fast an account sends to a domain.

        :param domain: A-labels in lower case, or an address literal.
        :param connections: the most of the account, as `mails_per_connection`.
        """
        return self._known_paces(domain, connections, mails_per_connection)

    def _pace(self, domain: str, connections: int, mails_per_connection: int) -> Pace:
        settings, known, names = _UNSET, _NOTHING, forms(domain)
        if (position := _position(self._by_form, names)) is not None:
            settings = self._written[position]
        if (position := _position(_KNOWN, names)) is not None:
            known = RECEIVERS[position]
        share = max(1, connections // SHARES)
        # Whoever writes a number has a reason for more than a share.
        most = settings.max_connections or min(share, known.max_connections or share)
        mails = settings.max_mails_per_connection or known.max_mails_per_connection
        return Pace(
            connections=1 if settings.minimum_wait else min(most, connections),
            minimum_wait=settings.minimum_wait,
            mails_per_connection=min(mails or mails_per_connection, mails_per_connection),
        )


def forms(domain: str) -> list[str]:
    """Return the names and masks that mean a domain, or all that a mask means."""
    found = [domain]
    while domain := domain.partition(".")[2]:
        found.append(f"*.{domain}")
    return found


def _first_of(domains: Iterable[Sequence[str]]) -> dict[str, int]:
    """Return the first position in which each name or mask stands."""
    found: dict[str, int] = {}
    for position, each in enumerate(domains):
        for form in each:
            found.setdefault(form, position)
    return found


def _position(by_form: dict[str, int], names: Iterable[str]) -> int | None:
    """Return the first position in which one of the names of a domain stands."""
    return min([by_form[each] for each in names if each in by_form], default=None)


_UNSET = DestinationSettings(domains=())
_NOTHING = Receiver(title="", domains=(), source="")
_KNOWN = _first_of(each.domains for each in RECEIVERS)
