"""What the log says of refusals, and of sessions that fail or that we end: a line for each."""

from __future__ import annotations

import base64

import pytest
from OpenSSL import SSL
from twisted.internet.address import IPv4Address, UNIXAddress
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.testing import StringTransport
from twisted.logger import capturedLogs, formatEvent
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure

from multisendcon_plugin.daemon.log_lines import LINES
from multisendcon_plugin.edge.deadlines import LOGIN_WITHIN
from multisendcon_plugin.edge.guesses import LONGEST_PAUSE, PAUSE
from multisendcon_plugin.edge.notices import IN_FULL, MINUTE
from multisendcon_plugin.edge.shown import command_shown
from multisendcon_plugin.edge.tarpit import MOST_WRONG_LOGINS
from multisendcon_plugin.events import CommandRefused
from multisendcon_plugin.mail.escaping import shown
from multisendcon_plugin.mail.reply import Reply
from multisendcon_plugin.settings.password import PasswordHash
from multisendcon_plugin.settings.users import Users
from multisendcon_plugin.testing import Authority
from tests.configuration.examples import HASH
from tests.edge.clients import EXAMPLE_PEER, MAIL, Edge, MemoryTransport, account

USERS = Users("users", {"joe": PasswordHash.parse(HASH)})
MAIL_FROM, RCPT_TO = b"MAIL FROM:<a@x.example>", b"RCPT TO:<b@y.example>"
TLS_HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"


def told(scene, **settings):
    """Return the lines that a scene leaves in the log."""
    edge = Edge(account(recipients=["!*@no.example"]), **settings)
    with capturedLogs() as events:
        scene(edge, edge.client())
    return [formatEvent(event) for event in events]


# Refusals.

REFUSALS = [
    (
        [b"MAIL FROM:<a@@x.example>"],
        (
            "501 5.1.7 the local part is empty or has characters that are not allowed"
            "; command: MAIL FROM:<a@@x.example>"
        ),
    ),
    (
        [MAIL_FROM, b"RCPT TO:<b@y..example>"],
        (
            "501 5.1.3 the domain has an empty label or characters that are not allowed"
            "; from <a@x.example>; command: RCPT TO:<b@y..example>"
        ),
    ),
    (
        [b"MAIL FROM:<>", RCPT_TO, b"RCPT TO: Joe"],
        "501 5.1.3 an address has the form user@domain; from <>; command: RCPT TO: Joe",
    ),
    (
        [MAIL_FROM, b"RCPT TO:<b@no.example>"],
        "550 5.7.1 no account is configured for mail from <a@x.example> to <b@no.example>",
    ),
    (
        ["MAIL FROM:<ä@x.example> FOO=ä SMTPUTF8".encode()],
        (
            "501 5.5.4 the value of FOO cannot be read"
            "; command: MAIL FROM:<ä@x.example> FOO=ä SMTPUTF8"
        ),
    ),
    (
        [b"MAIL FROM:<a\x1b\xff@x.example>"],
        (
            "501 5.1.7 control characters are not allowed"
            "; command: MAIL FROM:<a\\x1b\\xff@x.example>"
        ),
    ),
    ([b"VRFY"], "501 5.5.4 argument missing; command: VRFY"),
    ([b"FOO bar"], "500 5.5.1 command not known; command: FOO"),
    ([b""], "500 5.5.1 command not known"),
    ([b"DATA"], "503 5.5.1 say MAIL first; command: DATA"),
    ([MAIL_FROM, b"DATA"], "503 5.5.1 no valid recipient yet; from <a@x.example>; command: DATA"),
    (
        [MAIL_FROM, RCPT_TO, b"RCPT TO:<c@y.example>", b"DATA", b"S: x\n", b"."],
        (
            "550 5.6.11 message contains a bare CR, a bare LF or a NUL"
            "; from <a@x.example>; to <b@y.example>, <c@y.example>"
        ),
    ),
    (
        [MAIL_FROM, *[b"RCPT TO:<%d@y.example>" % n for n in range(9)], b"DATA", b"\0", b"."],
        (
            "550 5.6.11 message contains a bare CR, a bare LF or a NUL"
            "; from <a@x.example>; to <0@y.example>, <1@y.example>, <2@y.example> and 6 more"
        ),
    ),
    (
        [MAIL_FROM, RCPT_TO, b"BDAT 3 LAST\r\n\0"],
        (
            "550 5.6.11 message contains a bare CR, a bare LF or a NUL"
            "; from <a@x.example>; to <b@y.example>"
        ),
    ),
    (
        [MAIL_FROM, RCPT_TO, b"DATA", b"Received: x\r\n" * 60 + b"."],
        (
            "554 5.4.6 too many Received fields: the mail goes round in circles"
            "; from <a@x.example>; to <b@y.example>"
        ),
    ),
    ([b"NOOP " + b"x" * 20_000], "500 5.5.2 line too long; command: NOOP " + "x" * 195 + "..."),
]


