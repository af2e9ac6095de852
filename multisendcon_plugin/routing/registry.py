"""The account registry: which account carries mail from this sender to this recipient.

The topmost enabled account whose sender masks and recipient masks both admit wins, for each
recipient on its own.  What the look-up costs does not depend on the number of accounts, as
long as their masks name addresses, domains and subdomains.

Pure: no Twisted, no clock, no disk; a registry never changes.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import chain

import attrs

from ..mail.address import matching_form
from ..mail.envelope import Envelope
from ..mail.masks import ANY, NULL, Masks, lookup_keys
from .account import Account, AccountType

# An account with more pairs of sender and recipient masks is found by one side alone: pairs
# cost memory, some 200 bytes each.
_MOST_PAIRS = 64

_DIRECT = AccountType.DIRECT


@attrs.frozen(kw_only=True)
class Route:
    """The account that carries mail to a recipient, and why.

    :param account: its name.
    :param sender_mask: the mask that admits the sender.
    :param recipient_mask: the mask that admits the recipient.
    :param direct: see `Account.direct`.
    """

    account: str
    sender_mask: str
    recipient_mask: str
    direct: bool = False
    reason: str = attrs.field(init=False, eq=False)
    """A short sentence for admins."""

    @reason.default
    def _reason(self) -> str:
        sender = _admission("sender", self.sender_mask)
        recipient = _admission("recipient", self.recipient_mask)
        return f"{sender}, {recipient}"


class AccountRegistry:
    """The accounts in order of priority.

    :param accounts: topmost first, their names are unique.
    :param reports: the account by which reports leave; ``None``: they are routed like other mail.
    """

    def __init__(self, accounts: Iterable[Account], reports: Account | None = None) -> None:
        self._accounts = tuple(accounts)
        self._all = (*self._accounts, reports) if reports else self._accounts
        self._positions = {account.name: n for n, account in enumerate(self._accounts)}
        self._by_name = {account.name: account for account in self._all}
        self._index = _Index(self._accounts)
        self._twins: dict[tuple[Masks, Masks], list[Account]] = {}
        for account in self._accounts:
            self._twins.setdefault((account.senders, account.recipients), []).append(account)

    def __iter__(self) -> Iterator[Account]:
        return iter(self._all)

    def account(self, name: str) -> Account | None:
        """Return the account of that name."""
        return self._by_name.get(name)

    def route(self, sender: str, recipient: str) -> Route | None:
        """Choose the account for mail from a sender to a recipient.

        :param sender: an address, or ``""`` when it is not known.
        :return: ``None`` when no account takes it.
        """
        return next(self._routes(sender, recipient), None)

    def routes(self, sender: str, author: str, recipient: str) -> Iterator[Route]:
        """Iterate over all accounts that would take a mail, the chosen one first.

        :param author: the address in ``From:``, which stands for the null reverse-path.
        """
        return self._routes(sender, recipient) if sender else self._null_routes(author, recipient)

    def _routes(self, sender: str, recipient: str) -> Iterator[Route]:
        """Iterate over all accounts that take mail from a sender to a recipient, topmost first."""
        sender = matching_form(sender)
        recipient = matching_form(recipient)
        for position in self._index.candidates(lookup_keys(sender), lookup_keys(recipient)):
            account = self._accounts[position]
            sender_mask = account.senders.match(sender)
            if sender_mask is None:
                continue
            recipient_mask = account.recipients.match(recipient)
            if recipient_mask is not None:
                yield _route(account.name, account.type is _DIRECT, sender_mask, recipient_mask)

    def route_null(
        self, header_from: str, recipient: str, avoid: str | None = None
    ) -> Route | None:
        """Choose the account for mail with the null reverse-path.

        :param header_from: the address in ``From:``, which stands for the sender unless an
            account has the mask ``<>``; ``""`` when there is none.
        :param avoid: an account that is only chosen when there is no other.
        :return: ``None`` when no account takes it.
        """
        # A report on an account at fault would wait behind it, with the mail that it is about.
        avoided = None
        for route in self._null_routes(header_from, recipient):
            if route.account != avoid:
                return route
            avoided = avoided or route
        return avoided

    def _null_routes(self, header_from: str, recipient: str) -> Iterator[Route]:
        for route in chain(self._named_null(recipient), self._routes(header_from, recipient)):
            if self._accounts[self._positions[route.account]].takes_null_sender:
                yield route

    def _named_null(self, recipient: str) -> Iterator[Route]:
        """Iterate over the accounts with the mask of the null reverse-path, topmost first."""
        address = matching_form(recipient)
        for position in self._index.candidates([NULL], lookup_keys(address)):
            account = self._accounts[position]
            mask = account.recipients.match(address)
            if mask is not None:
                yield _route(account.name, account.type is _DIRECT, NULL, mask)

    def routes_as(self, other: AccountRegistry) -> bool:
        """Tell whether every mail is routed as by another registry, as far as masks say."""
        return self._rules == other._rules

    @property
    def _rules(self) -> list[tuple[object, ...]]:
        """What of the accounts decides who takes a mail."""
        return [
            (each.name, each.enabled, each.senders, each.recipients, each.takes_null_sender)
            for each in self._all
        ]

    def fallback(
        self, name: str, tried: tuple[str, ...], envelope: Envelope, recipients: list[str]
    ) -> str | None:
        """Name the account that takes over a delivery which its account could not carry.

        Masks hold in need, too: who named them wants no other mail to leave there.  All recipients
        have to be admitted, since a delivery moves as a whole.

        :param name: the account that failed.
        :param tried: accounts that have failed before it.
        :param recipients: those of the delivery.
        :return: ``None`` when there is none.
        """
        account = self.account(name)
        if account is None:
            return None
        sender = matching_form(envelope.reverse_path)
        author = matching_form(envelope.author)
        recipients = [matching_form(recipient) for recipient in recipients]
        for other in self._followers(account):
            if (
                other.enabled
                and other.name != name
                and other.name not in tried
                and admits_sender(other, sender, author)
                and all(other.recipients.match(recipient) for recipient in recipients)
            ):
                return other.name
        return None

    def fallbacks(self, name: str, envelope: Envelope, recipients: Sequence[str]) -> Iterator[str]:
        """Iterate over the accounts to which a delivery moves while one after the other fails.

        :param name: the account that fails first.
        """
        tried: tuple[str, ...] = ()
        while following := self.fallback(name, tried, envelope, list(recipients)):
            yield following
            tried, name = (*tried, name), following

    def has_fallback(self, name: str) -> bool:
        """Tell whether there is any account that may take over mail of this one."""
        account = self.account(name)
        if account is None:
            return False
        return any(each.enabled and each.name != name for each in self._followers(account))

    def _followers(self, account: Account) -> Iterator[Account]:
        """Iterate over the accounts that an account's settings name as its fallback."""
        if account.fallback is not None:
            named = (self.account(name) for name in account.fallback)
            return (other for other in named if other is not None)
        position = self._positions.get(account.name)
        if position is None:
            return iter(())  # reports wait for the server that is set for them
        twins = self._twins[account.senders, account.recipients]
        return (other for other in twins if self._positions[other.name] > position)


