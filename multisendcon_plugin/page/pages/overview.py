"""The page Overview: how the relay is, and each of its accounts."""

from __future__ import annotations

from ..answers import Answer, Asked, Shown


async def show(asked: Asked) -> Answer:
    """Show it."""
    return Shown(template="overview.html", values={"status": await asked.operations.status()})