@pytest.mark.parametrize(("lines", "line"), REFUSALS)
@pytest.mark.parametrize("together", [False, True])
def test_a_refusal_names_the_mail_and_what_was_refused(lines, line, together):
    def scene(_, client):
        for part in [lines] if together else [[each] for each in lines]:
            client.ask(*part)

    assert told(scene) == [f"127.0.0.1 rejected: {line}"]


def test_a_refusal_after_a_mail_does_not_name_it():
    def scene(_, client):
        client.send_mail()
        client.ask(b"RSET now")

    assert told(scene)[-1].endswith("this command takes no argument; command: RSET now")


def test_a_refusal_in_the_same_segment_as_a_mail_names_its_own_command():
    def scene(_, client):
        client.ask(MAIL_FROM, RCPT_TO, b"DATA", MAIL + b".", b"FOO")

    assert told(scene)[-1].endswith("command not known; command: FOO")


# Sessions that we end.


def idle(edge, client):
    edge.clock.advance(300)


def idle_in_a_mail(edge, client):
    client.begin()
    client.send(b"Subject: x")
    idle(edge, client)


def slow(edge, client):
    client.begin(recipients=[b"b@y.example", b"c@y.example"])
    for _ in range(12):
        edge.clock.advance(299)
        client.send(b"x")
    edge.clock.advance(100)


ENDS = {
    "idle": (idle, "idle_timeout (300 s) reached"),
    "idle in a mail": (
        idle_in_a_mail,
        "idle_timeout (300 s) reached; from <a@x.example>; to <b@y.example>",
    ),
    "slow": (
        slow,
        "transaction_timeout (3600 s) reached; from <a@x.example>; to <b@y.example>, <c@y.example>",
    ),
    "errors": (
        lambda edge, client: client.ask(*[b"FOO bar"] * 30),
        "max_errors (20) reached; command: FOO",
    ),
    "a browser": (
        lambda edge, client: client.ask(b"GET /?token=c4nary HTTP/1.1", b"Host: x"),
        "421 4.7.0 this is SMTP, not HTTP, closing; command: GET",
    ),
    "a bare line feed": (
        lambda edge, client: client.send(MAIL_FROM + b"\nFOO\r\n"),
        (
            "554 5.5.2 a command ends with CRLF and has no CR, LF or NUL, closing"
            "; command: MAIL FROM:<a@x.example>"
        ),
    ),
    "BDAT": (
        lambda edge, client: client.ask(b"BDAT many"),
        "554 5.5.4 how many octets follow BDAT cannot be known, closing; command: BDAT many",
    ),
    "TLS in the clear": (
        lambda edge, client: client.send(TLS_HELLO + b"\x0a\x00rest"),
        "the client began TLS on a port that begins in the clear, for STARTTLS",
    ),
    "TLS in the clear without a line feed": (
        lambda edge, client: client.send(TLS_HELLO),
        "the client began TLS on a port that begins in the clear, for STARTTLS",
    ),
    "shutdown": (
        lambda edge, client: edge.factory.stop(),
        "421 4.3.2 shutting down, try again later",
    ),
}


