"""The page Overview: how the relay is, each of its accounts, and what happens to mails now."""

from __future__ import annotations

from collections.abc import Mapping

from ...operations.errors import BadRequestError
from ...operations.overview import Part
from ...outcome.condition import State
from ..answers import Answer, Asked, Shown, Streamed
from ..board import board
from ..live import MOST


async def show(asked: Asked) -> Answer:
    """Show it."""
    part = part_of(asked.query)
    overview = await asked.operations.overviews.of(part)
    values = {"board": board(overview, part, asked.operations.now()), "part": part, "states": State}
    return Shown(template="overview.html", values=values)


async def stream(asked: Asked) -> Answer:
    """Tell what changes of it, and what happens."""
    part = part_of(asked.query)
    if asked.live.full:
        text = f"{MOST} pages are open already; close one, or try again later"
        return Shown(template="fault.html", values={"status": 503, "text": text}, status=503)
    return Streamed(begin=lambda request, _: asked.live.begin(request, part, asked.holds))


def part_of(query: Mapping[str, str]) -> Part:
    """Return which accounts are asked for.

    :raise BadRequestError: it cannot be understood.
    """
    state, page = query.get("state", ""), query.get("page", "") or "1"
    if state and state not in [each.value for each in State]:
        raise BadRequestError(f'state: "{state}" is none of {", ".join(s.value for s in State)}')
    if not (page.isascii() and page.isdigit() and len(page) < 10):
        raise BadRequestError(f'page: "{page}" is no number')
    return Part(
        words=tuple(query.get("account", "").casefold().split()),
        state=State(state) if state else None,
        page=int(page),
    )
