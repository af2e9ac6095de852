"""Makes overviews of what a survey has found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

import attrs

from ..mail.selection import Total
from ..outcome.condition import Condition, State
from .overview import Overview, ranked
from .parts import Part, page_of
from .survey import Look, Survey
from .values import Alarm, Status

#: Choices that are kept until the accounts are looked at again.
_MOST_KEPT = 100


@attrs.define(eq=False, repr=False, slots=False)
class Overviews:
    """Makes overviews of one relay.

    :param status: how the relay is, and some accounts of it.
    :param alarms: those that are not over.
    :param by_minute: mails of an account in each of the last whole minutes.
    """

    _survey: Survey
    _status: Callable[[Mapping[str, Total], Iterable[Condition]], Status]
    _alarms: Callable[[], Sequence[Alarm]]
    _by_minute: Callable[[str], tuple[int, ...]]

    def __attrs_post_init__(self) -> None:
        self._look: Look | None = None
        self._ranked: list[Condition] = []
        self._states: Mapping[State, int] = {}
        self._found: dict[Part, list[Condition]] = {}

    async def of(self, part: Part) -> Overview:
        """Tell how the relay is, and those of its accounts that need somebody most.

        It may be asked for again and again: for a second, or longer if there are thousands of
        accounts, they are the same.
        """
        look = await self._survey.look()
        found = self._choice(look, part)
        shown, page = page_of(found, part.page)
        return Overview(
            status=self._status(look.totals or {}, shown),
            counted=look.totals is not None,
            states=self._states,
            found=len(found),
            page=page,
            by_minute={each.account: self._by_minute(each.account) for each in shown},
        )

    def _choice(self, look: Look, part: Part) -> list[Condition]:
        """Return the accounts that are to be seen, in their order: found once for each look."""
        if look is not self._look:
            alarmed = {each.account for each in self._alarms() if each.account}
            self._look, self._ranked = look, ranked(look.conditions, alarmed)
            self._states = Counter(each.state for each in look.conditions)
            self._found.clear()
        part = attrs.evolve(part, page=1)
        found = self._found.get(part)
        if found is None:
            found = [each for each in self._ranked if _is_in(part, each)]
            if len(self._found) < _MOST_KEPT:
                self._found[part] = found
        return found


def _is_in(part: Part, condition: Condition) -> bool:
    return part.state in (None, condition.state) and part.admits([condition.account])