@pytest.mark.parametrize(("scene", "why"), ENDS.values(), ids=ENDS)
def test_a_session_that_we_end_has_one_line_with_the_reason(scene, why):
    def all_of_it(edge, client):
        scene(edge, client)
        assert client.closed
        client.send(b"more\r\n")
        client.hang_up()

    lines = [line for line in told(all_of_it) if "session closed" in line]
    (line,) = lines
    assert line == f"127.0.0.1: session closed: {why}"


def hang_up(edge, client):
    client.hang_up()


def hang_up_before(*lines):
    def scene(edge, client):
        edge.intake.waits = True
        client.ask(*lines)
        client.hang_up()

    return scene


def send_no_more_before(*lines):
    def scene(edge, client):
        client.ask(*lines)
        client.send_no_more()
        client.hang_up()

    return scene


IN_A_MAIL = "the client hung up in the middle of a mail; from <a@x.example>"


@pytest.mark.parametrize(
    ("scene", "why"),
    [
        (hang_up, None),
        (hang_up_before(b"NOOP", b"MAIL FR"), None),
        (hang_up_before(b"QUIT"), None),
        (send_no_more_before(b"NOOP"), None),
        (send_no_more_before(MAIL_FROM, RCPT_TO, b"DATA", MAIL + b"."), None),
        (hang_up_before(MAIL_FROM), IN_A_MAIL),
        (hang_up_before(MAIL_FROM, RCPT_TO, b"DATA", MAIL), IN_A_MAIL + "; to <b@y.example>"),
        (send_no_more_before(MAIL_FROM, RCPT_TO, b"BDAT 9"), IN_A_MAIL + "; to <b@y.example>"),
        (
            hang_up_before(MAIL_FROM, RCPT_TO, b"DATA", MAIL + b"."),
            (
                "the client hung up before the reply to a mail, which is taken; it may send it"
                " again; from <a@x.example>; to <b@y.example>"
            ),
        ),
    ],
)
def test_a_client_that_goes_is_told_of_where_it_leaves_something_unfinished(scene, why):
    lines = [line for line in told(scene) if "session closed" in line]
    assert lines == ([f"127.0.0.1: session closed: {why}"] if why else [])


def test_the_line_names_the_client_also_at_a_local_socket_and_behind_a_proxy():
    edge = Edge(allow=["192.0.2.0/24"])
    with capturedLogs() as events:
        edge.client(peer=UNIXAddress(None)).ask(b"FOO")
        edge.client(peer=IPv4Address("TCP", "192.0.2.1", 1)).ask(b"FOO")
    texts = [formatEvent(event).partition(" rejected")[0] for event in events]
    assert texts == ["local", "192.0.2.1"]


def test_strangers_are_told_of_too():
    def scene(edge, client):
        client.ask(*[MAIL_FROM] * 6)
        edge.client().hang_up()
        edge.client()
        edge.clock.advance(LOGIN_WITHIN)

    lines = told(scene, users=USERS, users_from_anywhere=True, allow=["192.0.2.1"])
    assert [line for line in lines if "closed" in line] == [
        "127.0.0.1: session closed: 5 errors without a login; command: MAIL FROM:<a@x.example>",
        "127.0.0.1: session closed: no login within 60 s",
    ]


# Lines that repeat each other.


def lines_of_an_attack(edge, client, *lines, sessions=3):
    """Return what is logged while several sessions of one address repeat lines as they can."""
    others = [edge.client() for _ in range(sessions - 1)]
    with capturedLogs() as events:
        for each in (client, *others):
            each.ask(*lines)
        edge.clock.advance(MINUTE)
    return [formatEvent(event) for event in events]


ATTACKS = {
    "refused recipients": (
        [MAIL_FROM, *[b"RCPT TO:<%d@no.example>" % n for n in range(1000)]],
        "127.0.0.1 rejected: 550 5.7.1 ... and 2,950 more",
    ),
    "recipients that cannot be read": (
        [MAIL_FROM, *[b"RCPT TO:<%d@@y.example>" % n for n in range(1000)]],
        "127.0.0.1 rejected: 501 5.1.3 ... and 2,950 more",
    ),
    "refused senders": (
        [b"MAIL FROM:<%d@x.example> SIZE=99999999999" % n for n in range(1000)],
        "127.0.0.1 rejected: 552 5.3.4 ... and 2,950 more",
    ),
    "refused content": (
        [MAIL_FROM, RCPT_TO, b"DATA", b"\0", b"."] * 400,
        "127.0.0.1 rejected: 550 5.6.11 ... and 1,150 more",
    ),
}


