"""Which account of a new configuration is which of the one before.

An account keeps its name, as a rule.  Its server, though, does not know the name: it counts what
comes by the login.  So an account that has another name, or two that have exchanged theirs, are
known by server, port and username, and what the server has a right to goes on: its minimum wait,
and how many connections there are.  Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence

from ..routing.account import Account

#: What two accounts that are the same have in common: the first that finds one decides.
_SAME: tuple[Callable[[Account], Hashable], ...] = (
    lambda account: (account.name, account.login),
    lambda account: account.login,
    lambda account: account.name,
)


def predecessors(accounts: Iterable[Account], before: Sequence[Account]) -> dict[str, int]:
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
        for account in without:
            if same := positions.get(what(account)):
                # The last one: it was in use until now, and others may be long gone.
                found[account.name] = same.pop()
                del left[found[account.name]]
        without = [account for account in without if account.name not in found]
    return found
