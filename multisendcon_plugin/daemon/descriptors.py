"""Raises the limit of file descriptors: each connection takes one, or two.

Linux starts a process with a soft limit of 1024, for old programs, and lets it raise that.
"""

from __future__ import annotations

import resource

from ..configuration import Configuration
from ..settings.values import MasterRelay
from ..web.site import MOST_CONNECTIONS

#: For the spool, logs, listening ports and whatever a library opens for a while.
_OTHERS = 64


def needed(configuration: Configuration) -> int:
    """Return how many descriptors the relay has need of when all connections are in use."""
    relay, delivery = configuration.master_relay, configuration.delivery
    # A client that sends a long mail has a file of the spool open as well.
    mail = 2 * relay.max_connections + delivery.max_connections
    return mail + _for_the_dns(configuration) + MOST_CONNECTIONS + _OTHERS


def _for_the_dns(configuration: Configuration) -> int:
    if not any(account.direct for account in configuration.accounts):
        return 0
    # Its library need not be there without such an account.
    from ..dns.resolver import MOST_UNDER_WAY  # noqa: PLC0415

    return MOST_UNDER_WAY


def needed_for_clients(settings: MasterRelay) -> int:
    """Return how many a process needs that has the clients and no mail."""
    return settings.max_connections + _OTHERS


def allow(number: int) -> int:
    """Let this process have so many descriptors, if the system allows it.

    :return: how many it may have now: fewer, or more.
    """
    # The soft limit, which is ours to raise: the hard one is the admin's.
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = resource.RLIM_INFINITY
    wanted = number if hard == unlimited else min(number, hard)
    if soft == unlimited:
        return number
    if wanted <= soft:
        return soft
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return wanted