@pytest.mark.parametrize(("lines", "last"), ATTACKS.values(), ids=ATTACKS)
def test_lines_that_repeat_each_other_are_summed_up(lines, last):
    """Once, three sessions wrote 17,000 lines in a second."""
    edge = Edge(account(recipients=["!*@no.example"]))
    said = lines_of_an_attack(edge, edge.client(), *lines)
    assert len(said) == IN_FULL + 1
    assert said[-1] == last


def test_sessions_that_end_over_and_over_are_summed_up():
    edge = Edge()
    with capturedLogs() as events:
        for _ in range(1000):
            client = edge.client(hello=None)
            client.ask(b"GET / HTTP/1.1")
            client.hang_up()
        edge.clock.advance(MINUTE)
    said = [formatEvent(event) for event in events]
    assert len(said) == IN_FULL + 1
    assert said[-1] == "127.0.0.1 session closed: ... and 950 more"


@pytest.mark.parametrize(
    ("settings", "last"),
    [
        ({"allow": []}, "127.0.0.1 rejected: not in [master_relay] allow ... and 950 more"),
        (
            {"max_connections": 0},
            "127.0.0.1 rejected: max_connections (0) reached ... and 950 more",
        ),
    ],
)
def test_clients_that_are_sent_away_over_and_over_are_summed_up(settings, last):
    edge = Edge(**settings)
    with capturedLogs() as events:
        for _ in range(1000):
            edge.client().hang_up()
        edge.clock.advance(MINUTE)
    said = [formatEvent(event) for event in events]
    assert len(said) == IN_FULL + 1
    assert said[-1] == last


def test_each_minute_has_its_lines():
    edge = Edge(account(recipients=["!*@no.example"]))
    client = edge.client()
    lines = [MAIL_FROM, *[b"RCPT TO:<b@no.example>"] * 300]
    for _ in range(3):
        assert len(lines_of_an_attack(edge, client, *lines, b"RSET", sessions=1)) == IN_FULL + 1


def test_the_lines_of_others_are_written_meanwhile():
    edge = Edge(account(recipients=["!*@no.example"]), allow=["127.0.0.1", "192.0.2.1"])
    edge.client().ask(MAIL_FROM, *[b"RCPT TO:<b@no.example>"] * 900)
    with capturedLogs() as events:
        edge.client(peer=IPv4Address("TCP", "192.0.2.1", 1)).ask(
            MAIL_FROM, b"RCPT TO:<b@no.example>"
        )
    assert formatEvent(events[0]).startswith("192.0.2.1 rejected: 550 5.7.1 ")


def test_five_wrong_logins_are_written_whatever_else_is():
    """Once, none of them reached the log."""
    edge = Edge(account(recipients=["!*@no.example"]), users=USERS)
    edge.client().ask(MAIL_FROM, *[b"RCPT TO:<b@no.example>"] * 900)
    with capturedLogs() as events:
        for _ in range(5):
            edge.client().ask(b"AUTH PLAIN " + SECRET)
            edge.clock.advance(LONGEST_PAUSE)
    logins = [event for event in events if "could not log in" in formatEvent(event)]
    assert len(logins) == 5
    assert all(event["security"] for event in logins)


def test_the_sum_is_written_when_the_relay_stops():
    edge = Edge(account(recipients=["!*@no.example"]))
    client = edge.client()
    client.ask(MAIL_FROM, *[b"RCPT TO:<b@no.example>"] * 60)
    with capturedLogs() as events:
        edge.factory.stop()
        client.hang_up()
    assert formatEvent(events[-1]) == "127.0.0.1 rejected: 550 5.7.1 ... and 10 more"
    assert edge.clock.getDelayedCalls() == []


# Secrets.

SECRET = base64.b64encode(b"\0joe\0c4nary")


