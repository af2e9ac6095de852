"""The configuration, read and changed: what is wanted becomes another text of the file.

A change is checked as a whole, then written, then held; what cannot hold is not left in the file.
Who changes it says which file they have seen: another one is never overwritten.
"""

from __future__ import annotations

import tomllib
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from functools import partial
from typing import Any, TypeVar

import attrs
from twisted.internet.defer import Deferred, DeferredLock

from ..errors import (
    AccountNotFoundError,
    ConfigurationError,
    EditRefusedError,
    FileChangedError,
    FileNotWrittenError,
)
from ..interfaces.configuring import CheckedText, ConfigurationFile, StoredText, TablePath
from .comparing import Comparing
from .configured import (
    AccountKeys,
    ConfigurationChange,
    ConfigurationText,
    ConfiguredAccount,
    Effects,
    NewText,
    Order,
    Removal,
    Seen,
    TableKeys,
)
from .configured_values import as_json, check_characters, check_unmasked, known, parts
from .errors import BadRequestError, NotFoundError, RefusedError
from .kept_secrets import Written, check_kept, nothing_written, written_in_keys, written_in_text

T = TypeVar("T")

#: Makes of a text of the file another one.
Edit = Callable[[str], str]

#: Accounts of one piece of a list.
_PIECE = 100


