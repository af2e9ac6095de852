"""TLS towards a server: whom it trusts, what it sends, and what is said when it fails."""

from __future__ import annotations

import hashlib
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID
from OpenSSL import SSL
from OpenSSL.crypto import X509, PKey
from twisted.internet import ssl
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase

from multisendcon_plugin.logins import Logins
from multisendcon_plugin.mail.phase import Phase
from multisendcon_plugin.outcome.attempt import Verdict
from multisendcon_plugin.relay import AccountSenderFactory, ConnectionBudget, Trials
from multisendcon_plugin.relay.sender import CLOSES_WITHIN
from multisendcon_plugin.relay.tls import CertificateError, ClientTLS, tls_problem
from multisendcon_plugin.routing.account import Account
from multisendcon_plugin.routing.hop import Hop, Tls, TlsPolicy
from multisendcon_plugin.testing import Authority, Provider
from tests.certificates import shakes_hands
from tests.reactors import ReactorWithClock
from tests.relays import (
    CONTENT,
    SILENT,
    Content,
    Names,
    Server,
    Way,
    delivery,
    login,
    send,
    verdicts,
)

NAME, OTHER_NAME, IP = "mx.provider.example", "other.example", "127.0.0.1"
UNKNOWN_AUTHORITY = "the certificate was issued by an unknown authority (set tls_ca to trust it)"
SELF_SIGNED = "the certificate is self-signed (set tls_ca to trust it)"


# The file of `tls_ca`.


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, "No such file or directory"),
        ("", "holds no PEM certificate"),
        ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", "no PEM certificate"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", "a damaged certificate"),
        ("no start\n-----END CERTIFICATE-----", "holds a damaged certificate"),
    ],
)
def test_authorities_that_cannot_be_read_are_a_fault_of_the_account(tmp_path, text, expected):
    path = tmp_path / "ca.pem"
    if text is not None:
        path.write_text(text)
    way = Way(Server(), tls_ca=str(path), tls_verify=True)
    attempt = way.send()
    assert str(attempt.fault).startswith("tls: 4.7.0 the authorities of tls_ca cannot be read: ")
    assert expected in str(attempt.fault)
    assert str(path) in str(attempt.fault)
    assert verdicts(attempt) == [Verdict.DEFERRED]
    assert way.network.tcpClients == []


def test_authorities_are_read_again_after_a_fault_and_then_kept(tmp_path):
    path = tmp_path / "ca.pem"
    way = Way(Server(), Server(), tls_ca=str(path), tls_verify=True)
    assert way.send().fault
    Authority().write(path)
    assert verdicts(way.send()) == [Verdict.DELIVERED]
    path.unlink()
    way.network.advance(10)
    assert verdicts(way.send()) == [Verdict.DELIVERED]


def test_a_file_may_hold_several_authorities_and_comments(tmp_path):
    path = tmp_path / "ca.pem"
    one, other, stranger = Authority(), Authority(), Authority()
    path.write_bytes(b"# one\n" + one.pem + b"# two\n" + other.pem)
    tls = ClientTLS(Hop(host=NAME, tls=TlsPolicy(ca=str(path))), account="A")
    believed = [
        shakes_hands(
            tls.clientConnectionForTLS(None),
            SSL.Connection(authority.server(NAME).getContext(), None),
        )
        for authority in (one, other, stranger)
    ]
    assert believed == [True, True, False]


def test_the_authorities_of_the_system_are_in_memory_once():
    one, other = (ClientTLS(Hop(host=f"{n}.example"), account=n) for n in "AB")
    assert one is not other
    sessions = [each.clientConnectionForTLS(None) for each in (one, other)]
    assert sessions[0].get_context() is sessions[1].get_context()
    assert sessions[0].get_context().get_session_cache_mode() == SSL.SESS_CACHE_OFF


