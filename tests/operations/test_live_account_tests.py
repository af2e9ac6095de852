"""The test of an account over real sockets: what a server shows inside TLS."""

from __future__ import annotations

import time
from pathlib import Path
from tempfile import TemporaryDirectory

from twisted.internet import ssl
from twisted.trial.unittest import TestCase

from multisendcon_plugin.logins import Logins
from multisendcon_plugin.operations.account_tests import AccountTests
from multisendcon_plugin.operations.values import AccountTest
from multisendcon_plugin.relay import Relays
from multisendcon_plugin.routing.account import Account
from multisendcon_plugin.routing.hop import Tls
from multisendcon_plugin.testing import Authority, Provider
from tests.relays import Names, login

NAME, OTHER_NAME, IP = "mx.provider.example", "other.example", "127.0.0.1"
OPENINGS = ((True, Tls.IMPLICIT), (False, Tls.STARTTLS))


class RealTLS(TestCase):
    timeout = 60

    def setUp(self):
        from twisted.internet import reactor

        self.reactor = reactor
        self.authority = Authority()
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.tls_ca = self.authority.write(Path(folder.name) / "authority.pem")
        real = reactor.installNameResolver(Names(**{NAME: (IP,)}))
        self.addCleanup(reactor.installNameResolver, real)

    def provide(self, certificate, *, implicit):
        self.logins = []
        provider = Provider(
            self.reactor,
            tls=certificate,
            implicit_tls=implicit,
            users={"sales": "s3cret"},
            answer=lambda phase, about: self.logins.append((phase, about)),
        )
        self.addCleanup(provider.stop)
        return provider.listen()

    async def examine(self, port, **account):
        tests = AccountTests(
            Relays(self.reactor, 5, Logins(self.reactor).of), lambda: 1000, time.time
        )
        settings = {"server": NAME, "port": port, "tls_ca": self.tls_ca, **login(), **account}
        return await tests.run(
            Account(name="Sales", helo_domain="relay.example", **settings), AccountTest()
        )

    async def examine_both_ways(self, certificate, **account):
        """Test a server that begins with TLS and one that has STARTTLS."""
        return [
            await self.examine(self.provide(certificate, implicit=implicit), tls=tls, **account)
            for implicit, tls in OPENINGS
        ]

    async def refuse(self, certificate, result, advice, *, shown=True, **account):
        """Test a server whose certificate must not be accepted."""
        for tested in await self.examine_both_ways(certificate, **account):
            failed = next(step for step in tested.steps if not step.ok)
            assert failed.step == "tls"
            assert result in failed.result
            assert tested.advice.startswith(advice), tested.advice
            assert not tested.ok
            assert not any("AUTH PLAIN" in line and "C:" in line for line in tested.transcript)
            assert bool(tested.certificates) is shown
            assert self.logins == []
        return tested

    async def test_what_a_server_shows_is_told(self):
        for tested in await self.examine_both_ways(self.authority.server(NAME, IP)):
            assert tested.ok, tested
            (tls,) = [step for step in tested.steps if step.step == "tls"]
            assert tls.result.startswith("TLSv1.3, TLS_")
            (certificate, *_) = tested.certificates
            assert certificate.names == (NAME, IP)
            assert certificate.subject == f"CN={NAME}"
            assert certificate.issuer == "CN=Authority for tests"
            assert certificate.days_left == 29
            (shown,) = [step for step in tested.steps if step.step == "certificate"]
            assert shown.result == (
                f"CN={NAME}, for {NAME}, {IP}, issued by CN=Authority for tests, 29 days left,"
                f" sha256:{certificate.fingerprint}"
            )
            assert not any(step.advice for step in tested.steps)

    async def test_the_fingerprints_that_are_told_can_be_pinned(self):
        certificate = self.authority.self_signed(NAME)
        tested = await self.refuse(
            certificate,
            "the certificate is self-signed",
            'If it is the right server, set "tls_ca" to a file with the certificate of its'
            ' authority, or "tls_fingerprint"',
            tls_ca=None,
        )
        shown = tested.certificates[0]
        for pinned in (shown.fingerprint, shown.key_fingerprint):
            for again in await self.examine_both_ways(certificate, tls_fingerprint=pinned):
                assert again.ok, again

    async def test_a_certificate_that_ends_soon_is_worth_a_word(self):
        certificate = self.authority.server(NAME, days=(-80, 10))
        for tested in await self.examine_both_ways(certificate):
            assert tested.ok
            (shown,) = [step for step in tested.steps if step.step == "certificate"]
            assert (
                shown.advice == "The provider has to renew the certificate: it expires in 9 days."
            )

    async def test_an_expired_certificate(self):
        tested = await self.refuse(
            self.authority.expired(NAME),
            "the certificate has expired",
            f"Ask the provider to renew the certificate of {NAME}",
        )
        assert tested.certificates[0].days_left == -2

    async def test_a_certificate_of_the_future(self):
        await self.refuse(
            self.authority.server(NAME, days=(2, 30)),
            "not valid yet",
            "Set the clock of this machine",
        )

    async def test_a_certificate_with_another_name(self):
        tested = await self.refuse(
            self.authority.server(OTHER_NAME),
            f"not for {NAME} but for {OTHER_NAME}",
            'Set "server" to a name that the certificate is for, or "tls_name" if',
        )
        assert tested.certificates[0].names == (OTHER_NAME,)

    async def test_an_unknown_authority(self):
        await self.refuse(
            Authority("Another").server(NAME),
            "unknown authority",
            'If it is the right server, set "tls_ca" to a file',
        )

    async def test_another_certificate_than_the_pinned_one(self):
        await self.refuse(
            self.authority.server(NAME),
            "not the one of tls_fingerprint",
            "Ask the provider whether the certificate was replaced",
            tls_fingerprint="0" * 64,
        )

    async def test_an_old_version_of_tls(self):
        await self.refuse(
            self.authority.outdated(NAME, newest=ssl.TLSVersion.TLSv1_1),
            "nothing newer than TLS 1.1",
            "The server has to be renewed by whoever runs it",
            shown=False,
        )

    async def test_an_authority_that_cannot_be_read(self):
        tested = await self.examine(1, tls=Tls.IMPLICIT, tls_ca="/nowhere")
        assert [step.step for step in tested.steps] == ["dns", "tls"]
        assert tested.advice == 'Set "tls_ca" to a PEM file that the user of the relay can read.'

    async def test_a_port_that_is_spoken_in_the_clear(self):
        port = self.provide(self.authority.server(NAME), implicit=False)
        tested = await self.examine(port, tls=Tls.IMPLICIT)
        assert tested.advice.startswith(f"Port {port} does not begin with TLS, or has no mail")

    async def test_nothing_listens(self):
        provider = Provider(self.reactor)
        port = provider.listen()
        await provider.stop()
        tested = await self.examine(port, tls=Tls.IMPLICIT)
        assert [step.step for step in tested.steps] == ["dns", "connect"]
        assert tested.advice.startswith('Check "server" and "port": nothing listens there')
