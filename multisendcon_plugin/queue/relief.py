"""What is done for a mail than to wait, while its account rests or has used up a quota."""

from __future__ import annotations

from collections.abc import Mapping

import attrs
from twisted.internet.interfaces import IReactorTime

from ..mail.message import Delivery, LaneKey
from ..outcome.attempt import AccountFault
from ..outcome.failure import Action
from .lane import Lane
from .recorder import Recorder


@attrs.define(eq=False, repr=False, slots=False)
class Relief:
    """Finds relief for the mail of one queue.

    :param clock: is never set.
    """

    _recorder: Recorder
    _lanes: Mapping[LaneKey, Lane]
    _clock: IReactorTime

    def relieve(self, lane: Lane, delivery: Delivery, fault: AccountFault) -> bool:
        """Move a delivery away from an account that rests, or tell its sender that it waits.

        Who only asks us to slow down takes it a little later; until `Health` finds that this lasts.
        So does who has used up a quota, if that is wanted.
        """
        stays = fault.action is Action.SLOW or lane.gates.waits_for_quota(fault)
        name = None if stays else self._recorder.fallback(delivery)
        if name is not None and not self._rests((name, delivery.destination)):
            self._recorder.move(lane, delivery, name)
            return True
        return self._recorder.tell_of_delay(lane, delivery, fault)

    def _rests(self, key: LaneKey) -> bool:
        """The account is at fault, or a quota is used up: it takes nothing over."""
        lane = self._lanes.get(key)
        if lane is None:
            return False
        now = self._clock.seconds()
        full = lane.full(now)
        return lane.gates.condition.fault is not None or (full is not None and full.for_long(now))
