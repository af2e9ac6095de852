"""Misdeeds on real sockets, where a buffer fills up and a connection does not close by itself."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall
from twisted.trial.unittest import TestCase

from multisendcon_plugin.mail.phase import Phase
from multisendcon_plugin.outcome.attempt import Verdict
from multisendcon_plugin.relay.factory import IDLE
from multisendcon_plugin.relay.sender import PATIENCE
from multisendcon_plugin.routing.hop import Tls
from multisendcon_plugin.testing import Authority, EvilProvider
from multisendcon_plugin.testing.misdeeds import drop, drop_at, hang, stop_reading, times
from tests.reactors import ReactorWithClock
from tests.relays import CONTENT, login, send, verdicts

DELIVERED, DEFERRED, FAILED, UNCERTAIN = Verdict
#: More than the buffers of two sockets hold.
LARGE = CONTENT + b"a line that fills buffers\r\n" * 800_000


class RealSockets(TestCase):
    timeout = 60

    def setUp(self):
        from twisted.internet import reactor

        self.real = reactor
        self.reactor = ReactorWithClock(reactor)
        self.certificate = Authority().server("127.0.0.1")

    def provide(self, script, **settings):
        provider = EvilProvider(self.real, script, tls=self.certificate, **settings)
        self.port = provider.listen()
        self.addCleanup(provider.stop)
        return provider

    def send(self, content=CONTENT, *, tls=Tls.STARTTLS):
        return send(
            self,
            self.reactor,
            content,
            server="127.0.0.1",
            port=self.port,
            **login(tls=tls, tls_verify=False),
        )

    def hurry(self):
        """Let a minute pass in each moment, from now on."""
        passing = LoopingCall(self.reactor.clock.advance, 60)
        passing.clock = self.real
        passing.start(0.01)
        return passing

    async def test_who_stops_reading_is_left_and_the_socket_closed(self):
        for tls in (Tls.STARTTLS, Tls.IMPLICIT, Tls.NONE):
            stopped = Deferred()

            def misdeed(turn, stopped=stopped):
                stop_reading(turn)
                stopped.callback(None)

            provider = self.provide({Phase.CONTENT: misdeed}, implicit_tls=tls is Tls.IMPLICIT)
            attempt = self.send(LARGE, tls=tls)
            await stopped
            passing = self.hurry()
            ended = await attempt
            passing.stop()
            assert verdicts(ended) == [DEFERRED]
            assert str(ended.fault) == (
                f"content: 4.4.2 the server did not answer for {PATIENCE[Phase.CONTENT]:.0f} s"
            )
            # Who does not read does not see a connection end either.
            (session,) = provider.sessions
            session.transport.resumeProducing()
            await session.ended
            assert provider.mails == provider.unacknowledged == []

    async def test_who_never_answers_quit_is_hung_up_on(self):
        for tls in (Tls.STARTTLS, Tls.IMPLICIT, Tls.NONE):
            asked = Deferred()

            def misdeed(_, asked=asked):
                asked.callback(None)

            provider = self.provide({Phase.QUIT: misdeed}, implicit_tls=tls is Tls.IMPLICIT)
            assert verdicts(await self.send(tls=tls)) == [DELIVERED]
            self.reactor.clock.advance(IDLE)
            await asked
            self.reactor.clock.advance(PATIENCE[Phase.QUIT])
            await provider.sessions[0].ended

    async def test_a_large_mail_cut_in_the_middle_is_deferred(self):
        # No clock helps here: the end of the connection has to be seen.
        for tls in (Tls.STARTTLS, Tls.IMPLICIT, Tls.NONE):
            for octets in (0, 1, 100_000, len(LARGE) // 2):
                provider = self.provide(
                    {Phase.CONTENT: drop_at(octets)}, implicit_tls=tls is Tls.IMPLICIT
                )
                attempt = await self.send(LARGE, tls=tls)
                assert attempt.fault.phase is Phase.CONTENT
                assert verdicts(attempt) == [DEFERRED]
                assert provider.mails == provider.unacknowledged == []

    async def test_a_connection_lost_after_the_final_dot_is_uncertain(self):
        for misdeed in (drop(), drop(reset=True), drop(5)):
            provider = self.provide({Phase.END: misdeed})
            assert verdicts(await self.send()) == [UNCERTAIN]
            assert len(provider.unacknowledged) == 1
            assert provider.mails == []

    async def test_who_has_recovered_gets_the_mail(self):
        provider = self.provide({Phase.GREETING: times(1, drop()), Phase.RCPT: times(1, drop())})
        found = [verdicts(await self.send()) for _ in range(3)]
        assert found == [[DEFERRED], [DEFERRED], [DELIVERED]]
        (mail,) = provider.mails
        assert mail.session == 3
        assert mail.content == CONTENT.replace(b"\r\n..", b"\r\n.")

    async def test_a_provider_stops_while_it_hangs(self):
        provider = self.provide({Phase.GREETING: hang})
        attempt = self.send()
        await self.reactor.timer_set()
        await provider.stop()
        assert verdicts(await attempt) == [DEFERRED]
