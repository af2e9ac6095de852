"""What a lane knows of the others of its account: the line in which they wait for their turn."""

from __future__ import annotations

from typing import Any, Protocol


class Line(Protocol):
    """Where the lanes of one account wait, see `turns`.

    :ivar turn: the lane that may begin one mail now; ``None``: none may.
    """

    turn: Any

    def takes_turn(self, lane: Any, /) -> bool:
        """Tell whether a lane whose own gates are open may begin a mail; else it is in the line."""

    def begun(self) -> None:
        """The lane whose turn it is has begun a mail."""

    def settled(self, count: int, /) -> None:
        """What came of so many mails is durable."""

    def rests(self, lane: Any, /) -> None:
        """A lane has done what it could; if it has nothing in hand, it may end."""

    def go(self) -> None:
        """Let lanes have their turns, as far as the gates of the account are open."""
