"""The page Overview: how the relay is, each of its accounts, and what happens to mails now."""

from __future__ import annotations

from ...outcome.condition import State
from ..answers import Answer, Asked, Shown, Streamed
from ..board import board
from ..filters import part_of
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
