"""Which account of a new configuration is which of the one before.

A server does not know the name of an account: it counts what comes by the login.  So accounts are
known by server, port and the name in the login, also if one has another name, or two have exchanged
theirs, and what the server has a right to goes on: its minimum wait, and how many connections there
are.  One with another login begins anew, and its name takes nothing from the login that had it:
that may come back, under any name.  Several may have one login, as direct accounts that send from
the same addresses: then it is known by the rest of its settings, or by its place among them.  Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Protocol


class Known(Protocol):
    """What an account is known by: see `Account`."""

    @property
    def name(self) -> str: ...

    @property
    def login(self) -> tuple[Hashable, ...]: ...

    @property
    def unnamed(self) -> Hashable: ...


#: What two accounts that are the same have in common: the first that finds one decides.
_SAME: tuple[Callable[[Known], Hashable], ...] = (
    lambda account: (account.name, account.login),
    lambda account: account.unnamed,
    lambda account: account.login,
)


def predecessors(accounts: Iterable[Known], before: Sequence[Known]) -> dict[str, int]:
    """Return, by the names of accounts, whose place they take; some take nobody's.

    :param accounts: those in use from now on.
    :param before: those that were.
    :return: with positions in `before`; nobody has two successors.
    """
    found: dict[str, int] = {}
    left = dict(enumerate(before))
    without = list(accounts)
    for what in _SAME:
        positions: dict[Hashable, list[int]] = {}
        for position, account in left.items():
            positions.setdefault(what(account), []).append(position)
        for account in reversed(without):
            if same := positions.get(what(account)):
                # The last one: it was in use until now, and others may be long gone.
                found[account.name] = same.pop()
                del left[found[account.name]]
        without = [account for account in without if account.name not in found]
    return found