def test_wrong_logins_that_end_a_session_are_told_without_them():
    def scene(edge, client):
        for _ in range(MOST_WRONG_LOGINS):
            client.ask(b"AUTH PLAIN " + SECRET)
            edge.clock.advance(PAUSE)

    *_, line = told(scene, users=USERS)
    assert line == f"127.0.0.1: session closed: {MOST_WRONG_LOGINS} wrong logins"


@pytest.mark.parametrize(
    "lines",
    [
        [b"AUTH PLAIN " + SECRET, b"FOO"],
        [b"AUTH PLAIN", SECRET],
        [b"AUTH LOGIN", base64.b64encode(b"joe"), SECRET],
        [b"AUTH LOGIN", SECRET + b"!", SECRET],
        [b"AUTH CRAM-MD5", SECRET, SECRET],
        [b"AUTH PLAIN " + SECRET, SECRET, SECRET],
        [b"AUTH " + SECRET],
        [b"AUTH  " + SECRET + b" x"],
        [b"AUTH PLAIN", SECRET + b"\n"],
        [b"AUTH PLAIN", b"*", SECRET + b"\n"],
        [b"AUTH PLAIN", SECRET * 2000],
        [b"AUTH LOGIN", b"*", SECRET * 2000],
        [b"PASS " + SECRET],
        [b"LOGIN joe " + SECRET],
        [b"USER joe", b"PASS " + SECRET + b"\n"],
    ],
)
@pytest.mark.parametrize("users", [USERS, None])
def test_a_secret_is_never_shown(lines, users):
    def scene(edge, client):
        client.ask(*lines)
        edge.clock.advance(PAUSE)
        client.ask(*lines)
        edge.clock.advance(PAUSE)
        client.hang_up()

    text = "\n".join(told(scene, users=users))
    assert "rejected" in text or "closed" in text
    assert SECRET.decode() not in text
    assert "c4nary" not in text


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (b"AUTH GSSAPI", "AUTH GSSAPI"),
        (b"auth cram-md5", "auth cram-md5"),
        (b"AUTH PLAIN AGpvZQBzZWNyZXQ=", "AUTH PLAIN"),
        (b"AUTH AGpvZQBzZWNyZXQ=", "AUTH"),
        (b"AUTH", "AUTH"),
        (b" NOOP  x ", "NOOP  x"),
        (b"AGpvZQBzZWNyZXQ=", ""),
        (b"", ""),
    ],
)
def test_of_a_login_the_mechanism_is_shown(line, text):
    assert command_shown(line, [b"AUTH", b"NOOP"], may_be_secret=True) == text


# TLS.


class TLSTransport(MemoryTransport):
    """Twisted's layer of TLS writes to it as long as it likes."""

    write = StringTransport.write


class Wrapped:
    """A client of an edge that begins with TLS, or that says STARTTLS first."""

    def __init__(self, pem, *, starttls=False):
        self.edge = Edge(tls_certificate=str(pem))
        tls = self.edge.factory.admission.tls
        tls._tell_warning = lambda: None  # by the clock of the edge, its certificate is out of date
        self.transport = TLSTransport(peerAddress=EXAMPLE_PEER)
        factory = TLSMemoryBIOFactory(tls, False, self.edge.factory, self.edge.clock)
        if starttls:
            session = self.edge.factory.buildProtocol(EXAMPLE_PEER)
            session.makeConnection(self.transport)
            session.dataReceived(b"EHLO x\r\nSTARTTLS\r\n")
            self.protocol = factory.protocol(factory, session, False)
        else:
            self.protocol = factory.buildProtocol(EXAMPLE_PEER)
        self.protocol.makeConnection(self.transport)

    def send(self, octets):
        self.protocol.dataReceived(octets)
        self.edge.clock.advance(0)

    def hang_up(self, why=ConnectionDone):
        self.protocol.connectionLost(Failure(why()))
        assert not self.edge.clock.getDelayedCalls()
        assert not self.edge.factory._sessions


@pytest.fixture(scope="module")
def pem(tmp_path_factory):
    path = tmp_path_factory.mktemp("tls") / "relay.pem"
    path.write_bytes(b"".join(Authority().server_pem("relay.example")))
    return path