class _Index:
    """Positions of the enabled accounts by pairs of sender key and recipient key.

    Pairs, because a key of one side may belong to all accounts: a company's many branches
    share the senders and differ in the recipients, or the reverse.
    """

    def __init__(self, accounts: tuple[Account, ...]) -> None:
        self._positions: dict[tuple[str, str], list[int]] = {}
        enabled = [(n, account) for n, account in enumerate(accounts) if account.enabled]
        by_sender = Counter(key for _, account in enabled for key in account.senders.keys)
        by_recipient = Counter(key for _, account in enabled for key in account.recipients.keys)
        for position, account in enabled:
            senders = account.senders.keys
            recipients = account.recipients.keys
            if account.senders.admits_null:
                self._add(position, frozenset([NULL]), recipients)
            if len(senders) * len(recipients) > max(len(senders), len(recipients), _MOST_PAIRS):
                # By the side whose keys fewer accounts share.
                if max(by_sender[key] for key in senders) <= max(
                    by_recipient[key] for key in recipients
                ):
                    recipients = frozenset([ANY])
                else:
                    senders = frozenset([ANY])
            self._add(position, senders, recipients)
        self._senders = {sender for sender, _ in self._positions}
        self._recipients = {recipient for _, recipient in self._positions}

    def _add(self, position: int, senders: Iterable[str], recipients: Iterable[str]) -> None:
        for sender in senders:
            for recipient in recipients:
                self._positions.setdefault((sender, recipient), []).append(position)

    def candidates(self, senders: Sequence[str], recipients: Sequence[str]) -> Iterable[int]:
        """Return, in ascending order, the accounts that have a pair of these keys.

        Those that admit sender and recipient are among them; some may come twice.
        """
        positions = self._positions
        recipients = tuple(filter(self._recipients.__contains__, recipients))
        found = []
        for sender in filter(self._senders.__contains__, senders):
            for recipient in recipients:
                if (sender, recipient) in positions:
                    found.append(positions[sender, recipient])  # noqa: PERF401 -- a call less
        return found[0] if len(found) == 1 else heapq.merge(*found)


def admits_sender(account: Account, sender: str, author: str) -> bool:
    """Tell whether an account takes mail of a sender.

    :param sender: in matching form; ``""`` is the null reverse-path.
    :param author: in matching form, who stands for that one; ``""``: nobody.
    """
    if not sender and not account.takes_null_sender:
        return False
    if not sender and account.senders.admits_null:
        return True
    return account.senders.match(sender or author) is not None


# The same few for all mail: 1 us each without the cache.
@lru_cache(maxsize=256)
def _route(account: str, direct: bool, sender_mask: str, recipient_mask: str) -> Route:
    return Route(
        account=account,
        sender_mask=sender_mask,
        recipient_mask=recipient_mask,
        direct=direct,
    )


def _admission(who: str, mask: str) -> str:
    return f"every {who}" if mask == ANY else f"{who} matches {mask}"
