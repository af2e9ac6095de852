"""Whether the relay lives, and whether it takes mail: for a watchdog, and for a load balancer."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from ..operations.standing import Standing

#: Seconds that the writer may take for what is before it.  A disk that is very busy takes some.
ANSWER_WITHIN = 10.0


class Health:
    """Asks those without whom no mail gets on whether they still do something.

    That the reactor does is seen by its answering at all.

    :param heartbeat: of the spool, see `IStore`.
    """

    def __init__(self, heartbeat: Callable[[], Deferred[None]], clock: IReactorTime) -> None:
        self._heartbeat = heartbeat
        self._clock = clock

    def well(self) -> Deferred[bool]:
        """Tell whether nothing hangs; never fails.

        A spool that is broken does not hang: it needs somebody, and no restart.
        """
        beat = self._heartbeat().addTimeout(ANSWER_WITHIN, self._clock)
        return beat.addCallbacks(lambda _: True, lambda _: False)


def not_ready(standing: Standing, *, listening: bool) -> str:
    """Say why new mail is not taken; ``""``: it is.

    :param listening: ports are open.
    """
    if not listening:
        return "no port is open for clients"
    if standing.spool.broken:
        return f"the spool is broken: {standing.spool.error}"
    if standing.spool.full:
        return f"the spool is full: {standing.spool.error}"
    if standing.front == "restarting":
        return "the front process, which serves the clients, is being restarted"
    return ""
