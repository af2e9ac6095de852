"""What accounts that share their quotas demand of each other, and what of quotas is warned of.

The quotas of a group are written in one of its accounts, or in several, and then the same; the
others have them too.  Written ones come before those of presets.  Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from ..routing.account import Account
from ..settings.quota import OverQuota
from ..settings.words import shown
from .faults import Fault
from .section import Section


def broken_groups(accounts: Sequence[Section]) -> Iterator[Fault]:
    """Check that the accounts of each group agree."""
    for members in _groups(accounts):
        if not all(member.valid("quota") for member in members):
            continue
        telling = _telling(members)
        if not any(each.value("quota") for each in telling):
            yield members[0].fault(
                "quota_group",
                f"no account of {shown(members[0].value('quota_group'))} has a quota; write quota"
                " in one of them",
            )
        for other in telling[1:]:
            if set(other.value("quota")) != set(telling[0].value("quota")):
                yield other.fault(
                    "quota",
                    f"differs from that of {shown(telling[0].value('name'))}, with which it is"
                    " shared (quota_group); write the same in both, or leave it out here",
                )


def share_quotas(accounts: Sequence[Section]) -> None:
    """Let all accounts of a group, in which no rule is broken, have its quotas."""
    for members in _groups(accounts):
        for member in members:
            member.values["quota"] = _telling(members)[0].value("quota")


def _groups(accounts: Sequence[Section]) -> Iterator[list[Section]]:
    in_groups = [each for each in accounts if each.value("quota_group") is not None]
    in_groups.sort(key=_group)
    for _, members in groupby(in_groups, _group):
        yield list(members)


def _group(account: Section) -> str:
    return str(account.value("quota_group"))


def _telling(members: list[Section]) -> list[Section]:
    """Return the accounts that say which quotas the group has."""
    written = [member for member in members if "quota" in member.given]
    return written or [member for member in members if member.value("quota")]


def quota_warnings(accounts: Sequence[Account]) -> Iterator[str]:
    """Yield a sentence for each thing about quotas that was probably meant otherwise."""
    groups = [account.quota_group for account in accounts]
    for position, account in enumerate(accounts):
        where = f"[[account]] {shown(account.name)}"
        if account.quota_group is not None and groups.count(account.quota_group) == 1:
            yield (
                f"{where}, quota_group: no other account is in {shown(account.quota_group)}, so"
                " nothing is shared; write the same in the others, or leave it out"
            )
        falls_back = account.enabled and account.over_quota is OverQuota.FALLBACK
        if falls_back and not _has_fallback(account, accounts, accounts[position + 1 :]):
            yield (
                f'{where}, over_quota: is "fallback", but no other account can take its mail, so'
                " that waits; name one in fallback"
            )


def _has_fallback(account: Account, accounts: Sequence[Account], later: Sequence[Account]) -> bool:
    if account.fallback is not None:
        return any(each.enabled and each.name in account.fallback for each in accounts)
    masks = (account.senders, account.recipients)
    return any(each.enabled and (each.senders, each.recipients) == masks for each in later)
