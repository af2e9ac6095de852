"""The implementations of `IIntake`, each over a queue in memory."""

from __future__ import annotations

from twisted.python.failure import Failure

from tests.front.channels import FrontWorld
from tests.queue_world import World, account, silent


class QueueIntake:
    """The queue itself.

    :ivar intake: what is under test.
    :ivar world: its queue; the only account's server says nothing, so messages stay in the spool.
    """

    def __init__(self):
        self.world = World(account("Sales"))
        self.world.servers["Sales"] = silent
        self.intake = self.make()
        self.let_go_on()

    def make(self):
        return self.world.queue

    def let_go_on(self):
        """Let what has begun come to its end."""
        self.world.run(1.0)

    def wait(self, deferred):
        """Return the result of a Deferred, or raise its failure."""
        results = []
        deferred.addBoth(results.append)
        self.let_go_on()
        (result,) = results
        if isinstance(result, Failure):
            result.raiseException()
        return result


class FrontIntakeOverQueue(QueueIntake):
    """The intake of a front process, and the server where its messages are handed over.

    :ivar at_once: octets that each of them reads at once.
    """

    at_once = None

    def make(self):
        self.front = FrontWorld(self.world.queue, self.world.clock)
        return self.front.intake

    def let_go_on(self):
        for _ in range(2):  # there, and back
            self.front.flush(self.at_once)
            super().let_go_on()
        self.front.flush(self.at_once)


class CrawlingFrontIntake(FrontIntakeOverQueue):
    """The same, over a connection that carries little at a time."""

    at_once = 1000
