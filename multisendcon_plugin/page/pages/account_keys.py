"""The pages with all keys of an account: of one that there is, and of one that is added.

It is saved in two steps: what is typed is checked and shown with all that it would change, and only
then it is written.  What cannot be is shown again as it was typed, each fault at its key.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from ... import presets
from ...configuration.from_preset import given_by, preset_of
from ...operations.configured import AccountKeys, ConfigurationChange, Seen
from ...operations.errors import BadRequestError, RefusedError
from ...presets import Preset, UnknownPresetError
from ...routing.account import DIRECT_CONNECTIONS, Account, AccountType
from ...settings.keys import keys_of
from ...settings.words import shown
from ..answers import Answer, Asked, Done, Shown
from ..drafts import Draft, Form, draft_of
from ..fault_places import placed
from ..fields import Field, fields_of
from ..wording import warned
from .account_file import MOST_OFFERED, Written, page_of, question, written

_KEYS = keys_of(Account)
_DIRECT = AccountType.DIRECT.value
#: What holds for accounts without a server, if nothing else is written.
_OF_DIRECT: Mapping[str, Any] = {"max_connections": DIRECT_CONNECTIONS, "tls": "opportunistic"}


@attrs.frozen(kw_only=True)
class _Subject:
    """The account that is worked on.

    :param name: ``""``: it is a new one.
    :param values: what is written of it.
    :param form: what was sent.
    """

    asked: Asked
    file: Written
    name: str
    values: Mapping[str, Any]
    form: Form

    @property
    def draft(self) -> Draft:
        """What is to be changed."""
        typed = draft_of(self.form, self._fields({}), self.asked.kept).typed.values
        left = {key: each for key, each in {**self.values, **typed}.items() if each is not None}
        return draft_of(self.form, self._fields(_otherwise(left)), self.asked.kept)

    def _fields(self, otherwise: Mapping[str, Any]) -> Iterator[Field]:
        return fields_of(_KEYS, self.values, inherited=otherwise)

    @property
    def path(self) -> str:
        return f"{page_of(self.name)}/edit" if self.name else "/accounts/add"

    @property
    def back(self) -> str:
        return page_of(self.name) if self.name else "/accounts"


def _otherwise(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what holds for keys that are not written, where their own defaults do not."""
    if values.get("type") == _DIRECT:
        return _OF_DIRECT
    preset = _preset(values)
    return given_by(preset, values) if preset else {}


def _preset(values: Mapping[str, Any]) -> Preset | None:
    try:
        return preset_of(values)
    except UnknownPresetError:
        return None


# What is shown.


async def edit(asked: Asked) -> Answer:
    """Show the form of an account."""
    return _form(await _existing(asked))


async def add(asked: Asked) -> Answer:
    """Show which presets there are, or the form of a new account."""
    kind, preset = asked.query.get("type", ""), asked.query.get("preset", "")
    if not kind:
        return _choice(asked)
    form = {"type": [kind if kind == _DIRECT else ""], "preset": [preset]}
    return _form(await _new(asked, form))


def _choice(asked: Asked) -> Answer:
    words = asked.query.get("search", "").split()
    known = [presets.of(name) for name in presets.names()]
    found = [each for each in known if all(word.casefold() in _said(each) for word in words)]
    values = {"search": " ".join(words), "presets": found}
    return Shown(template="account_add.html", values=values)


def _said(preset: Preset) -> str:
    return f"{preset.name} {preset.title} {preset.keys.get('server', '')}".casefold()


async def _existing(asked: Asked) -> _Subject:
    file = await written(asked)
    values = file.of(asked.name)
    return _Subject(asked=asked, file=file, name=asked.name, values=values, form=asked.form)


async def _new(asked: Asked, form: Form) -> _Subject:
    return _Subject(asked=asked, file=await written(asked), name="", values={}, form=form)


def _form(
    subject: _Subject,
    *,
    trouble: str = "",
    faults: Mapping[str, list[str]] | None = None,
    others: list[str] | None = None,
    status: int = 200,
) -> Shown:
    draft = subject.draft
    values = {**subject.values, **draft.typed.values}
    preset = None if values.get("type") == _DIRECT else _preset(values)
    names = subject.file.names
    return Shown(
        template="account_keys.html",
        status=status,
        values={
            "name": subject.name,
            "action": subject.path,
            "back": subject.back,
            "hash": subject.file.hash,
            "entries": tuple(draft.entries(faults or {})),
            "preset": preset,
            "names": names if len(names) <= MOST_OFFERED else (),
            "before": _one(subject.form, "before"),
            "trouble": trouble,
            "others": others or (),
        },
    )


# What is done.


async def save(asked: Asked) -> Answer:
    """Change keys of an account, once it was shown what that would change."""
    return await _save(await _existing(asked))


async def save_new(asked: Asked) -> Answer:
    """Add an account in the same way."""
    return await _save(await _new(asked, asked.form))


async def _save(subject: _Subject) -> Answer:
    draft = subject.draft
    values = draft.typed.values
    name = subject.name or str(values.get("name") or "")
    if not values:
        return _form(subject, trouble="Nothing is changed.", status=422)
    if not name:
        missing = {"name": ["is missing; every account needs it"]}
        return _form(subject, trouble="Nothing is saved.", faults=missing, status=422)
    if not draft.typed.readable:
        return _form(subject, trouble="Nothing is saved.", status=422)
    if not subject.name and name in subject.file.values:
        there = {"name": ["another account has this name; names must be unique"]}
        return _form(subject, trouble="Nothing is saved.", faults=there, status=422)
    confirmed = bool(subject.asked.field("confirmed"))
    keys = AccountKeys(
        seen=Seen(hash=subject.asked.field("hash"), dry_run=not confirmed),
        values=values,
        before=subject.asked.field("before") or None,
    )
    try:
        change = await subject.asked.operations.configuring.configure_account(name, keys)
    except (BadRequestError, RefusedError) as error:
        return _refused(subject, str(values.get("name") or name), error)
    return _saved(subject, draft, change) if confirmed else _review(subject, draft, change)


def _refused(subject: _Subject, name: str, error: BadRequestError | RefusedError) -> Answer:
    faults = error.faults if isinstance(error, RefusedError) else ()
    names = [each.name for each in subject.draft.typed.fields]
    trouble = str(error)
    if subject.asked.field("hash") != subject.file.hash:
        trouble = (
            "The configuration file has been changed since it was read; nothing is overwritten."
            " What you have typed stands below, upon what is written there now: save it again."
        )
    by_name, others = placed(faults, f"[[account]] {shown(name)}", names)
    return _form(subject, trouble=trouble, faults=by_name, others=others, status=409)


def _saved(subject: _Subject, draft: Draft, change: ConfigurationChange) -> Answer:
    values = draft.typed.values
    name = str(values.get("name") or subject.name)
    if not subject.name:
        return Done(
            to=page_of(name), text=f'Added: account "{name}"', details=warned(change.warnings)
        )
    told = f'Saved: account "{subject.name}": {", ".join(sorted(values))}'
    return Done(to=page_of(name), text=told, details=warned(change.warnings))


def _review(subject: _Subject, draft: Draft, change: ConfigurationChange) -> Answer:
    values = draft.typed.values
    name = subject.name or values["name"]
    before = subject.asked.field("before")
    return question(
        change,
        verb="Save",
        title=f'Save account "{name}"?' if subject.name else f'Add account "{name}"?',
        path=subject.path,
        back=subject.path,
        fields=[*draft.hidden(), *([("before", before)] if before else [])],
    )


def _one(form: Form, name: str) -> str:
    return form[name][-1] if form.get(name) else ""
