"""The page Settings: all tables of the configuration but accounts, each with its keys.

A table is saved in two steps, as accounts are: the first shows what would change, the second writes
it.  What cannot be saved is shown again as it was typed, each fault at its key.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice

import attrs

from ...operations.configured import ConfigurationChange, ConfigurationText, Seen, TableKeys
from ...operations.errors import BadRequestError, NotFoundError, RefusedError
from ...settings.admins import Role
from ..answers import Answer, Asked, Done, Shown
from ..drafts import Draft
from ..fault_places import placed
from ..filters import number_of
from ..sections import NAMES, Section, ShownSection, found_again, sections_of
from .account_file import question
from .configuration import what_changed

#: Tables of one name that are shown at once.
MOST = 20
_CHANGED = (
    "Somebody has changed or removed this table since the page was loaded; nothing is written."
    " What you have typed is here, as a new one, beside what the file has now."
)


async def show(asked: Asked) -> Answer:
    """Show all tables, or those of one name."""
    current = await asked.operations.configuring.configuration()
    names = [_known(asked.name)] if asked.name else NAMES
    return _shown(asked, current, [(name, None) for name in names])


async def save(asked: Asked) -> Answer:
    """Write a table, once it was shown what that would change."""
    current = await asked.operations.configuring.configuration()
    section = _meant(asked, current)
    if section is None:
        return _lost(asked, current)
    draft = section.draft(asked.form, asked.kept)
    values = draft.typed.values
    if not draft.typed.readable:
        return _again(asked, current, section, draft, "Nothing is saved.")
    if not values and section.verb == "Save":
        return _again(asked, current, section, draft, "Nothing is changed.")
    # What was shown was about the file as it was then.
    confirmed = bool(asked.field("confirmed")) and asked.field("hash") == current.hash
    keys = TableKeys(
        seen=Seen(hash=current.hash, dry_run=not confirmed), values=values, index=section.index
    )
    try:
        change = await asked.operations.configuring.configure_table(section.name, keys)
    except (BadRequestError, RefusedError) as error:
        faults = error.faults if isinstance(error, RefusedError) else ()
        return _again(asked, current, section, draft, f"{error}.", faults=faults)
    if confirmed:
        return _done(section, _PAST[section.verb], change, ", ".join(sorted(values)))
    return _question(section, section.verb, change, dict(draft.hidden()))


async def remove(asked: Asked) -> Answer:
    """Remove a table, once it was shown what that would change."""
    current = await asked.operations.configuring.configuration()
    section = _meant(asked, current)
    if section is None or not section.removing:
        return _lost(asked, current)
    confirmed = bool(asked.field("confirmed")) and asked.field("hash") == current.hash
    keys = TableKeys(
        seen=Seen(hash=current.hash, dry_run=not confirmed), values=None, index=section.index
    )
    try:
        change = await asked.operations.configuring.configure_table(section.name, keys)
    except RefusedError as error:
        draft = section.draft({}, asked.kept)
        return _again(asked, current, section, draft, f"{error}.", faults=error.faults)
    if confirmed:
        return _done(section, _PAST[section.removing], change)
    return _question(section, section.removing, change, {})


_PAST = {
    "Save": "Saved",
    "Add": "Added",
    "Remove": "Removed",
    "Switch on": "Switched on",
    "Switch off": "Switched off",
}


def _known(name: str) -> str:
    """Return a name that there is.

    :raise NotFoundError: it is none.
    """
    if name not in NAMES:
        raise NotFoundError(f"there is no page for a table {name}; there are: {', '.join(NAMES)}")
    return name


def _meant(asked: Asked, current: ConfigurationText) -> Section | None:
    """Return the table that a form is about, where it is now; ``None``: it is no more."""
    index = asked.field("index")
    sections = list(sections_of(_known(asked.name), current.tables))
    place = number_of({"index": index}, "index", 0) if index else None
    return found_again(sections, place, asked.field("mark"))


def _lost(asked: Asked, current: ConfigurationText) -> Answer:
    """Show what was typed for a table that is not there any more, as that of a new one."""
    *_, section = sections_of(asked.name, current.tables)
    # What was written is not any more, so that all of it is as though it were typed.
    form = {name: each for name, each in asked.form.items() if not name.endswith(".was")}
    return _again(asked, current, section, section.draft(form, asked.kept), _CHANGED)


def _again(
    asked: Asked,
    current: ConfigurationText,
    section: Section,
    draft: Draft,
    trouble: str,
    *,
    faults: tuple[str, ...] = (),
) -> Answer:
    """Show a form again, as it was typed."""
    names = [each.name for each in draft.typed.fields]
    by_name, others = placed(faults, section.title_of_faults, names)
    typed = ShownSection(
        section=section,
        entries=tuple(draft.entries(by_name)),
        trouble=trouble,
        others=tuple(others[:MOST]),
    )
    return _shown(asked, current, [(section.name, typed)], status=422)


def _shown(
    asked: Asked,
    current: ConfigurationText,
    wanted: list[tuple[str, ShownSection | None]],
    status: int = 200,
) -> Answer:
    """Return the page.

    :param wanted: names of tables, with the section of it that was typed.
    """
    first = number_of(asked.query, "from", 0) if asked.name else 0
    groups = []
    for name, typed in wanted:
        *written, last = sections_of(name, current.tables)
        some = [*islice(written, first, first + MOST), last]
        if typed:
            some = [each for each in some if each.index != typed.section.index]
        shown = [
            ShownSection(section=each, entries=tuple(each.draft({}, asked.kept).entries({})))
            for each in some
        ]
        # What was typed is what they look for.
        groups.append(
            {
                "name": name,
                "repeated": last.table.repeated,
                "sections": [typed, *shown] if typed else shown,
                "before": max(first - MOST, 0) if first else None,
                "after": first + MOST if len(written) > first + MOST else None,
                "count": len(written),
            }
        )
    values = {
        "current": current,
        "names": NAMES,
        "name": asked.name,
        "groups": groups,
        "only": not asked.may(Role.CONFIGURE),
    }
    return Shown(template="settings.html", values=values, status=status, slow=True)


def _question(
    section: Section, verb: str, change: ConfigurationChange, fields: Mapping[str, str]
) -> Answer:
    removes = verb == section.removing
    # The page goes with its table.
    warning = " It serves this page, and the API, too." if removes and section.name == "web" else ""
    index = "" if section.index is None else str(section.index)
    asked = question(
        change,
        verb=verb,
        title=f"{verb} {section.title.removeprefix('New ')}?{warning}",
        path=f"/settings/{section.name}{'/remove' if removes else ''}",
        back=f"/settings#{section.id}",
        fields=[("index", index), ("mark", section.mark), *fields.items()],
        name=section.title.removeprefix("New "),
    )
    return attrs.evolve(asked, template="table_question.html", slow=True)


def _done(section: Section, verb: str, change: ConfigurationChange, keys: str = "") -> Answer:
    told = f"{verb}: {section.title.removeprefix('New ')}{f': {keys}' if keys else ''}"
    return Done(to=f"/settings#{section.name}", text=told, details=what_changed(change))
