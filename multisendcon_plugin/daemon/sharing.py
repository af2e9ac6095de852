"""How what is said of many recipients is shared out over lines of the log."""

from __future__ import annotations

from collections.abc import Iterator

#: Recipients of whom the same is said in one line, and octets that they may take there: what is
#: said of them has to find room, too (see `log`).
MOST_IN_A_LINE, MOST_OCTETS = 50, 4_000


def shared(pieces: list[str]) -> Iterator[list[str]]:
    """Share out what is said of each recipient, as many as fit into each line."""
    some: list[str] = []
    octets = 0
    for piece in pieces:
        size = len(piece.encode("utf-8", "backslashreplace"))
        if some and (len(some) == MOST_IN_A_LINE or octets + size > MOST_OCTETS):
            yield some
            some, octets = [], 0
        some.append(piece)
        octets += size
    if some:
        yield some
