"""What becomes of a session by what a domain demands and what its server has: over real sockets.

The demands are those of `policy`, each as it answers them.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from tempfile import TemporaryDirectory

import attrs
from cryptography.hazmat.primitives.serialization import Encoding
from twisted.internet import ssl
from twisted.trial.unittest import TestCase

from multisendcon_plugin.interfaces.policies import OPPORTUNISTIC
from multisendcon_plugin.logins import Logins
from multisendcon_plugin.outcome.tls import TlsFinding, TlsResult
from multisendcon_plugin.relay import AccountSenderFactory, ConnectionBudget, Trials
from multisendcon_plugin.relay.broken import SessionBrokenError
from multisendcon_plugin.routing.account import Account
from multisendcon_plugin.routing.dane import Dane, DaneRecord, Digest
from multisendcon_plugin.routing.hop import Demand, Hop, Tls, TlsPolicy
from multisendcon_plugin.testing import Authority, Provider

MX = "mx1.example.com"
NO_STARTTLS = TlsFinding(
    TlsResult.STARTTLS_NOT_SUPPORTED, "4.7.0 the server does not offer STARTTLS"
)
OTHER_NAME = TlsFinding(
    TlsResult.CERTIFICATE_HOST_MISMATCH,
    "the certificate is not for mx1.example.com but for mx1.example.net",
)
EXPIRED = TlsFinding(TlsResult.CERTIFICATE_EXPIRED, "the certificate has expired")
UNTRUSTED = TlsFinding(
    TlsResult.CERTIFICATE_NOT_TRUSTED, "the certificate was issued by an unknown authority"
)
TOO_OLD = TlsFinding(
    TlsResult.VALIDATION_FAILURE, "TLS failed: the server supports nothing newer than TLS 1.1"
)
NO_MATCH = TlsFinding(
    TlsResult.VALIDATION_FAILURE,
    f"the certificate of {MX} does not match its DANE records (TLSA _25._tcp.{MX})",
)


def dane_of(server):
    """Return the TLSA record of a server's own certificate."""
    der = server.certificate.to_cryptography().public_bytes(Encoding.DER)
    record = DaneRecord(False, False, Digest.SHA256, hashlib.sha256(der).digest())
    return Dane(base=MX, names=(MX, "example.com"), records=(record,))


class Policies(TestCase):
    timeout = 60

    def setUp(self):
        from twisted.internet import reactor

        self.reactor = reactor
        self.authority = authority = Authority()
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        good = authority.server(MX)
        self.servers = {
            "none": None,
            "good": good,
            "other name": authority.server("mx1.example.net"),
            "expired": authority.expired(MX),
            "untrusted": Authority("Somebody else").server(MX),
            "too old": authority.outdated(MX, newest=ssl.TLSVersion.TLSv1_1),
        }
        base = attrs.evolve(OPPORTUNISTIC, ca=authority.write(Path(folder.name) / "ca.pem"))
        required = attrs.evolve(base, mode=Tls.STARTTLS, verify=True)
        self.demands = {
            "nothing": base,
            "testing": attrs.evolve(base, demand=Demand.MTA_STS_TESTING),
            "enforce": attrs.evolve(required, demand=Demand.MTA_STS),
            "dane": attrs.evolve(required, name=MX, dane=dane_of(good)),
            "unusable": attrs.evolve(base, mode=Tls.STARTTLS, name=MX),
        }

    async def begin(self, server, tls: TlsPolicy):
        """Begin a session; return it, or why there is none, and how often it was tried."""
        provider = Provider(self.reactor, tls=server)
        self.addCleanup(provider.stop)
        port = provider.listen()
        factory = AccountSenderFactory(
            Account(name="A", server="127.0.0.1", port=port, tls_verify=False),
            self.reactor,
            ConnectionBudget(5, self.reactor),
            Trials(),
            logins=Logins(self.reactor).of,
        )
        self.addCleanup(factory.stop, 0)
        factory._hop = hop = Hop(host="127.0.0.1", port=port, tls=tls)
        if tls.name is None:
            # There is no name that leads to the provider; it is the one of the host.
            factory._hop = attrs.evolve(hop, tls=attrs.evolve(tls, name=MX))
        try:
            return await factory.fresh_session(), provider.sessions
        except SessionBrokenError as broken:
            return broken, provider.sessions

    async def expect(self, demand, **expected):
        """Compare with what becomes of a session, by what the server has."""
        assert set(expected) == {name.replace(" ", "_") for name in self.servers}
        for name, server in self.servers.items():
            want = expected[name.replace(" ", "_")]
            result, sessions = await self.begin(server, self.demands[demand])
            if isinstance(result, SessionBrokenError):
                got = ("refused", result.reply.text)
            else:
                encrypted = not result.description.endswith("no TLS")
                assert encrypted is result.secure
                got = ("encrypted" if encrypted else "clear", result.tls_finding)
            assert got == want, (demand, name)
            again = got[0] == "clear" and server is not None
            assert sessions == 1 + again

    async def test_where_nobody_demands_anything_tls_is_as_good_as_it_can_be(self):
        await self.expect(
            "nothing",
            none=("clear", NO_STARTTLS),
            good=("encrypted", None),
            other_name=("encrypted", None),
            expired=("encrypted", None),
            untrusted=("encrypted", None),
            too_old=("clear", TOO_OLD),
        )

    async def test_a_domain_that_tests_its_policy_gets_its_mail_and_the_faults_are_told(self):
        await self.expect(
            "testing",
            none=("clear", NO_STARTTLS),
            good=("encrypted", None),
            other_name=("encrypted", OTHER_NAME),
            expired=("encrypted", EXPIRED),
            untrusted=("encrypted", UNTRUSTED),
            too_old=("clear", TOO_OLD),
        )

    async def test_of_several_faults_the_first_one_is_told(self):
        server = self.authority.expired("mx1.example.net")
        session, _ = await self.begin(server, self.demands["testing"])
        assert session.tls_finding == EXPIRED

    async def test_a_domain_that_enforces_its_policy_gets_no_mail_by_another_server(self):
        await self.expect(
            "enforce",
            none=("refused", "the server does not offer STARTTLS (TLS is required)"),
            good=("encrypted", None),
            other_name=("refused", OTHER_NAME.text),
            expired=("refused", EXPIRED.text),
            untrusted=("refused", UNTRUSTED.text),
            too_old=("refused", TOO_OLD.text),
        )

    async def test_with_dane_it_has_to_be_the_certificate_of_the_dns(self):
        await self.expect(
            "dane",
            none=("refused", "the server does not offer STARTTLS (TLS is required)"),
            good=("encrypted", None),
            other_name=("refused", NO_MATCH.text),
            expired=("refused", NO_MATCH.text),
            untrusted=("refused", NO_MATCH.text),
            too_old=("refused", TOO_OLD.text),
        )

    async def test_with_records_that_cannot_be_used_it_has_to_be_tls_with_anybody(self):
        await self.expect(
            "unusable",
            none=("refused", "the server does not offer STARTTLS (TLS is required)"),
            good=("encrypted", None),
            other_name=("encrypted", None),
            expired=("encrypted", None),
            untrusted=("encrypted", None),
            too_old=("refused", TOO_OLD.text),
        )

    async def test_dane_needs_no_authority_of_the_system(self):
        for name, server in self.servers.items():
            if server and name != "too old":
                tls = attrs.evolve(self.demands["dane"], ca=None, dane=dane_of(server))
                session, _ = await self.begin(server, tls)
                assert session.secure
                assert session.tls_finding is None
