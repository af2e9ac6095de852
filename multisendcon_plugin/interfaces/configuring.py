"""The configuration file, as operations know it, which stand above all that reads and writes it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

import attrs

from ..routing.registry import AccountRegistry

#: A table by its names from the outside in: ``("delivery",)``, ``("account", "Sales", "oauth2")``,
#: ``("client", 0)``.
TablePath = tuple[str | int, ...]


@attrs.frozen(kw_only=True)
class StoredText:
    """The file as it is now.

    :param hash: of it, by which it is known again.
    """

    text: str = attrs.field(repr=False)
    hash: str


@attrs.frozen(kw_only=True)
class CheckedText:
    """A text without faults, beside what runs.

    :param running: the text that runs; ``""``: that is not known.
    :param before: the accounts that run.
    :param after: those of the text.
    :param added: names of accounts that it brings, as are `removed` and `changed`.
    :param tables: names of other tables with other settings.
    :param warnings: what should not stay as it is.
    :param hold: has the relay go on with it; fails with `ConfigurationError`, and then goes on with
        what ran before.
    """

    running: str = attrs.field(repr=False)
    before: AccountRegistry
    after: AccountRegistry
    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]
    tables: tuple[str, ...]
    warnings: tuple[str, ...]
    hold: Callable[[], Awaitable[object]]


class Editing(Protocol):
    """Changes of a text.

    What cannot be made raises `EditRefusedError`, or `AccountNotFoundError`.
    """

    def with_values(self, text: str, path: TablePath, values: Mapping[str, Any]) -> str:
        """Return a text with other values in one table; ``None`` removes a key."""

    def without_table(self, text: str, path: TablePath) -> str:
        """Return a text without an outermost table."""

    def with_account(self, text: str, values: Mapping[str, Any], before: str | None = None) -> str:
        """Return a text with a new account.

        :param before: the account that comes behind it; ``None``: it is the last one.
        """

    def without_account(self, text: str, name: str) -> str:
        """Return a text without an account."""

    def in_order(self, text: str, names: Sequence[str]) -> str:
        """Return a text with its accounts in another order."""


class ConfigurationFile(Protocol):
    """The file from which a relay was started.  Much of it may take a while."""

    @property
    def mask(self) -> str:
        """What stands for a secret."""

    @property
    def path(self) -> str:
        """The path of the file.

        :raise FileNotWrittenError: there is none.
        """

    @property
    def editing(self) -> Editing:
        """What changes its text.

        :raise EditRefusedError: it is not installed.
        """

    def masked(self, text: str, /) -> str:
        """Return a text without its secrets, also if it is not TOML."""

    def unmasked(self, text: str, original: str, /) -> str:
        """Return a text with the secrets of another one in the place of their masks.

        :raise EditRefusedError: a mask stands where no secret was.
        """

    def difference(self, before: str, after: str, /) -> str:
        """Return what differs between two texts, for people, without secrets; ``""``: nothing."""

    def running(self) -> str:
        """Return the text that runs; ``""``: that is not known."""

    def read(self) -> StoredText:
        """Read the file.

        :raise FileNotWrittenError: it cannot be read.
        """

    def write(self, text: str, seen: str) -> str:
        """Write the file as a whole, or not at all; keep a copy of what it was.

        :param seen: the hash that it has to have.
        :return: the hash that it has then.
        :raise FileChangedError: it has another one.
        :raise FileNotWrittenError: it cannot be written.
        """

    def check(self, text: str) -> CheckedText:
        """Look whether a text could hold.

        :raise ConfigurationError: with all its faults.
        """