class Configuring:
    """What an admin can do with the configuration of a relay that runs.

    :param file: from which it was started.
    :param in_thread: calls a function in a thread.
    :param comparing: says which mails would go otherwise.
    """

    def __init__(
        self,
        file: ConfigurationFile,
        in_thread: Callable[[Callable[[], Any]], Awaitable[Any]],
        comparing: Comparing,
    ) -> None:
        self._file = file
        self._thread = in_thread
        self._comparing = comparing
        self._saving = DeferredLock()
        # One at a time looks at the history, however many ask.
        self._looking = DeferredLock()
        self._stopped = False
        self._last_shown: _Shown | None = None

    def stop(self) -> Deferred[None]:
        """Begin no change any more; fires when the one that is under way has ended."""
        self._stopped = True
        return self._saving.run(lambda: None)

    # What there is.

    async def configuration(self) -> ConfigurationText:
        """Return the configuration file as it is now, without its secrets."""
        return await self._in_thread(self._read)

    def _read(self) -> ConfigurationText:
        stored, running = self._file.read(), self._file.running()
        differs = self._difference(running, stored.text)
        faults: tuple[str, ...] = ()
        if stored.text != running:
            try:
                self._file.check(stored.text)
            except ConfigurationError as error:
                faults = tuple(error.faults)
        shown = self._shown_of(stored)
        return ConfigurationText(
            path=self._file.path,
            text=shown.text,
            hash=stored.hash,
            differs_from_running=differs,
            faults=faults,
            tables={name: each for name, each in shown.document.items() if name != "account"},
        )

    def _shown_of(self, stored: StoredText) -> _Shown:
        """Return a text without its secrets: of thousands of accounts, it is worked out once."""
        known = self._last_shown
        if known is None or known.hash != stored.hash:
            text = self._file.masked(stored.text)
            known = self._last_shown = _Shown(stored.hash, text, _document(text))
        return known

    async def configured_accounts(self) -> AsyncGenerator[list[ConfiguredAccount], None]:
        """List what the file has of each account, in order of priority; secrets are masked."""
        found = await self._in_thread(self._accounts)
        for start in range(0, len(found), _PIECE):
            yield found[start : start + _PIECE]

    def _accounts(self) -> list[ConfiguredAccount]:
        stored = self._file.read()
        return [
            ConfiguredAccount(name=str(each.get("name", "")), hash=stored.hash, values=each)
            for each in _accounts_in(self._shown_of(stored).document)
        ]

    # What is changed.

    async def configure(self, new: NewText) -> ConfigurationChange:
        """Replace the whole text of the configuration, and go on with it."""

        def edit(text: str) -> str:
            # Browsers end each line of a form by CRLF.
            written = new.text if "\r\n" in text else new.text.replace("\r\n", "\n")
            return self._file.unmasked(written, text)

        written = written_in_text(_document(new.text), self._file.mask)
        return await self._change(new.seen, edit, written)

    async def configure_account(self, name: str, keys: AccountKeys) -> ConfigurationChange:
        """Change keys of an account, or add one of that name."""
        named = str(keys.values.get("name", name))
        written = written_in_keys("account", named, keys.values, self._file.mask)
        edit = partial(self._with_account, name=name, keys=keys)
        return await self._change(keys.seen, edit, written)

    async def remove_account(self, name: str, removal: Removal) -> ConfigurationChange:
        """Remove an account; what waits for it is routed anew."""

        def edit(text: str) -> str:
            there = self._names(text)
            if name not in there:
                raise _no_account(name, there)
            return self._file.editing.without_account(text, name)

        return await self._change(removal.seen, edit, nothing_written)

    async def order_accounts(self, order: Order) -> ConfigurationChange:
        """Put all accounts in another order of priority."""

        def edit(text: str) -> str:
            there = self._names(text)
            if sorted(there) != sorted(order.names):
                raise BadRequestError(
                    "names: all accounts of the file are needed here, each once:"
                    f" {', '.join(there)}"
                )
            return self._file.editing.in_order(text, order.names)

        return await self._change(order.seen, edit, nothing_written)

    async def configure_table(self, name: str, keys: TableKeys) -> ConfigurationChange:
        """Change keys of a table that is no account; or remove it."""
        if name == "account":
            raise BadRequestError("accounts are at configuration/accounts/NAME")
        path: TablePath = (name,) if keys.index is None else (name, keys.index)

        def edit(text: str) -> str:
            there = _document(text).get(name)
            _check_index(there, name, keys)
            if keys.values is None:
                return self._file.editing.without_table(text, path)
            if there is None or (isinstance(there, list) and keys.index == len(there)):
                # Some tables are switched on by being there.
                check_unmasked(keys.values, self._file.mask)
                text = self._file.editing.with_values(text, path, {})
            for inside, values in parts(keys.values):
                text = self._with(text, (*path, *inside), values)
            return text

        written = written_in_keys(name, "", keys.values or {}, self._file.mask)
        return await self._change(keys.seen, edit, written)

    def _with_account(self, text: str, name: str, keys: AccountKeys) -> str:
        there = self._names(text)
        if name in there:
            if keys.before is not None:
                raise BadRequestError(
                    "before: the account is there already; order accounts at configuration/order"
                )
            for inside, values in parts(keys.values):
                text = self._with(text, ("account", name, *inside), values)
            return text
        if keys.values.get("name", name) != name:
            raise _no_account(name, there)
        if keys.before is not None and keys.before not in there:
            raise _no_account(keys.before, there)
        check_unmasked(keys.values, self._file.mask)
        *tables, (_, own) = parts(keys.values)
        written = {key: value for key, value in own.items() if value is not None}
        text = self._file.editing.with_account(text, {"name": name, **written}, keys.before)
        for inside, values in tables:
            text = self._with(text, ("account", name, *inside), values)
        return text

    def _difference(self, before: str, after: str) -> str:
        # To look for secrets in thousands of accounts takes a while.
        return "" if before == after else self._file.difference(before, after)

    def _names(self, text: str) -> list[str]:
        """Return the names of the accounts in a text.

        :raise ConfigurationError: it cannot be read.
        """
        accounts = _accounts_of(text)
        if not accounts:
            self._file.check(text)
        return [str(each.get("name", "")) for each in accounts]

    def _with(self, text: str, path: TablePath, values: Mapping[str, Any]) -> str:
        new = known(values, self._file.mask)
        return self._file.editing.with_values(text, path, new) if new else text

    # How it is changed.

    async def _change(self, seen: Seen, edit: Edit, written: Written) -> ConfigurationChange:
        if seen.dry_run:
            plan = await self._in_thread(lambda: self._plan(seen, edit, written))
        else:
            async with self._saving:
                plan = await self._save(seen, edit, written)
        checked = plan.checked
        async with self._looking:
            effects = await self._comparing.effects(checked.before, checked.after)
        return plan.answer(seen.dry_run, effects)

    def _plan(self, seen: Seen, edit: Edit, written: Written) -> _Plan:
        stored = self._file.read()
        if stored.hash != seen.hash:
            raise FileChangedError("the file is another one")
        text = edit(stored.text)
        check_characters(text)
        checked = self._file.check(text)
        check_kept(_document(stored.text), _document(text), written)
        return _Plan(
            stored=stored,
            text=text,
            checked=checked,
            hash=stored.hash,
            difference=self._difference(checked.running, text),
            differs_from_running=self._difference(checked.running, stored.text),
        )

    async def _save(self, seen: Seen, edit: Edit, written: Written) -> _Plan:
        if self._stopped:
            raise RefusedError("the relay is being stopped; nothing has changed")
        plan = await self._in_thread(lambda: self._plan(seen, edit, written))
        if plan.text != plan.stored.text:
            hash_ = await self._in_thread(lambda: self._file.write(plan.text, seen.hash))
            plan = attrs.evolve(plan, hash=hash_)
        try:
            await plan.checked.hold()
        except ConfigurationError as error:
            await self._put_back(plan, error)
        return plan

    async def _put_back(self, plan: _Plan, error: ConfigurationError) -> None:
        """Have the file be what it was: the relay could not go on with what was written.

        :raise RefusedError: always; it says what is so now.
        """
        faults = tuple(error.faults)
        try:
            if plan.text != plan.stored.text:
                await self._thread(lambda: self._file.write(plan.stored.text, plan.hash))
        except (FileChangedError, FileNotWrittenError) as problem:
            raise RefusedError(
                "the relay goes on as before, since the configuration has faults; but the file"
                f" is not what it was: {problem}",
                faults,
            ) from None
        raise RefusedError("the configuration has faults; nothing has changed", faults) from None

    async def _in_thread(self, work: Callable[[], T]) -> T:
        """Return what comes of work in a thread; refuse what cannot be."""
        try:
            result: T = await self._thread(work)
        except ConfigurationError as error:
            text = "the configuration has faults; nothing has changed"
            raise RefusedError(text, tuple(error.faults)) from None
        except FileChangedError:
            raise RefusedError(
                f"{self._file.path} has been changed since it was read; nothing is overwritten:"
                " read it again, and make the change anew"
            ) from None
        except AccountNotFoundError as error:
            raise NotFoundError(str(error)) from None
        except (EditRefusedError, FileNotWrittenError) as error:
            raise RefusedError(str(error)) from None
        return result