def test_an_account_with_authorities_of_its_own_shares_them_with_nobody(tmp_path):
    Authority().write(tmp_path / "ca.pem")
    own = Hop(host=NAME, tls=TlsPolicy(ca=str(tmp_path / "ca.pem")))
    sessions = [
        ClientTLS(each, account="A").clientConnectionForTLS(None)
        for each in (own, own, Hop(host=NAME))
    ]
    assert len({id(each.get_context()) for each in sessions}) == 3


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (CertificateError("the certificate has expired"), "the certificate has expired"),
        (SSL.Error([("SSL routines", "", "bad record type")]), "TLS failed: bad record type"),
        (SSL.Error([("a", "", "one"), ("b", "", "two")]), "TLS failed: one, two"),
        (
            SSL.Error([("SSL routines", "", "wrong version number")]),
            "TLS failed: the server does not answer with TLS; is the port right?",
        ),
        (SSL.Error([]), "TLS failed: the connection was lost"),
        (SSL.Error([("SSL routines", "", "")]), "TLS failed: the connection was lost"),
        (SSL.ZeroReturnError(), "TLS failed: the connection was lost"),
        (SSL.SysCallError(104, "ECONNRESET"), "TLS failed: the connection was lost"),
        (OSError("another reason"), ""),
    ],
)
def test_a_problem_of_tls_is_told_in_words(error, expected):
    assert tls_problem(Failure(error)) == expected


def test_tls_that_breaks_after_the_final_dot_leaves_the_mail_uncertain():
    way = Way(Server("STARTTLS", END=SILENT))
    results = way.begin()
    way.wire.end(SSL.Error([("SSL routines", "", "decryption failed or bad record mac")]))
    (attempt,) = results
    assert verdicts(attempt) == [Verdict.UNCERTAIN]
    assert str(attempt.fault) == (
        "end of data: 4.4.2 TLS failed: decryption failed or bad record mac"
    )


# Real handshakes.


