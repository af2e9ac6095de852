"""A relay under load that is ended again and again, and started again each time."""

from __future__ import annotations

import random
import signal
import time

import attrs

from tests.endurance.audit import Audit
from tests.interop.clients import Clients
from tests.interop.programs import until
from tests.interop.relay import Relay, account
from tests.interop.sink import Sink

#: Seconds that it may run until its end.
LONGEST_LIFE = 1.5


@attrs.frozen(kw_only=True)
class Interruption:
    """One end of the relay.

    :param sessions: that it had with the provider.
    :param lasted: seconds until the process was gone.
    :param settled: when the provider had read all that it had sent, in seconds since the epoch.
    """

    sessions: int
    lasted: float
    settled: float


@attrs.frozen(kw_only=True)
class Result:
    """What came of it.

    :param connections: that the account may have.
    :param waiting: what is left in the spool.
    """

    connections: int
    audit: Audit
    interruptions: list[Interruption]
    waiting: int

    @property
    def duplicates(self):
        """The duplicates that each interruption has made."""
        return self.audit.duplicates_of([each.settled for each in self.interruptions])

    def violations(self):
        yield from self.audit.violations()
        if self.waiting:
            yield f"{self.waiting} rows are left in the spool"


def add_options(parser, times):
    parser.add_argument("--times", type=int, default=times)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--clients", type=int, default=10, help="sessions with the relay")
    parser.add_argument("--connections", type=int, default=20, help="from the relay to the sink")


def load(options):
    """Return the arguments of `interrupted` that the command line says."""
    return {name: getattr(options, name) for name in ("times", "seed", "clients", "connections")}


def interrupted(folder, end, *, times, seed, clients=10, connections=20):
    """Run a relay, and end it so many times, at random moments.

    :param end: ends the relay, which stands still.
    """
    moments = random.Random(seed)
    interruptions = []
    with (
        Sink(folder) as sink,
        Relay(
            folder, account("Sink", sink.address, sink.port, max_connections=connections)
        ) as relay,
    ):
        with Clients(relay, sessions=clients) as sending:
            for _ in range(times):
                time.sleep(moments.uniform(0, LONGEST_LIFE))
                interruptions.append(_interrupt(relay, sink, end))
                relay.start()
            sending.wait_for(len(sending.acknowledged) + 100)
        waiting = drained(relay, sink)
        audit = Audit(accepted=frozenset(sending.acknowledged), arrivals=sink.arrivals())
    return Result(
        connections=connections, audit=audit, interruptions=interruptions, waiting=waiting
    )


def _interrupt(relay, sink, end):
    # While it stands still, no session begins or ends.
    relay.signal(signal.SIGSTOP)
    sessions = sink.sessions()
    begin = time.monotonic()
    end(relay)
    lasted = time.monotonic() - begin
    all_read(sink)
    return Interruption(sessions=sessions, lasted=lasted, settled=time.time())


def drained(relay, sink):
    """Let what is in the spool leave, and end the relay; return what would not leave."""
    try:
        until(lambda: not relay.waiting(), "the spool is empty")
    except TimeoutError:
        """The audit says what is missing."""
    relay.stop()
    all_read(sink)
    return relay.waiting()


def all_read(sink):
    until(lambda: not sink.sessions(), "the provider has read what was sent to it")
