"""What is different in another configuration, and what of that cannot hold in a relay that runs.

Pure.
"""

from __future__ import annotations

import attrs

from .configuration import Configuration

#: Tables that are told as accounts, or are no tables.
_NO_TABLES = frozenset({"accounts", "reports_account", "path", "text", "has_secrets"})
#: Where they stand in the file, if that is not their name here.
_TABLES = {"clients": "client", "destinations": "destination"}
#: Keys that hold from the start to the end of a relay.
AT_START_ONLY = (("master_relay", "own_process"), ("spool", "path"), ("log", "format"))


@attrs.frozen(kw_only=True)
class ReloadSummary:
    """What a reload has changed.

    :param added: names of accounts, as are `removed` and `changed`; one that has another name is
        among both of the first.
    :param tables: the names of other tables of the file with other settings than before.
    :param warnings: see `warnings`.
    """

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def summary(before: Configuration, after: Configuration, told: list[str]) -> ReloadSummary:
    """Return what changes from one configuration to another.

    :param told: the warnings of the other.
    """
    old = {account.name: account for account in before.accounts}
    new = {account.name: account for account in after.accounts}
    tables = [
        _TABLES.get(each.name, each.name)
        for each in attrs.fields(Configuration)
        if each.name not in _NO_TABLES and getattr(before, each.name) != getattr(after, each.name)
    ]
    if before.reports_account != after.reports_account and "ndr" not in tables:
        tables.append("ndr")
    return ReloadSummary(
        added=tuple(name for name in new if name not in old),
        removed=tuple(name for name in old if name not in new),
        changed=tuple(name for name in new if name in old and new[name] != old[name]),
        tables=tuple(tables),
        warnings=tuple(told),
    )


def needing_restart(before: Configuration, after: Configuration) -> list[str]:
    """Return a sentence for each change that a relay which runs cannot make."""
    faults = []
    for table, key in AT_START_ONLY:
        old, new = (getattr(getattr(each, table), key) for each in (before, after))
        if old != new:
            place = f"{after.path}, [{table}], {key}" if after.path else f"[{table}], {key}"
            faults.append(
                f"{place}: cannot change while the relay runs; restart it, or leave this as it was"
            )
    return faults
