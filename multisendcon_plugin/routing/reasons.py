"""Why an account takes a mail, or does not: all accounts in order, for whoever asks.

Which accounts take it is asked of the registry, by the same search that routes mail; what is found
here is only what keeps the others from it.  Pure.
"""

from __future__ import annotations

import attrs

from ..mail.address import matching_form
from ..mail.masks import Masks
from .account import REPORTS_ACCOUNT, Account, AccountType
from .registry import AccountRegistry, admits_sender


@attrs.frozen
class Consideration:
    """What an account has to do with a mail to one recipient.

    :param name: of the account.
    :param taken: the mail leaves by it.
    :param reason: why, or why not, in words for admins.
    """

    name: str
    taken: bool
    reason: str


def considered(
    registry: AccountRegistry, sender: str, author: str, recipient: str
) -> tuple[Consideration, ...]:
    """Say of each account whether it takes a mail, and why; in order of priority.

    :param sender: ``""`` is the null reverse-path.
    :param author: the address in ``From:``, which stands for the null reverse-path.
    """
    admitted: dict[str, str] = {}
    for route in registry.routes(sender, author, recipient):
        admitted.setdefault(route.account, route.reason)
    chosen = next(iter(admitted), None)
    found = []
    for account in registry:
        if account.name == REPORTS_ACCOUNT:
            continue
        reason = admitted.get(account.name) or _refusal(account, sender, author, recipient)
        taken = account.name == chosen
        if account.name in admitted and not taken:
            reason = f"{reason}; but {chosen} comes first"
        if taken and account.type is AccountType.DIRECT:
            reason = f"{reason}; directly to the mail servers of the recipient's domain"
        found.append(Consideration(account.name, taken, reason))
    return tuple(found)


def _refusal(account: Account, sender: str, author: str, recipient: str) -> str:
    """Say what keeps an account from a mail that it does not take."""
    if not account.enabled:
        return "it is not enabled"
    if not sender and not account.takes_null_sender:
        return 'it takes no mail with the null sender (null_sender = "skip")'
    sender, author = matching_form(sender), matching_form(author)
    if admits_sender(account, sender, author):
        return _no_match("the recipient", "recipients", account.recipients, recipient)
    if sender:
        return _no_match("the sender", "senders", account.senders, sender)
    if author:
        return _no_match("the address in From:", "senders", account.senders, author)
    return "the mail has the null sender and no From:, and senders has neither <> nor *"


def _no_match(who: str, key: str, masks: Masks, address: str) -> str:
    exclusion = masks.excluded_by(matching_form(address))
    if exclusion is None:
        return f"{who} matches no mask of {key}"
    return f"{who} is excluded by {exclusion} in {key}"
