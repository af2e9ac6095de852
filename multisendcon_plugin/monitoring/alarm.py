"""When a trouble is told: when it begins, when it is worse, from time to time, and when it is over.

Pure.
"""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from ..operations.values import Alarm, AlarmKind
from ..times import Time
from .troubles import Trouble


@attrs.define
class _Known:
    """A trouble that is not over.

    :param told: when it was told last.
    """

    alarm: Alarm
    told: float
    urgent: bool


class AlarmBook:
    """Which alarms there are."""

    def __init__(self) -> None:
        self._known: dict[tuple[AlarmKind, str | None], _Known] = {}

    @property
    def current(self) -> tuple[Alarm, ...]:
        """Those that are not over, the oldest first."""
        return tuple(sorted((each.alarm for each in self._known.values()), key=_begun))

    def update(self, troubles: Iterable[Trouble], now: float, repeat: float) -> list[Alarm]:
        """Take note of all troubles that there are now; return what is to be told.

        :param now: by the clock on the wall.
        :param repeat: seconds after which it is told again that a trouble is not over.
        """
        there: dict[tuple[AlarmKind, str | None], Trouble] = {}
        for trouble in troubles:
            key = trouble.kind, trouble.account
            # Of two that are one to an admin, such as a disk, the worse one counts.
            if key not in there or trouble.urgent:
                there[key] = trouble
        ended = [key for key in self._known if key not in there]
        told = [attrs.evolve(self._known.pop(key).alarm, over=True) for key in ended]
        for key, trouble in there.items():
            known = self._known.get(key)
            since = known.alarm.since if known else Time(trouble.since or now)
            alarm = Alarm(
                kind=trouble.kind, account=trouble.account, text=trouble.text, since=since
            )
            # The clock may have been set back.
            quiet = known is not None and 0 <= now - known.told < repeat
            if known is not None and quiet and known.urgent >= trouble.urgent:
                known.alarm = alarm
                continue
            self._known[key] = _Known(alarm, now, trouble.urgent)
            told.append(alarm)
        return told


def _begun(alarm: Alarm) -> float:
    return alarm.since
