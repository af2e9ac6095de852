"""What is asked and answered about the configuration; the names are those of the JSON.

Pure values, as in `values`.
"""

from __future__ import annotations

from typing import Any

import attrs

from ..times import Time
from .values import FLAT

# What is asked.


@attrs.frozen(kw_only=True)
class Seen:
    """The file as somebody has seen it who wants it to be changed.

    :param hash: of the file, as it was told: if it has another one by now, nothing is done.
    :param dry_run: only say what would be.
    """

    hash: str
    dry_run: bool = False


@attrs.frozen(kw_only=True)
class NewText:
    """What the file is to be.

    :param text: the whole of it; a secret may be its mask, as it was told, and stays what it was.
    """

    seen: Seen = attrs.field(metadata=FLAT)
    text: str = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class AccountKeys:
    """Keys of an account; those that are not named stay as they are.

    :param values: by key, as in the file; ``null`` removes a key, a table inside of the account has
        its own keys, and a secret may be its mask. Another name renames the account.
    :param before: of a new account: the one that comes behind it; ``null``: it is the last one.
    """

    seen: Seen = attrs.field(metadata=FLAT)
    values: dict[str, Any] = attrs.field(repr=False)
    before: str | None = None


@attrs.frozen(kw_only=True)
class Removal:
    """That an account is to be removed."""

    seen: Seen = attrs.field(metadata=FLAT)


@attrs.frozen(kw_only=True)
class Order:
    """In which order accounts are to be.

    :param names: of all accounts, the topmost first.
    """

    seen: Seen = attrs.field(metadata=FLAT)
    names: tuple[str, ...]


@attrs.frozen(kw_only=True)
class TableKeys:
    """Keys of a table; those that are not named stay as they are.

    :param values: by key, as in the file; ``null`` removes a key, and a secret may be its mask. In
        their place ``null``: the table is removed.
    :param index: which of several tables of that name, from 0; as many as there are: a new one.
    """

    seen: Seen = attrs.field(metadata=FLAT)
    values: dict[str, Any] | None = attrs.field(repr=False)
    index: int | None = None


# What is answered.


@attrs.frozen(kw_only=True)
class ConfigurationText:
    """The configuration file as it is now, without its secrets.

    :param path: of the file.
    :param differs_from_running: what somebody has changed in the file that the relay has not
        loaded, as a unified difference; ``""``: nothing.
    :param faults: for which it would not be loaded: one finished sentence each.
    :param tables: what is written in all tables but accounts, by name; of several of one name, a
        list.
    """

    path: str
    text: str
    hash: str
    differs_from_running: str
    faults: tuple[str, ...]
    tables: dict[str, Any]


@attrs.frozen(kw_only=True)
class ConfiguredAccount:
    """What the file has of one account.

    :param hash: of the file.
    :param values: by key, as they are written; secrets are masked.
    """

    name: str
    hash: str
    values: dict[str, Any]


@attrs.frozen(kw_only=True)
class Rerouted:
    """A mail of the history that would take another account, to one recipient.

    :param id: of the message.
    :param sender: reverse-path; ``""`` is the null one.
    :param before: the account that takes it as the relay runs; ``None``: none does.
    :param after: the one that would take it; ``None``: none would.
    """

    id: str
    sender: str
    recipient: str
    before: str | None
    after: str | None


@attrs.frozen(kw_only=True)
class Effects:
    """Which mails of the last days would take another account.

    :param looked_at: how many mails were; 0 if nothing changes that decides on accounts.
    :param since: all that arrived from then on; ``None``: none were looked at.
    :param changed: the last ones first.
    :param more: such recipients beyond those.
    :param problem: why no mails, or fewer, were looked at; ``""``: nothing is wrong.
    """

    looked_at: int = 0
    since: Time | None = None
    changed: tuple[Rerouted, ...] = ()
    more: int = 0
    problem: str = ""


@attrs.frozen(kw_only=True)
class ConfigurationChange:
    """What has changed, or would.

    :param hash: of the file as it is now.
    :param difference: to what the relay ran with, as a unified difference without secrets.
    :param differs_from_running: the part of it that was in the file before, and not loaded; ``""``:
        nothing.
    :param added: names of accounts, as are `removed` and `changed`; one that has another name is
        among both of the first.
    :param tables: the names of other tables with other settings.
    :param warnings: what should not stay as it is.
    """

    hash: str
    dry_run: bool
    difference: str
    differs_from_running: str
    effects: Effects
    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]
    tables: tuple[str, ...]
    warnings: tuple[str, ...]