class RealTLS(TestCase):
    timeout = 60

    def setUp(self):
        from twisted.internet import reactor

        self.reactor = reactor
        self.authority = Authority()
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.tls_ca = self.authority.write(self.folder / "authority.pem")
        real = reactor.installNameResolver(Names(**{NAME: (IP,)}))
        self.addCleanup(reactor.installNameResolver, real)

    def provide(self, tls, **more):
        provider = Provider(self.reactor, tls=tls, **more)
        self.addCleanup(provider.stop)
        return provider, provider.listen()

    async def try_both_ways(self, certificate, **account):
        """Try a server that begins with TLS and one that has STARTTLS; return what came of it."""
        results = []
        for implicit, tls in ((True, Tls.IMPLICIT), (False, Tls.STARTTLS)):
            provider, port = self.provide(
                certificate, implicit_tls=implicit, users={"sales": "s3cret"}
            )
            settings = {**login(tls=tls), "server": NAME, "tls_ca": self.tls_ca, **account}
            attempt = await send(self, self.reactor, port=port, **settings)
            results.append((attempt, provider))
        return results

    async def admit(self, certificate, **account):
        for attempt, provider in await self.try_both_ways(certificate, **account):
            assert attempt.fault is None, attempt.fault
            assert verdicts(attempt) == [Verdict.DELIVERED]
            (mail,) = provider.mails
            assert mail.tls == "TLSv1.3"
            assert mail.username == "sales"
            assert mail.content == CONTENT.replace(b"\r\n..", b"\r\n.")
            assert attempt.session.endswith(", TLSv1.3")

    async def refuse(self, certificate, expected, **account):
        for attempt, provider in await self.try_both_ways(certificate, **account):
            assert str(attempt.fault) == f"tls: 4.4.2 {expected}"
            assert verdicts(attempt) == [Verdict.DEFERRED]
            assert attempt.mail_ended is None
            assert provider.mails == []

    # Certificates and names.

    async def test_a_certificate_of_the_authority_for_the_name_is_admitted(self):
        await self.admit(self.authority.server(NAME))

    async def test_a_name_may_be_one_of_several_or_match_a_wildcard(self):
        await self.admit(self.authority.server(OTHER_NAME, "*.provider.example"))

    async def test_an_address_is_a_name_too(self):
        await self.admit(self.authority.server(IP), server=IP)

    async def test_a_certificate_for_another_name_is_refused(self):
        certificate = self.authority.server(OTHER_NAME, "127.0.0.2")
        await self.refuse(
            certificate, f"the certificate is not for {NAME} but for {OTHER_NAME}, 127.0.0.2"
        )

    async def test_a_certificate_without_names_is_refused_whatever_its_subject(self):
        certificate = nameless(self.authority, NAME)
        await self.refuse(
            certificate,
            f"the certificate names {NAME} as its common name only, which does not count "
            "(RFC 9525); it needs a subjectAltName",
        )

    async def test_a_good_name_among_odd_ones_is_admitted(self):
        await self.admit(self.authority.server("*.local", "*", "", "a*b.example", NAME))

    async def test_odd_names_alone_are_refused_and_shown(self):
        await self.refuse(
            self.authority.server("*.example", "mx.*.example"),
            f"the certificate is not for {NAME} but for *.example, mx.*.example",
        )

    async def test_a_certificate_for_a_name_is_refused_for_an_address(self):
        certificate = self.authority.server(NAME, "127.0.0.2")
        text = f"the certificate is not for {IP} but for {NAME}, 127.0.0.2"
        await self.refuse(certificate, text, server=IP)

    async def test_a_certificate_that_has_expired_is_refused(self):
        certificate = self.authority.expired(NAME)
        await self.refuse(certificate, "the certificate has expired")

    async def test_a_certificate_that_is_not_yet_valid_is_refused(self):
        certificate = self.authority.server(NAME, days=(1, 30))
        await self.refuse(
            certificate, "the certificate is not valid yet (is this machine's clock right?)"
        )

    async def test_a_certificate_of_an_unknown_authority_is_refused(self):
        certificate = Authority("Somebody else").server(NAME)
        await self.refuse(certificate, UNKNOWN_AUTHORITY)

    async def test_with_the_authorities_of_the_system_a_private_one_is_unknown(self):
        certificate = self.authority.server(NAME)
        await self.refuse(certificate, UNKNOWN_AUTHORITY, tls_ca=None)

    async def test_a_self_signed_certificate_is_refused(self):
        await self.refuse(self_signed(), SELF_SIGNED)

    async def test_a_self_signed_certificate_may_be_named_as_the_authority(self):
        itself = self.folder / "itself.pem"
        await self.admit(self_signed(itself), tls_ca=str(itself))

    async def test_without_verification_all_of_these_are_admitted(self):
        for certificate in (
            self.authority.server(OTHER_NAME),
            self.authority.expired(NAME),
            Authority("Somebody else").server(NAME),
            self_signed(),
        ):
            await self.admit(certificate, tls_verify=False)

    # Another name.

    async def test_the_certificate_may_have_to_bear_another_name(self):
        for server in (NAME, IP):
            await self.admit(self.authority.server(OTHER_NAME), server=server, tls_name=OTHER_NAME)

    async def test_the_name_of_the_server_does_not_count_beside_another(self):
        await self.refuse(
            self.authority.server(NAME, IP),
            f"the certificate is not for {OTHER_NAME} but for {NAME}, {IP}",
            tls_name=OTHER_NAME,
        )

    async def test_an_address_may_be_the_other_name(self):
        await self.admit(self.authority.server("127.0.0.2"), tls_name="127.0.0.2")

    # Fingerprints.

    async def test_with_its_fingerprint_any_certificate_is_admitted(self):
        for certificate in (
            self.authority.server(OTHER_NAME),
            self.authority.expired(NAME),
            self.authority.server(NAME, days=(1, 30)),
            Authority("Somebody else").server("*.local"),
            self_signed(),
            nameless(self.authority, NAME),
        ):
            for fingerprint in fingerprints(certificate):
                await self.admit(certificate, tls_fingerprint=fingerprint)

    async def test_with_another_fingerprint_the_best_certificate_is_refused(self):
        certificate = self.authority.server(NAME)
        own, of_key = fingerprints(certificate)
        for fingerprint in (*fingerprints(self.authority.server(NAME)), "0" * 64):
            await self.refuse(
                certificate,
                f"the certificate is not the one of tls_fingerprint; its own is sha256:{own}, that"
                f" of its public key sha256:{of_key}",
                tls_fingerprint=fingerprint,
            )

    async def test_the_fingerprint_of_the_authority_is_not_that_of_the_server(self):
        leaf = self.authority.server(NAME)
        chain = ssl.CertificateOptions(
            privateKey=leaf.privateKey,
            certificate=leaf.certificate,
            extraCertChain=[ssl.Certificate.loadPEM(self.authority.pem).original],
        )
        authority = x509.load_pem_x509_certificate(self.authority.pem)
        own, of_key = fingerprints(leaf)
        await self.refuse(
            chain,
            f"the certificate is not the one of tls_fingerprint; its own is sha256:{own}, that of"
            f" its public key sha256:{of_key}",
            tls_fingerprint=authority.fingerprint(SHA256()).hex(),
        )

    async def test_a_fingerprint_makes_opportunistic_tls_strict(self):
        for certificate in (self_signed(), self.tls_1_1(), None):
            provider, port = self.provide(certificate)
            attempt = await send(
                self,
                self.reactor,
                server=NAME,
                port=port,
                tls=Tls.OPPORTUNISTIC,
                tls_fingerprint="0" * 64,
            )
            assert attempt.fault.phase is Phase.TLS
            assert provider.mails == []
            assert provider.sessions == 1

    async def test_without_a_login_a_fingerprint_keeps_the_mail_from_the_clear(self):
        _, port = self.provide(None)
        attempt = await send(self, self.reactor, server=NAME, port=port, tls_fingerprint="0" * 64)
        assert str(attempt.fault) == (
            "tls: 4.7.0 the server does not offer STARTTLS (TLS is required)"
        )

    # Certificates of ours.

    def ours(self, authority=None, name="relay.example"):
        """Write a certificate of ours; return the keys that name it."""
        certificate, key = (authority or self.authority).server_pem(name)
        (self.folder / "ours.pem").write_bytes(certificate)
        (self.folder / "ours.key").write_bytes(key)
        return {
            "tls_client_certificate": str(self.folder / "ours.pem"),
            "tls_client_key": str(self.folder / "ours.key"),
        }

    def demanding(self, authority=None, **options):
        """Return the TLS settings of a server that wants a certificate of its clients."""
        trusted = ssl.Certificate.loadPEM((authority or self.authority).pem)
        trust = ssl.trustRootFromCertificates([trusted])
        return self.authority.server(NAME, trustRoot=trust, **options)

    async def test_a_server_that_wants_a_certificate_gets_ours(self):
        await self.admit(self.demanding(), **self.ours())

    async def test_the_key_may_be_in_the_file_of_the_certificate(self):
        self.ours()
        path = self.folder / "both.pem"
        path.write_bytes(
            b"".join((self.folder / f"ours.{end}").read_bytes() for end in ("pem", "key"))
        )
        await self.admit(self.demanding(), tls_client_certificate=str(path))

    async def test_ours_goes_with_each_way_to_verify_the_server(self):
        certificate = self.demanding()
        own, _ = fingerprints(certificate)
        await self.admit(certificate, tls_fingerprint=own, tls_ca=None, **self.ours())
        await self.admit(certificate, tls_verify=False, tls_ca=None, **self.ours())

    async def test_a_server_that_does_not_ask_for_it_does_not_get_it(self):
        await self.admit(self.authority.server(NAME), **self.ours())

    async def test_without_a_certificate_of_ours_the_fault_says_what_is_missing(self):
        for attempt, provider in await self.try_both_ways(self.demanding()):
            assert attempt.fault.reply.text == (
                "TLS failed: the server wants a certificate of ours (tls_client_certificate)"
            )
            assert provider.mails == []

    async def test_a_certificate_that_the_server_does_not_know_is_told(self):
        keys = self.ours(Authority("Somebody else"))
        for attempt, provider in await self.try_both_ways(self.demanding(), **keys):
            assert attempt.fault.reply.text == (
                "TLS failed: the server does not accept our certificate (tls_client_certificate)"
            )
            assert provider.mails == []

    async def test_a_renewed_certificate_of_ours_is_used_from_the_next_connection_on(self):
        other = Authority("Another")
        keys = self.ours()
        factories = []
        for implicit, tls in ((True, Tls.IMPLICIT), (False, Tls.STARTTLS)):
            provider, port = self.provide(self.demanding(other), implicit_tls=implicit)
            account = Account(
                name="Sales", server=NAME, port=port, tls=tls, tls_ca=self.tls_ca, **keys
            )
            factory = AccountSenderFactory(
                account,
                self.reactor,
                ConnectionBudget(5, self.reactor),
                Trials(),
                logins=Logins(self.reactor).of,
            )
            self.addCleanup(factory.stop, 5)
            factories.append((factory, provider))
        for accepted in (False, True):
            for factory, provider in factories:
                attempt = await factory.attempt(delivery(), lambda: Content([CONTENT]))
                assert (attempt.fault is None) is accepted, attempt.fault
                assert len(provider.mails) == accepted
            self.ours(other)

    # SNI.

    async def names_sent(self, **account):
        names = []
        certificate = self.authority.server(NAME, IP)
        certificate.getContext().set_tlsext_servername_callback(
            lambda connection: names.append(connection.get_servername())
        )
        await self.admit(certificate, **account)
        return names

    async def test_the_name_of_the_server_is_sent_with_and_without_verification(self):
        assert await self.names_sent() == [NAME.encode()] * 2
        assert await self.names_sent(tls_verify=False) == [NAME.encode()] * 2

    async def test_another_name_is_the_one_that_is_sent(self):
        assert await self.names_sent(server=IP, tls_name=NAME) == [NAME.encode()] * 2
        assert await self.names_sent(tls_name=IP) == [None, None]

    async def test_an_address_is_not_sent_as_a_name(self):
        assert await self.names_sent(server=IP) == [None, None]

    # Versions.

    async def test_tls_1_2_is_admitted(self):
        certificate = self.authority.server(NAME, lowerMaximumSecurityTo=ssl.TLSVersion.TLSv1_2)
        for attempt, _ in await self.try_both_ways(certificate):
            assert attempt.session.endswith(", TLSv1.2")

    async def test_a_server_with_nothing_newer_than_tls_1_1_is_refused(self):
        await self.refuse(
            self.tls_1_1(),
            "TLS failed: the server supports nothing newer than TLS 1.1",
            tls_verify=False,
        )

    def tls_1_1(self):
        return self.authority.outdated(NAME, newest=ssl.TLSVersion.TLSv1_1)

    # Opportunistic.

    async def test_opportunistic_tls_takes_any_certificate(self):
        provider, port = self.provide(self_signed())
        attempt = await send(self, self.reactor, server=NAME, port=port, tls=Tls.OPPORTUNISTIC)
        assert verdicts(attempt) == [Verdict.DELIVERED]
        assert provider.mails[0].tls == "TLSv1.3"

    async def test_opportunistic_tls_that_fails_is_done_without(self):
        provider, port = self.provide(self.tls_1_1())
        attempt = await send(self, self.reactor, server=NAME, port=port, tls=Tls.OPPORTUNISTIC)
        assert verdicts(attempt) == [Verdict.DELIVERED]
        assert provider.mails[0].tls == ""
        assert provider.sessions == 2

    async def test_with_a_login_opportunistic_tls_may_not_fail(self):
        provider, port = self.provide(self.tls_1_1(), users={"sales": "s3cret"})
        account = login(tls=Tls.OPPORTUNISTIC)
        attempt = await send(self, self.reactor, server=NAME, port=port, **account)
        assert attempt.fault.phase is Phase.TLS
        assert provider.sessions == 1

    async def test_with_a_login_opportunistic_tls_verifies_the_server(self):
        provider, port = self.provide(self_signed(), users={"sales": "s3cret"})
        account = login(tls=Tls.OPPORTUNISTIC)
        attempt = await send(self, self.reactor, server=NAME, port=port, **account)
        assert str(attempt.fault) == f"tls: 4.4.2 {SELF_SIGNED}"
        assert provider.mails == []
        attempt = await send(
            self, self.reactor, server=NAME, port=port, tls_verify=False, **account
        )
        assert verdicts(attempt) == [Verdict.DELIVERED]

    # TLS on one side only.

    async def test_implicit_tls_to_a_port_in_the_clear(self):
        _, port = self.provide(self.authority.server(NAME))
        attempt = await send(
            self, self.reactor, server=NAME, port=port, tls=Tls.IMPLICIT, tls_ca=self.tls_ca
        )
        assert str(attempt.fault) == (
            "tls: 4.4.2 TLS failed: the server does not answer with TLS; is the port right?"
        )

    async def test_in_the_clear_to_a_port_with_tls(self):
        _, port = self.provide(self.authority.server(NAME), implicit_tls=True)
        reactor = ReactorWithClock(self.reactor)
        waiting = send(self, reactor, server=IP, port=port, tls=Tls.NONE)
        await reactor.timer_set()
        reactor.clock.advance(60)
        attempt = await waiting
        assert str(attempt.fault) == (
            "greeting: 4.4.2 the server was not ready within 60 s "
            "(does it expect TLS from the start?)"
        )

    # What TLS changes about a session.

    async def test_a_large_mail_arrives_byte_for_byte(self):
        content = CONTENT + b"..dot\r\nline\r\n" * 200_000
        for implicit, tls in ((True, Tls.IMPLICIT), (False, Tls.STARTTLS)):
            provider, port = self.provide(self.authority.server(NAME), implicit_tls=implicit)
            attempt = await send(
                self, self.reactor, content, server=NAME, port=port, tls=tls, tls_ca=self.tls_ca
            )
            assert verdicts(attempt) == [Verdict.DELIVERED]
            assert provider.mails[0].content == content.replace(b"\r\n..", b"\r\n.")

    async def test_a_handshake_that_never_ends_is_cut_off(self):
        mute = Protocol()
        port = self.reactor.listenTCP(0, Factory.forProtocol(lambda: mute), interface=IP)
        self.addCleanup(port.stopListening)
        reactor = ReactorWithClock(self.reactor)
        waiting = send(self, reactor, server=IP, port=port.getHost().port, tls=Tls.IMPLICIT)
        await reactor.timer_set()
        reactor.clock.advance(60)
        attempt = await waiting
        assert str(attempt.fault) == "tls: 4.4.2 the server was not ready within 60 s"

    async def test_a_session_is_cut_off_whose_server_does_not_close_after_its_reply_to_quit(
        self,
    ):
        server = LastWords()
        port = self.reactor.listenTCP(
            0,
            TLSMemoryBIOFactory(
                self.authority.server(NAME), False, Factory.forProtocol(lambda: server)
            ),
            interface=IP,
        )
        self.addCleanup(port.stopListening)
        reactor = ReactorWithClock(self.reactor)  # no time-out comes to help
        attempt = await send(
            self,
            reactor,
            server=IP,
            port=port.getHost().port,
            tls=Tls.IMPLICIT,
            tls_verify=False,
        )
        assert str(attempt.fault) == "greeting: 554 5.3.2 no service"
        await reactor.timer_set()
        reactor.clock.advance(CLOSES_WITHIN)
        await server.closed


class LastWords(Protocol):
    """A server that wants no mail, and leaves it to the client to close."""

    def __init__(self):
        self.closed = Deferred()

    def connectionMade(self):
        self.transport.write(b"554 5.3.2 no service\r\n")

    def dataReceived(self, data):
        assert data == b"QUIT\r\n"
        self.transport.write(b"221 2.0.0 bye\r\n")

    def connectionLost(self, reason):
        self.closed.callback(None)


def self_signed(path=None):
    """Return the TLS settings of a server whose certificate is its own authority."""
    options = Authority(NAME).self_signed(NAME)
    if path:
        path.write_bytes(ssl.Certificate(options.certificate).dumpPEM())
    return options


def fingerprints(options):
    """Return the fingerprints of a server's certificate and of its public key."""
    certificate = options.certificate.to_cryptography()
    key = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return certificate.fingerprint(SHA256()).hex(), hashlib.sha256(key).hexdigest()


def nameless(authority, subject):
    """Return the TLS settings of a server whose certificate names it in the subject alone."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)])
    return ssl.CertificateOptions(
        privateKey=PKey.from_cryptography_key(authority._key),
        certificate=X509.from_cryptography(authority._sign(subject, authority._key, ())),
    )