@attrs.frozen
class _Shown:
    """The file without its secrets.

    :param document: what the text has; only to be looked at.
    """

    hash: str
    text: str = attrs.field(repr=False)
    document: Mapping[str, Any] = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class _Plan:
    """A change that could be made.

    :param stored: the file before.
    :param text: the file then.
    :param hash: of the file as it is.
    """

    stored: StoredText
    text: str = attrs.field(repr=False)
    checked: CheckedText
    hash: str
    difference: str
    differs_from_running: str

    def answer(self, dry_run: bool, effects: Effects) -> ConfigurationChange:
        """Tell of it."""
        return ConfigurationChange(
            hash=self.hash,
            dry_run=dry_run,
            difference=self.difference,
            differs_from_running=self.differs_from_running,
            effects=effects,
            added=self.checked.added,
            removed=self.checked.removed,
            changed=self.checked.changed,
            tables=self.checked.tables,
            warnings=self.checked.warnings,
        )


def _document(text: str) -> dict[str, Any]:
    """Return what a text has, as JSON; nothing if it cannot be read."""
    try:
        document: dict[str, Any] = as_json(tomllib.loads(text))
    except (ValueError, RecursionError):
        return {}
    return document


def _accounts_of(text: str) -> list[dict[str, Any]]:
    return _accounts_in(_document(text))


def _accounts_in(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    accounts = document.get("account")
    if not isinstance(accounts, list):
        return []
    return [each for each in accounts if isinstance(each, dict)]


def _check_index(there: object, name: str, keys: TableKeys) -> None:
    """See that keys are of a table that is there, or can be made.

    :param there: what the file has by that name.
    """
    if keys.index is None:
        if isinstance(there, list):
            raise BadRequestError(f"index: there are {len(there)} of [[{name}]]; say which")
        return
    if isinstance(there, dict):
        raise BadRequestError(f"index: there is one [{name}] only; leave it out")
    number = len(there) if isinstance(there, list) else 0
    if keys.index >= number + (keys.values is not None):
        raise NotFoundError(f"index: there are {number} of [[{name}]], counted from 0")


def _no_account(name: str, there: list[str]) -> NotFoundError:
    return NotFoundError(f'the file has no account "{name}"; it has: {", ".join(there)}')
