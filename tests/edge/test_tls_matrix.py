"""What leaves towards which server under which settings for TLS; real handshakes, real sockets.

The tables here are those of docs/tls.rst.
"""

from __future__ import annotations

import os
from base64 import b64encode
from pathlib import Path
from tempfile import TemporaryDirectory

import attrs
import pytest
from twisted.internet import ssl
from twisted.trial.unittest import TestCase

from multisendcon_plugin.mail.phase import Phase
from multisendcon_plugin.outcome.attempt import Verdict
from multisendcon_plugin.relay.tls import common_context
from multisendcon_plugin.routing.hop import Tls
from multisendcon_plugin.testing import Authority, EvilProvider
from multisendcon_plugin.testing.misdeeds import fake_tls, inject, refuse, strip
from tests.relays import Names, send, verdicts

NAME, OTHER_NAME = "mx.provider.example", "other.example"
USERNAME, PASSWORD = b"sales", b"s3cret-password"
SECRETS = (PASSWORD, b64encode(PASSWORD), b64encode(b"\0" + USERNAME + b"\0" + PASSWORD))

MAIL, CLEAR, NOTHING = "the mail", "the mail, in the clear", "nothing"
#: There is no such thing.
NONE = "–"

GOOD = "in order"
EXPIRED = "certificate expired"
WRONG_NAME = "certificate for another name"
UNKNOWN = "authority not known to the system"
SELF_SIGNED = "certificate self-signed"
TLS_1_0 = "nothing newer than TLS 1.0"
OLD_CIPHERS = "TLS 1.2 with old ciphers only (CBC)"
STRIPPED = "STARTTLS not offered, or taken out on the way"
REFUSED = "STARTTLS offered, and refused"
GARBAGE = "answers the handshake with something else"
INJECTED = "octets injected behind the 220 of STARTTLS"

#: An account with a login.  The server; ``tls``; what is sent with ``tls_verify = true``, with the
#: server's own authority in ``tls_ca``, with ``tls_verify = false``; what the fault says.
WITH_LOGIN = (
    (GOOD, "implicit", MAIL, MAIL, MAIL),
    (GOOD, "starttls", MAIL, MAIL, MAIL),
    (EXPIRED, "implicit", NOTHING, NOTHING, MAIL),
    (EXPIRED, "starttls", NOTHING, NOTHING, MAIL),
    (WRONG_NAME, "implicit", NOTHING, NOTHING, MAIL),
    (WRONG_NAME, "starttls", NOTHING, NOTHING, MAIL),
    (UNKNOWN, "implicit", NOTHING, MAIL, MAIL),
    (UNKNOWN, "starttls", NOTHING, MAIL, MAIL),
    (SELF_SIGNED, "implicit", NOTHING, MAIL, MAIL),
    (SELF_SIGNED, "starttls", NOTHING, MAIL, MAIL),
    (TLS_1_0, "implicit", NOTHING, NOTHING, NOTHING),
    (TLS_1_0, "starttls", NOTHING, NOTHING, NOTHING),
    (OLD_CIPHERS, "implicit", NOTHING, NOTHING, NOTHING),
    (OLD_CIPHERS, "starttls", NOTHING, NOTHING, NOTHING),
    (STRIPPED, "implicit", NONE, NONE, NONE),
    (STRIPPED, "starttls", NOTHING, NOTHING, NOTHING),
    (REFUSED, "implicit", NONE, NONE, NONE),
    (REFUSED, "starttls", NOTHING, NOTHING, NOTHING),
    (GARBAGE, "implicit", NOTHING, NOTHING, NOTHING),
    (GARBAGE, "starttls", NOTHING, NOTHING, NOTHING),
    (INJECTED, "implicit", NONE, NONE, NONE),
    (INJECTED, "starttls", NOTHING, NOTHING, NOTHING),
)

