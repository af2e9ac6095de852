"""What would change: which mails of the last days would take another account.

Both accounts are those of the registries, by the search that routes mail.  It is done in steps, and
ends after a while: somebody waits for it, and mail goes first.
"""

from __future__ import annotations

from collections.abc import Callable

import attrs
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from ..errors import HistoryError
from ..events import Publisher
from ..history import BACKWARD, History, Search, Story
from ..history.story import Place
from ..routing.account import REPORTS_ACCOUNT
from ..routing.registry import AccountRegistry
from ..times import Time
from .configured import Effects, Rerouted
from .pace import Pace

#: Seconds from now back, mails and recipients that are looked at.
PERIOD, MOST_MAILS, MOST_RECIPIENTS = 7 * 24 * 3600.0, 5_000, 20_000
#: Seconds that it may take.
LONGEST = 4.0
#: Stories of one piece, and recipients that are routed at a time: some milliseconds.
PIECE, STEP = 50, 50
#: Recipients that are named.
MOST_NAMED = 200


@attrs.frozen
class Comparing:
    """Compares where the last mails would go.

    :param history: returns it, unless it is off.
    :param events: tell of mail, which goes first.
    :param wall: tells the time that people read.
    """

    _history: Callable[[], History | None]
    _events: Publisher
    _clock: IReactorTime
    _wall: Callable[[], float]

    async def effects(self, before: AccountRegistry, after: AccountRegistry) -> Effects:
        """Compare two registries; never fails."""
        if before.routes_as(after):
            return Effects()
        history = self._history()
        if history is None:
            return Effects(problem="which mails change is not known: keep is 0 in [history]")
        comparison = _Comparison(before, after, self._clock)
        since = self._wall() - PERIOD
        pace = Pace(self._events, self._clock)
        try:
            whole = await _look(history, comparison, since, pace)
        except HistoryError as error:
            return comparison.effects(since=None, problem=str(error))
        finally:
            pace.end()
        return comparison.effects(since=since if whole else comparison.oldest)


async def _look(history: History, comparison: _Comparison, since: float, pace: Pace) -> bool:
    """Look at the mails that arrived since then, the last first; tell whether at all of them."""
    place: Place | None = BACKWARD.start
    while place is not None:
        page = await history.find(Search(), PIECE, place, BACKWARD)
        for story in page.stories:
            if story.arrived < since:
                return True
            if comparison.is_enough:
                return False
            await comparison.look(story)
        place = page.after
        await pace.give_way()
    return True


@attrs.define(eq=False)
class _Comparison:
    """Two registries, and the mails that they route differently.

    :ivar oldest: when the last one arrived that was looked at.
    """

    _before: AccountRegistry
    _after: AccountRegistry
    _clock: IReactorTime
    _ends: float = attrs.field(init=False)
    oldest: Time | None = attrs.field(default=None, init=False)
    _mails: int = attrs.field(default=0, init=False)
    _recipients: int = attrs.field(default=0, init=False)
    _more: int = attrs.field(default=0, init=False)
    _changed: list[Rerouted] = attrs.field(factory=list, init=False)

    def __attrs_post_init__(self) -> None:
        self._ends = self._clock.seconds() + LONGEST

    @property
    def is_enough(self) -> bool:
        """No more mails are looked at."""
        return (
            self._mails >= MOST_MAILS
            or self._recipients >= MOST_RECIPIENTS
            or self._clock.seconds() >= self._ends
        )

    async def look(self, story: Story) -> None:
        """Look at one mail."""
        self._mails += 1
        self.oldest = story.arrived
        for recipient in dict.fromkeys(story.recipients):
            before = _account(self._before, story, recipient)
            after = _account(self._after, story, recipient)
            if before != after:
                self._note(story, recipient, before, after)
            self._recipients += 1
            if self._recipients % STEP == 0:
                await deferLater(self._clock, 0)

    def _note(self, story: Story, recipient: str, before: str | None, after: str | None) -> None:
        if len(self._changed) == MOST_NAMED:
            self._more += 1
            return
        self._changed.append(
            Rerouted(
                id=story.id, sender=story.sender, recipient=recipient, before=before, after=after
            )
        )

    def effects(self, *, since: float | None, problem: str = "") -> Effects:
        """Return what has been found."""
        return Effects(
            looked_at=self._mails,
            since=None if since is None else Time(since),
            changed=tuple(self._changed),
            more=self._more,
            problem=problem,
        )


def _account(registry: AccountRegistry, story: Story, recipient: str) -> str | None:
    """Name the account that takes a mail."""
    if _is_report(story) and registry.account(REPORTS_ACCOUNT):
        return REPORTS_ACCOUNT
    route = next(registry.routes(story.sender, story.author, recipient), None)
    return None if route is None else route.account


def _is_report(story: Story) -> bool:
    """Whether the relay itself has made a mail: then it has no client and no sender."""
    return story.client is None and not story.sender
