"""Which of thousands of accounts somebody wants to see, and on which page they are.  Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

import attrs

from ..outcome.condition import State

T = TypeVar("T")

#: Accounts of one page.
ROWS = 100


@attrs.frozen(kw_only=True)
class Part:
    """Which accounts are to be seen.

    :param words: each stands in what an account is looked for by, in capitals or not.
    :param state: ``None``: in any.
    :param page: from 1 on, of `ROWS` accounts each.
    """

    words: tuple[str, ...] = ()
    state: State | None = None
    page: int = 1

    def admits(self, texts: Iterable[str]) -> bool:
        """Tell whether all words stand in these texts of an account."""
        if not self.words:
            return True
        text = "\n".join(texts).casefold()
        return all(word.casefold() in text for word in self.words)


def pages_of(found: int) -> int:
    """Return how many pages there are, one at least."""
    return max(1, -(-found // ROWS))


def page_of(found: Sequence[T], page: int) -> tuple[Sequence[T], int]:
    """Return the accounts of a page, and its number; of the last one, if there are less."""
    page = max(1, min(page, pages_of(len(found))))
    return found[(page - 1) * ROWS : page * ROWS], page