#: An account without a login, ``tls_verify = true``.  The server; ``tls`` starttls, auto (with a
#: port other than 465), opportunistic.
WITHOUT_LOGIN = (
    (GOOD, MAIL, MAIL, MAIL),
    (EXPIRED, NOTHING, NOTHING, MAIL),
    (WRONG_NAME, NOTHING, NOTHING, MAIL),
    (UNKNOWN, NOTHING, NOTHING, MAIL),
    (SELF_SIGNED, NOTHING, NOTHING, MAIL),
    (TLS_1_0, NOTHING, NOTHING, CLEAR),
    (OLD_CIPHERS, NOTHING, NOTHING, CLEAR),
    (STRIPPED, NOTHING, CLEAR, CLEAR),
    (REFUSED, NOTHING, NOTHING, CLEAR),
    (GARBAGE, NOTHING, NOTHING, CLEAR),
    (INJECTED, NOTHING, NOTHING, CLEAR),
)

#: What the fault of the account says where nothing is sent.
WORDS = (
    (EXPIRED, "the certificate has expired"),
    (WRONG_NAME, f"the certificate is not for {NAME} but for {OTHER_NAME}"),
    (UNKNOWN, "the certificate was issued by an unknown authority (set tls_ca to trust it)"),
    (SELF_SIGNED, "the certificate is self-signed (set tls_ca to trust it)"),
    (TLS_1_0, "TLS failed: the server supports nothing newer than TLS 1.1"),
    (
        OLD_CIPHERS,
        "TLS failed: the server refuses the handshake; has it only old ciphers (tls_ciphers)?",
    ),
    (STRIPPED, "the server does not offer STARTTLS (the login is never sent in clear text)"),
    (REFUSED, "TLS not available (the login is never sent in clear text)"),
    (GARBAGE, "TLS failed: the server does not answer with TLS; is the port right?"),
    (INJECTED, "data arrived between the reply to STARTTLS and the TLS handshake"),
)

SCRIPTS = {
    STRIPPED: {Phase.EHLO: strip("STARTTLS")},
    REFUSED: {Phase.TLS: refuse(454, "4.7.0 TLS not available")},
    GARBAGE: {Phase.TLS: fake_tls(b"220 mx.provider.example ESMTP\r\n")},
    INJECTED: {Phase.TLS: inject(b"250-mx\r\n250 AUTH PLAIN\r\n")},
}


@attrs.frozen
class Cell:
    """What came of one attempt."""

    sent: str
    words: str


