"""Knows what TLS the mail servers of a domain have to have: MTA-STS (RFC 8461), DANE (RFC 7672).

Sends no mail and checks no certificate of a mail server: that is `relay.tls`, as `routing.hop`
says.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..dns import Names
from .discovery import Discovery
from .fetch import Fetcher
from .policies import DnsPolicies
from .store import PolicyStore

__all__ = ["Discovery", "DnsPolicies", "Fetcher", "PolicyStore", "make_policies"]


def make_policies(
    reactor: Any,
    names: Names,
    folder: str | None,
    now: Callable[[], float],
    *,
    allow_private: Callable[[], bool],
) -> DnsPolicies:
    """Return what knows the policies of domains; it begins with `DnsPolicies.start`.

    :param reactor: connects, is the clock, and is called from a thread.
    :param names: answers questions to the DNS.
    :param folder: of the spool, where policies are kept over restarts; ``None``: they are not.
    :param now: tells the time in seconds since the epoch.
    :param allow_private: see `Fetcher`.
    """
    fetcher = Fetcher(reactor, names, allow_private=allow_private)
    store = None if folder is None else PolicyStore(folder, reactor)
    return DnsPolicies(names, Discovery(names, fetcher, now, store))
