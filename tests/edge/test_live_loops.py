"""Mail that comes back to a relay that it has left: on real sockets, until it ends."""

from __future__ import annotations

from multisendcon_plugin.edge.delivery import MOST_PASSES
from tests.interop.programs import free_port
from tests.live_relay import SENDER, LiveRelayTestCase, account

HERE = "127.0.0.1"


class LoopTests(LiveRelayTestCase):
    """A ring of relays, each with the next one as the server of its account."""

    def ring(self, hostnames, more=""):
        ports = [free_port(HERE) for _ in hostnames]
        for n, hostname in enumerate(hostnames):
            self.relay(
                account(f"from-{n}", server=HERE, port=ports[(n + 1) % len(ports)]),
                listen=[f"tcp:port={ports[n]}:interface={HERE}"],
                hostname=hostname,
                spool=f"spool-{n}",
                more=more,
            )

    async def passes(self, hostnames):
        """Send a mail into the ring; return how often a relay has taken it."""
        reports = self.provider()
        self.ring(hostnames, f'[ndr]\nserver = "{HERE}"\nport = {reports.address.port}')
        await self.send()
        (report,) = await reports.wait_for(1)
        assert report.recipients == (SENDER,)
        assert b"554 5.4.6 the mail has been here several times" in report.content
        return len(self.log.having(f"accepted from <{SENDER}>"))

    async def test_two_relays_that_point_at_each_other(self):
        assert await self.passes(["a.example", "b.example"]) == 2 * MOST_PASSES

    async def test_two_relays_of_one_name(self):
        assert await self.passes(["a.example", "A.example"]) == MOST_PASSES

    async def test_a_ring_of_three(self):
        assert await self.passes(["a.example", "b.example", "c.example"]) == 3 * MOST_PASSES

    async def test_the_report_on_it_goes_round_no_longer(self):
        self.ring(["a.example", "b.example"])
        await self.send()
        await self.log.wait_for("not delivered, and nobody can be told")
        assert len(self.log.having("accepted from <>")) == 2 * MOST_PASSES