class Matrix(TestCase):
    timeout = 120

    def setUp(self):
        from twisted.internet import reactor

        self.reactor = reactor
        real = reactor.installNameResolver(Names(**{NAME: ("127.0.0.1",)}))
        self.addCleanup(reactor.installNameResolver, real)
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

        known, unknown, itself = Authority(), Authority("Nobody knows it"), Authority(NAME)
        self.certificates = {
            EXPIRED: known.expired(NAME),
            WRONG_NAME: known.server(OTHER_NAME),
            UNKNOWN: unknown.server(NAME),
            SELF_SIGNED: itself.self_signed(NAME),
            TLS_1_0: known.outdated(NAME),
            OLD_CIPHERS: known.outdated(
                NAME, newest=ssl.TLSVersion.TLSv1_2, ciphers="ECDHE+AES:!AESGCM:!AESCCM"
            ),
        }
        self.good = known.server(NAME)
        own = ssl.Certificate(self.certificates[SELF_SIGNED].certificate).dumpPEM()
        known_file = known.write(self.folder / "known.pem")
        self.own_authority = {
            UNKNOWN: unknown.write(self.folder / "unknown.pem"),
            SELF_SIGNED: str(self.folder / "itself.pem"),
        }
        Path(self.own_authority[SELF_SIGNED]).write_bytes(own)
        # OpenSSL's way to say which authorities the system knows.
        before = os.environ.get("SSL_CERT_FILE")
        os.environ["SSL_CERT_FILE"] = self.known = known_file
        self.addCleanup(restore, "SSL_CERT_FILE", before)
        common_context.cache_clear()
        self.addCleanup(common_context.cache_clear)

    def authority_of(self, server):
        return self.own_authority.get(server, self.known)

    async def attempt(self, server, tls, **account):
        """Make one attempt; return what came of it."""
        provider = EvilProvider(
            self.reactor,
            SCRIPTS.get(server),
            tls=self.certificates.get(server, self.good),
            implicit_tls=tls is Tls.IMPLICIT,
        )
        port = provider.listen()
        attempt = await send(self, self.reactor, server=NAME, port=port, tls=tls, **account)
        await provider.stop()

        assert provider.unacknowledged == []
        assert not any(secret in provider.clear for secret in SECRETS)
        said_in_the_clear = b"MAIL FROM" in provider.clear or b"Subject" in provider.clear
        if attempt.fault:
            assert attempt.fault.phase is Phase.TLS
            assert verdicts(attempt) == [Verdict.DEFERRED]
            assert not any(begins_mail(line) for each in provider.sessions for line in each.lines)
            assert not said_in_the_clear
            return Cell(NOTHING, attempt.fault.reply.text)
        assert verdicts(attempt) == [Verdict.DELIVERED]
        (mail,) = provider.mails
        assert mail.username == account.get("username", "")
        assert mail.tls in ("", "TLSv1.2", "TLSv1.3")
        assert bool(mail.tls) is not said_in_the_clear
        return Cell(MAIL if mail.tls else CLEAR, "")

    async def row_with_login(self, server, tls):
        """Return the row that the table should have."""
        login = {"username": USERNAME.decode(), "password": PASSWORD.decode()}
        row = [
            await self.attempt(server, tls, **login, **verification)
            for verification in (
                {},
                {"tls_ca": self.authority_of(server)},
                {"tls_verify": False},
            )
        ]
        said = {cell.words for cell in row if cell.sent is NOTHING}
        assert said == ({dict(WORDS)[server]} if said else set())
        return tuple(cell.sent for cell in row)

    async def test_with_a_login(self):
        for server, name, *expected in WITH_LOGIN:
            if expected == [NONE] * 3:
                continue
            # A login asks for TLS whatever the account says, other than "none".
            kinds = (Tls.AUTO, Tls.STARTTLS, Tls.OPPORTUNISTIC)
            for tls in (Tls.IMPLICIT,) if name == "implicit" else kinds:
                row = await self.row_with_login(server, tls)
                assert (server, tls, *row) == (server, tls, *expected)

    async def test_the_old_ciphers_that_an_account_names(self):
        for ciphers, sent in [
            ("ECDHE+AES", MAIL),
            ("ECDHE+AESGCM", NOTHING),
            ("AES128-SHA", NOTHING),
        ]:
            for tls in (Tls.IMPLICIT, Tls.STARTTLS):
                cell = await self.attempt(OLD_CIPHERS, tls, tls_ciphers=ciphers)
                assert (ciphers, cell.sent) == (ciphers, sent)

    async def test_without_a_login(self):
        for server, *expected in WITHOUT_LOGIN:
            row = [
                (await self.attempt(server, tls)).sent
                for tls in (Tls.STARTTLS, Tls.AUTO, Tls.OPPORTUNISTIC)
            ]
            assert (server, *row) == (server, *expected)


def begins_mail(line):
    return line.split(b" ")[0] in (b"AUTH", b"MAIL", b"RCPT", b"DATA")


def restore(name, value):
    if value is None:
        del os.environ[name]
    else:
        os.environ[name] = value


# The document.

HEADS = {
    WITH_LOGIN: ("the server", "tls", "verified", "tls_ca", "tls_verify = false"),
    WITHOUT_LOGIN: ("the server", "starttls", "auto", "opportunistic"),
    WORDS: ("the server", "what the log says of the account"),
}


def as_text(table):
    """Return a table as a simple table of reStructuredText."""
    rows = [HEADS[table], *table]
    widths = [max(len(row[n]) for row in rows) for n in range(len(rows[0]))]
    rule = "  ".join("=" * width for width in widths)
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    return "\n".join([rule, lines[0], rule, *lines[1:], rule, ""])


@pytest.mark.parametrize("table", HEADS, ids=["with login", "without login", "words"])
def test_the_document_has_the_table(table):
    document = Path(__file__).parents[2] / "docs/tls.rst"
    assert as_text(table) in document.read_text("utf-8")
