"""The page Mails: what became of mails, found by anything; and the story of one of them."""

from __future__ import annotations

from contextlib import aclosing
from typing import Any

from ...history import BACKWARD, Story
from ...operations.errors import BadRequestError, NotFoundError, RefusedError
from ...operations.values import DeliveryState, HistoryFilter, WaitingMessage
from ..answers import Answer, Asked, Shown
from ..filters import address, filter_of, said
from .outcomes import accounts, outcome

#: Mails of one page.
ROWS = 50


async def show(asked: Asked) -> Answer:
    """Show the mails that are looked for."""
    fields, after = said(asked.query, HistoryFilter), asked.query.get("after", "")
    found: list[Story] = []
    trouble = ""
    try:
        found = await _found(asked, filter_of(asked.query, HistoryFilter), after)
    except (BadRequestError, RefusedError) as error:
        trouble = str(error)
    values = {
        "fields": fields,
        "rows": [(each, accounts(each), outcome(each)) for each in found],
        "trouble": trouble,
        "first": address("/mails", fields) if after else "",
        "next": (address("/mails", fields | {"after": found[-1].id}) if len(found) == ROWS else ""),
    }
    return Shown(template="mails.html", values=values, status=422 if trouble else 200)


async def _found(asked: Asked, wanted: HistoryFilter, after: str) -> list[Story]:
    found: list[Story] = []
    async with aclosing(asked.operations.history(wanted, ROWS, after, BACKWARD)) as pieces:
        async for piece in pieces:
            found += piece
    return found


async def show_one(asked: Asked) -> Answer:
    """Show all that is known of a mail, and where it is now."""
    story, trouble = await _story(asked)
    waiting = await _waiting(asked)
    if story is None and waiting is None:
        raise NotFoundError(trouble)
    values: dict[str, Any] = {
        "id": asked.name,
        "story": story,
        "outcome": outcome(story) if story else "",
        "trouble": trouble,
        "waiting": waiting,
    }
    if waiting is not None:
        held = [each.state is DeliveryState.HELD for each in waiting.deliveries]
        values |= {
            "some_held": any(held),
            "some_not_held": not all(held),
            "accounts": asked.operations.enabled_accounts(),
        }
    return Shown(template="mail.html", values=values)


async def _story(asked: Asked) -> tuple[Story | None, str]:
    """Return the story of a mail, or why there is none."""
    try:
        return await asked.operations.story(asked.name), ""
    except (NotFoundError, RefusedError) as error:
        return None, str(error)


async def _waiting(asked: Asked) -> WaitingMessage | None:
    try:
        return await asked.operations.message(asked.name)
    except NotFoundError:
        return None
