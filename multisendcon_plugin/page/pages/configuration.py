"""The page Configuration: the text of the file, its faults, and how it differs from what runs.

A text is saved in two steps: the first shows what would change, the second writes it.  The form
says which file and which text were shown; with another one, it is the first step again.
"""

from __future__ import annotations

import hashlib
from typing import Any

import attrs

from ...configuration import ReloadSummary
from ...editing.difference import difference
from ...operations.configured import ConfigurationChange, ConfigurationText, NewText, Seen
from ...operations.errors import RefusedError
from ...settings.admins import Role
from ..answers import Answer, Asked, Done, Shown
from ..fault_lines import excerpts, in_lines
from ..wording import warned


async def show(asked: Asked) -> Answer:
    """Show it."""
    current = await asked.operations.configuring.configuration()
    return _shown(asked, current, current.text, faults=current.faults)


async def save(asked: Asked) -> Answer:
    """Show what would change; or write it, if that was shown."""
    sent, hash_ = asked.field("text"), asked.field("hash")
    # Browsers end each line by CRLF; the file goes on as it does.
    text = sent.replace("\r\n", "\n")
    confirmed = asked.field("shown") == _digest(text) and "check" not in asked.form
    configuring = asked.operations.configuring
    try:
        change = await configuring.configure(
            NewText(seen=Seen(hash=hash_, dry_run=not confirmed), text=sent)
        )
    except RefusedError as error:
        current = await configuring.configuration()
        if current.hash != hash_:
            return await _changed_meanwhile(asked, current, text)
        return _shown(asked, current, text, faults=error.faults, trouble=str(error), status=422)
    if confirmed:
        return Done(
            to="/configuration", text="Saved: the configuration", details=what_changed(change)
        )
    # What is confirmed is about the file that was looked at, whatever it is by now.
    current = attrs.evolve(await configuring.configuration(), hash=change.hash)
    return _shown(asked, current, text, change=change, asks="check" not in asked.form)


async def reload(asked: Asked) -> Answer:
    """Go on with the file as it is."""
    found = await asked.operations.reload()
    details = what_changed(found) if isinstance(found, ReloadSummary) else ()
    return Done(to="/configuration", text="Reloaded: the configuration", details=details)


def what_changed(change: ConfigurationChange | ReloadSummary) -> tuple[str, ...]:
    """Say what has changed, line by line."""
    told = (
        ("new accounts", change.added),
        ("removed accounts", change.removed),
        ("changed accounts", change.changed),
        ("changed tables", change.tables),
    )
    named = (f"{what}: {_some(names)}" for what, names in told if names)
    return (*named, *warned(change.warnings, _MOST_NAMED))


#: Names, or warnings, that are told.
_MOST_NAMED = 20


def _some(names: tuple[str, ...]) -> str:
    more = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


async def _changed_meanwhile(asked: Asked, current: ConfigurationText, text: str) -> Shown:
    """Show both: what is in the file now, and what was typed."""
    differs = await asked.in_thread(difference, current.text, text)
    return _shown(
        asked,
        current,
        text,
        trouble=f"{current.path} has been changed since this page was loaded; nothing is written."
        " Below are your text, and that of the file: bring them together, and save again",
        theirs=differs,
        status=409,
    )


def _shown(
    asked: Asked,
    current: ConfigurationText,
    text: str,
    *,
    faults: tuple[str, ...] = (),
    trouble: str = "",
    change: ConfigurationChange | None = None,
    asks: bool = False,
    theirs: str = "",
    status: int = 200,
) -> Shown:
    """Return the page.

    :param text: in the form.
    :param faults: of that text.
    :param trouble: why it was not saved.
    :param change: what would change.
    :param asks: whether it is to be saved.
    :param theirs: how the text differs from that of the file, which somebody has changed.
    """
    found = in_lines(faults, current.path)
    values: dict[str, Any] = {
        "current": current,
        "text": text,
        "faults": found,
        "excerpts": excerpts(text, found),
        "trouble": trouble,
        "change": change,
        "asks": asks,
        "shown": _digest(text) if change else "",
        "theirs": theirs,
        "only": not asked.may(Role.CONFIGURE),
    }
    return Shown(template="configuration.html", values=values, status=status, slow=True)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
