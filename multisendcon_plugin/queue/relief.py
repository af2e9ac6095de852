"""What is done for a mail than to wait, while its account rests or has used up a quota."""

from __future__ import annotations

import attrs
from twisted.internet.interfaces import IReactorTime

from ..mail.message import Delivery
from ..outcome.attempt import AccountFault, Scope
from ..outcome.failure import Action
from .lane import Lane
from .recorder import Recorder
from .ways import Ways


@attrs.define(eq=False, repr=False, slots=False)
class Relief:
    """Finds relief for the mail of one queue.

    :param clock: is never set.
    """

    _recorder: Recorder
    _ways: Ways
    _clock: IReactorTime

    def relieve(self, lane: Lane, delivery: Delivery, fault: AccountFault) -> bool:
        """Move a delivery away from an account that rests, or tell its sender that it waits.

        Who only asks us to slow down takes it a little later; until `Health` finds that this lasts.
        So does who has used up a quota, if that is wanted.  What waits for a destination at fault
        is given up after its time, too, whether it was tried itself or not.
        """
        # One that has failed once may have had a bad moment.
        lasts = fault.scope is Scope.DESTINATION and lane.gates.health.pauses > 1
        if lasts and self._recorder.expire(lane, delivery, fault):
            return True
        stays = fault.action is Action.SLOW or lane.gates.waits_for_quota(fault)
        name = None if stays else self._recorder.fallback(delivery, fault)
        if name is not None and not self._rests(name, delivery):
            self._recorder.move(lane, delivery, name)
            return True
        return self._recorder.tell_of_delay(lane, delivery, fault)

    def _rests(self, name: str, delivery: Delivery) -> bool:
        """The account is at fault, or a quota is used up: it takes nothing over."""
        way = self._ways.known(name)
        if way is None:
            return False
        gates = way.gates
        now = self._clock.seconds()
        full = None if gates.quota is None else gates.quota.closed(delivery, now)
        return gates.condition.fault is not None or (full is not None and full.for_long(now))