def hello(version, ciphers=b"ALL:@SECLEVEL=0"):
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_min_proto_version(version)
    context.set_max_proto_version(version)
    context.set_cipher_list(ciphers)
    client = SSL.Connection(context, None)
    client.set_connect_state()
    with pytest.raises(SSL.WantReadError):
        client.do_handshake()
    return client.bio_read(2**16)


FAILED = "the TLS handshake failed: "
HUNG_UP = "the client hung up in the TLS handshake"
UNKNOWN_CA = bytes.fromhex("15030300020230")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("starttls", [False, True])
@pytest.mark.parametrize("lost", [ConnectionDone, ConnectionLost])
@pytest.mark.parametrize(
    ("octets", "why"),
    [
        (lambda: b"EHLO client.example\r\n", FAILED + "plain text where TLS begins"),
        (lambda: b"\0" * 20, FAILED + "plain text where TLS begins"),
        (lambda: b"GET / HTTP/1.1\r\n\r\n", FAILED + "HTTP where TLS begins"),
        (lambda: b"CONNECT x:25 HTTP/1.1\r\n\r\n", FAILED + "HTTP where TLS begins"),
        (
            lambda: hello(SSL.TLS1_VERSION),
            FAILED + "the client does not know TLS 1.2 (minimum_tls of [[client]])",
        ),
        (
            lambda: hello(SSL.TLS1_2_VERSION, b"ECDHE-RSA-AES128-GCM-SHA256"),
            FAILED + "client and server have no cipher in common (minimum_tls of [[client]]"
            " allows older ones)",
        ),
        (
            lambda: hello(SSL.TLS1_2_VERSION) + UNKNOWN_CA,
            FAILED + "the client does not trust the certificate",
        ),
        (lambda: hello(SSL.TLS1_2_VERSION), HUNG_UP),
        (lambda: hello(SSL.TLS1_3_VERSION), HUNG_UP),
        (lambda: b"", None),
    ],
)
def test_a_handshake_that_fails_has_one_line_with_the_reason(pem, octets, why, lost, starttls):
    client = Wrapped(pem, starttls=starttls)
    with capturedLogs() as events:
        if sent := octets():
            client.send(sent)
        client.hang_up(lost)
    if starttls:  # it has said at least that
        why = why or HUNG_UP
    expected = [f"127.0.0.1: session closed: {why}"] if why else []
    assert [formatEvent(event) for event in events] == expected


@pytest.mark.parametrize("starttls", [False, True])
def test_a_handshake_that_does_not_come_is_told(pem, starttls):
    client = Wrapped(pem, starttls=starttls)
    with capturedLogs() as events:
        client.edge.clock.advance(300)
        client.edge.clock.advance(20)
        client.hang_up()
    assert [formatEvent(event) for event in events] == [
        "127.0.0.1: session closed: idle_timeout (300 s) reached in the TLS handshake"
    ]


# The words.


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        (b"plain", "plain"),
        ("jörg".encode(), "jörg"),
        (b"a\r\n\x1b[2J", "a\\r\\n\\x1b[2J"),
        ("a\u2028b\u200bc".encode(), "a\\u2028b\\u200bc"),
        (b"\xff", "\\xff"),
        (b"x" * 201, "x" * 200 + "..."),
    ],
)
def test_what_a_client_says_fits_into_a_line(octets, text):
    assert shown(octets) == text


def test_nothing_is_said_twice():
    reply = Reply(550, "5.7.1", "no account is configured for mail from <> to <b@y>")

    def context(*, sender, recipients=(), command=""):
        (line,) = LINES[CommandRefused](
            CommandRefused(
                address="192.0.2.1",
                user="",
                reply=reply,
                command=command,
                sender=sender,
                recipients=recipients,
                more=0,
            )
        )
        return line[1].removeprefix(f"192.0.2.1 rejected: {reply}")

    assert context(sender="", recipients=("b@y",)) == ""
    assert context(sender="a@x", recipients=("b@y",)) == "; from <a@x>"
    assert context(sender="", command="RCPT TO:<c@y>") == "; command: RCPT TO:<c@y>"
