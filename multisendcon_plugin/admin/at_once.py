"""What could be waited for elsewhere, and is at hand here: there is no reactor in this program."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Iterator
from typing import TypeVar

_T = TypeVar("_T")


def answer(awaitable: Awaitable[_T]) -> _T:
    """Return an answer."""
    try:
        next(awaitable.__await__())
    except StopIteration as end:
        value: _T = end.value
        return value
    raise AssertionError("somebody has to be waited for")


def pieces(iterator: AsyncIterator[_T]) -> Iterator[_T]:
    """Yield what an iteration has, each when it is asked for."""
    while True:
        try:
            piece = answer(anext(iterator))
        except StopAsyncIteration:
            return
        yield piece
