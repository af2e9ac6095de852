"""Raises the limit of file descriptors: connections take one or two, questions to the DNS one.

Linux starts a process with a soft limit of 1024, for old programs, and lets it raise that.
"""

from __future__ import annotations

import resource

from ..configuration import Configuration
from ..routing.account import AccountType
from ..settings.dns import MOST_UNDER_WAY
from ..settings.values import MasterRelay
from ..web.site import MOST_CONNECTIONS

#: For the spool, logs, listening ports and whatever a library opens for a while.
_OTHERS = 64


def needed(configuration: Configuration) -> int:
    """Return how many descriptors the relay has need of when all connections are in use."""
    relay, delivery = configuration.master_relay, configuration.delivery
    # A client that sends a long mail has a file of the spool open as well.
    mail = 2 * relay.max_connections + delivery.max_connections
    direct = any(account.type is AccountType.DIRECT for account in configuration.accounts)
    questions = MOST_UNDER_WAY if direct else 0
    return mail + questions + MOST_CONNECTIONS + _OTHERS


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
