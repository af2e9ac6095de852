"""Makes overviews of what a survey has found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

import attrs

from ..mail.selection import Total
from ..outcome.condition import Condition
from .overview import Overview, Part, page_of, ranked
from .survey import Survey
from .values import Alarm, Status


@attrs.frozen
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

    async def of(self, part: Part) -> Overview:
        """Make one."""
        look = await self._survey.look()
        alarmed = {each.account for each in self._alarms() if each.account}
        found = [each for each in ranked(look.conditions, alarmed) if part.has(each)]
        shown, page = page_of(found, part.page)
        return Overview(
            status=self._status(look.totals or {}, shown),
            counted=look.totals is not None,
            states=Counter(each.state for each in look.conditions),
            found=len(found),
            page=page,
            by_minute={each.account: self._by_minute(each.account) for each in shown},
        )
