"""Clients that log in at the relay: who may, when, and what becomes of wrong logins."""

from __future__ import annotations

import os
import time

import pytest
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs, formatEvent

from multisendcon_plugin.edge import ServerTLS
from multisendcon_plugin.edge.deadlines import LOGIN_WITHIN
from multisendcon_plugin.edge.guesses import LONGEST_PAUSE, PAUSE
from multisendcon_plugin.edge.tarpit import MOST_ERRORS_OF_STRANGERS
from multisendcon_plugin.edge.users import (
    AT_A_TIME,
    AT_A_TIME_FROM_ONE_ADDRESS,
    MOST_WAITING,
    MOST_WAITING_FROM_ONE_ADDRESS,
)
from multisendcon_plugin.errors import ConfigurationError
from multisendcon_plugin.settings.password import PasswordHash
from multisendcon_plugin.settings.users import Users
from multisendcon_plugin.testing import Authority
from tests.configuration.examples import HASH
from tests.edge.clients import Edge
from tests.edge.test_security import AUTHENTICATED, SAYS_MAIL, WRONG, encoded, plain

USERS = Users("users", {"joe": PasswordHash.parse(HASH)})
RIGHT = plain("joe", "secret")
FAR = IPv4Address("TCP", "192.0.2.1", 4711)
STRANGER = IPv4Address("TCP", "198.51.100.1", 4711)
TLS_FIRST = ["538 5.7.11 no login without TLS, say STARTTLS first"]
LOGIN_FIRST = ["530 5.7.0 authentication required"]


class Threads:
    """Runs nothing before it is let."""

    def __init__(self):
        self.waiting = []
        self.begun = 0

    def __call__(self, function, *arguments):
        self.begun += 1
        answer = Deferred()
        self.waiting.append((answer, function, arguments))
        return answer

    def go_on(self):
        answer, function, arguments = self.waiting.pop(0)
        answer.callback(function(*arguments))


@pytest.fixture
def edge():
    return edge_with()


def edge_with(**settings):
    settings = {"users": USERS, "allow": ["127.0.0.1", "::1", "192.0.2.1"]} | settings
    # In memory nothing is encrypted; the transport only remembers that it was to be.
    return Edge(**settings, tls=True)


def far(number):
    return IPv4Address("TCP", f"192.0.2.{number}", 4711)


def inside_tls(edge, peer=FAR):
    client = edge.client(peer=peer)
    assert client.ask(b"STARTTLS")[0].startswith("220")
    client.hello = client.ask(b"EHLO client.example")
    return client


def logged(events):
    return [formatEvent(event) for event in events]


# When a login is offered.


@pytest.mark.parametrize(
    "peer",
    [
        IPv4Address("TCP", "127.0.0.1", 1),
        IPv4Address("TCP", "127.0.0.9", 1),
        IPv6Address("TCP", "::1", 1),
        IPv6Address("TCP", "::ffff:127.0.0.1", 1),
        UNIXAddress(None),
    ],
)
def test_from_this_machine_a_login_needs_no_tls(peer):
    client = edge_with(allow=["127.0.0.0/8", "::1"]).client(peer=peer)
    assert "250 AUTH PLAIN LOGIN" in client.ask(b"EHLO x")
    assert client.ask(RIGHT) == AUTHENTICATED
    assert client.session.keyword() == "ESMTPA"


@pytest.mark.parametrize("line", [RIGHT, b"AUTH PLAIN", b"AUTH LOGIN", b"AUTH CRAM-MD5", b"AUTH"])
def test_from_elsewhere_there_is_no_login_without_tls(edge, line):
    client = edge.client(peer=FAR)
    hello = client.ask(b"EHLO x")
    assert "250 STARTTLS" in hello
    assert not any("AUTH" in each for each in hello)
    assert client.ask(line) == TLS_FIRST
    assert not client.session.authenticated


def test_from_elsewhere_there_is_one_inside_tls(edge):
    client = inside_tls(edge)
    assert "250 AUTH PLAIN LOGIN" in client.hello
    assert client.ask(RIGHT) == AUTHENTICATED
    assert client.session.keyword() == "ESMTPSA"


@pytest.mark.parametrize("name", ["Joe", "JOE", "jOE"])
def test_the_name_of_a_user_may_have_any_case(edge, name):
    client = inside_tls(edge)
    assert client.ask(plain(name, "secret")) == AUTHENTICATED
    client = inside_tls(edge)
    client.ask(b"AUTH LOGIN", encoded(name))
    assert client.ask(encoded("secret")) == [*AUTHENTICATED]


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("Sales@Example.com", "sales@example.COM"),
        ("jörg", "JÖRG"),
        ("EXAMPLE\\scan", "example\\Scan"),
        ("groß", "GROẞ"),
    ],
)
def test_the_case_in_the_file_does_not_matter_either(written, said):
    edge = edge_with(users=Users("users", {written: PasswordHash.parse(HASH)}))
    assert inside_tls(edge).ask(plain(said, "secret")) == AUTHENTICATED


@pytest.mark.parametrize("name", ["joe2", "jo", "joé", " joe", "joe\0"])
def test_other_names_are_other_users(edge, name):
    client = inside_tls(edge)
    assert client.ask(plain(name, "secret")) != AUTHENTICATED
    edge.clock.advance(PAUSE)
    assert not client.session.authenticated


def test_base64_needs_no_padding(edge):
    whole = encoded("\0joe\0secret")
    assert whole.endswith(b"=")
    for response in (whole.rstrip(b"="), whole, whole + b"="):
        assert inside_tls(edge).ask(b"AUTH PLAIN " + response) == AUTHENTICATED
        client = inside_tls(edge)
        client.ask(b"AUTH PLAIN")
        assert client.ask(response) == AUTHENTICATED


@pytest.mark.parametrize("name", ["joe", "Joe"])
def test_each_response_of_a_login_may_lack_its_padding(name):
    edge = edge_with(users=Users("users", {f"{name}@x": PasswordHash.parse(HASH)}))
    first, second = encoded(f"{name}@x"), encoded("secret")
    assert first.endswith(b"=")
    client = inside_tls(edge)
    client.ask(b"AUTH LOGIN " + first.rstrip(b"="))
    assert client.ask(second.rstrip(b"=")) == AUTHENTICATED


@pytest.mark.parametrize("response", [b"a", b"AGpvZQBzZWNyZXQ*", b"AGpv=QBz", b"AGpvZQBzZWNyZ"])
def test_what_is_no_base64_stays_none(edge, response):
    assert inside_tls(edge).ask(b"AUTH PLAIN " + response)[0].startswith("501 5.5.2")


def test_login_in_three_steps(edge):
    client = inside_tls(edge)
    replies = [client.ask(line) for line in (b"AUTH LOGIN", encoded("joe"), encoded("secret"))]
    assert replies[-1] == AUTHENTICATED


def test_mechanisms_that_need_passwords_in_the_clear_are_not_offered(edge):
    client = inside_tls(edge)
    assert client.ask(b"AUTH CRAM-MD5") == ["504 5.5.4 authentication mechanism not offered"]


def test_without_users_there_is_no_login():
    client = inside_tls(edge_with(users=None))
    assert not any("AUTH" in each for each in client.hello)
    assert client.ask(RIGHT) == ["502 5.5.1 not offered"]


def test_without_a_certificate_there_is_no_starttls():
    edge = Edge(users=USERS, allow=["192.0.2.1"])
    client = edge.client(peer=FAR)
    assert not any("STARTTLS" in each for each in client.ask(b"EHLO x"))
    assert client.ask(b"STARTTLS") == ["502 5.5.1 not offered"]
    assert client.ask(RIGHT) == TLS_FIRST


def test_allowed_clients_need_no_login(edge):
    assert edge.client(peer=FAR).send_mail()[0].startswith("250 2.0.0 queued as")


def test_the_trace_field_tells_of_the_login(edge):
    client = inside_tls(edge)
    client.ask(RIGHT)
    client.send_mail()
    [message] = edge.messages
    assert b" with ESMTPSA id " in message.header


# Logins that are wrong.

WRONG_LOGINS = [
    plain("joe", "Secret"),
    plain("joe", ""),
    plain("joe", "secret "),
    plain("Joe", "Secret"),
    plain("nobody", "secret"),
    plain("", ""),
    b"AUTH PLAIN AP9qb2X/AHNlY3JldA==",
]


@pytest.mark.parametrize("line", WRONG_LOGINS)
def test_a_wrong_login_is_answered_after_a_pause_that_does_not_tell_why(edge, line):
    client = inside_tls(edge)
    client.ask(line, b"NOOP")
    edge.clock.advance(PAUSE - 0.1)
    assert client.replies() == []
    edge.clock.advance(0.1)
    assert client.replies() == [*WRONG, "250 2.0.0 still here"]
    assert not client.session.authenticated


def test_a_right_login_is_answered_at_once(edge):
    assert inside_tls(edge).ask(RIGHT) == AUTHENTICATED


@pytest.mark.parametrize("line", WRONG_LOGINS)
def test_the_pause_counts_from_the_login_however_long_the_hashing_takes(line):
    threads = Threads()
    edge = edge_with(in_thread=threads)
    client = inside_tls(edge)
    client.ask(line)
    edge.clock.advance(2)
    threads.go_on()
    edge.clock.advance(PAUSE - 2 - 0.1)
    assert client.replies() == []
    edge.clock.advance(0.1)
    assert client.replies() == WRONG


@pytest.mark.parametrize("line", [RIGHT, *WRONG_LOGINS])
def test_each_login_costs_one_hash(monkeypatch, edge, line):
    hashed = []
    real = PasswordHash.matches

    def matches(self, password):
        hashed.append(self.cost)
        return real(self, password)

    monkeypatch.setattr(PasswordHash, "matches", matches)
    inside_tls(edge).ask(line)
    assert hashed == [14]


def test_an_unknown_user_costs_as_much_as_the_costliest(edge):
    cheap, dear = PasswordHash.parse(HASH), PasswordHash.of(b"x", b"salt" * 4)
    threads = Threads()
    edge = edge_with(users=Users("users", {"joe": cheap, "ann": dear}), in_thread=threads)
    inside_tls(edge).ask(plain("nobody", "x"))
    [(_, matches, _)] = threads.waiting
    assert matches.__self__.cost == dear.cost > cheap.cost


def test_nobody_acts_for_somebody_else(edge):
    client = inside_tls(edge)
    assert client.ask(b"AUTH PLAIN " + encoded("ann\0joe\0secret")) == WRONG
    assert client.ask(b"AUTH PLAIN " + encoded("Joe\0joe\0secret")) == AUTHENTICATED


def test_three_wrong_logins_end_the_session(edge):
    client = inside_tls(edge)
    for _ in range(2):
        client.ask(plain("joe", "wrong"))
        edge.clock.advance(PAUSE)
        assert client.replies() == WRONG
    client.ask(plain("joe", "wrong"), RIGHT)
    edge.clock.advance(PAUSE)
    assert client.replies() == [*WRONG, "421 4.7.0 too many wrong logins, closing"]
    assert client.closed


def test_logins_are_logged_without_their_passwords(edge):
    client = inside_tls(edge)
    with capturedLogs() as events:
        client.ask(plain("j\n\x1be", "c4nary"))
        edge.clock.advance(PAUSE)
        client.ask(RIGHT)
    lines = logged(events)
    assert lines == [
        "192.0.2.1 could not log in as j\\n\\x1be",
        "192.0.2.1 rejected: 535 5.7.8 username or password not accepted",
        "192.0.2.1 logged in as joe",
    ]


def test_a_client_that_goes_before_its_reply_leaves_nothing_behind(edge):
    client = inside_tls(edge)
    client.ask(plain("joe", "wrong"))
    client.hang_up()
    edge.clock.advance(PAUSE)
    assert edge.clock.getDelayedCalls() == []


def test_few_passwords_are_hashed_at_a_time_and_too_many_are_put_off():
    threads = Threads()
    edge = edge_with(allow=["192.0.2.0/24"], in_thread=threads)
    clients = [inside_tls(edge, far(n)) for n in range(MOST_WAITING)]
    for client in clients:
        assert client.ask(RIGHT) == []
    assert threads.begun == AT_A_TIME
    late = inside_tls(edge, far(200))
    assert late.ask(RIGHT) == ["454 4.7.0 too many logins now, try again later"]
    threads.go_on()
    assert threads.begun == AT_A_TIME + 1
    assert late.ask(RIGHT) == []
    while threads.waiting:
        threads.go_on()
    assert [client.replies() for client in (*clients, late)] == [AUTHENTICATED] * len(
        [*clients, late]
    )


# Guessing passwords.


def guesses_in(edge, minutes, peers):
    """Guess from many connections for so long; return the number of answers of each minute."""
    clients = [inside_tls(edge, each) for each in peers]
    idle = list(clients)
    counts = []
    for _ in range(minutes):
        answers = 0
        for _ in range(60):
            for client in idle:
                client.ask(plain("joe", "wrong"))
            edge.clock.advance(1)
            idle = []
            for n, client in enumerate(clients):
                replies = client.replies()
                answers += replies.count(WRONG[0])
                if client.closed:
                    client.hang_up()
                    clients[n] = inside_tls(edge, peers[n])
                if replies:
                    idle.append(clients[n])
        counts.append(answers)
    return counts


SAME = {
    "one address": [FAR] * 100,
    "one network": [IPv6Address("TCP", f"2001:db8::{n:x}", 1) for n in range(1, 101)],
    "one address in two forms": [FAR, IPv6Address("TCP", "::ffff:192.0.2.1", 1)] * 50,
    "a proxy's word for it": [IPv6Address("TCP", "::ffff:192.0.2.1", 1)] * 100,
}


@pytest.mark.parametrize("peers", SAME.values(), ids=SAME)
def test_a_hundred_connections_of_one_address_guess_no_faster_than_two(peers):
    """Without it, a hundred connections had 2,000 answers in a minute."""
    edge = edge_with(allow=["192.0.2.0/24", "2001:db8::/64"])
    first, *others = guesses_in(edge, 10, peers)
    assert first <= 40
    assert sorted(others, reverse=True) == others
    assert others[-1] <= 2 * 60 / LONGEST_PAUSE


def test_guesses_of_one_address_keep_nobody_else_from_a_login():
    """Without it, 22 of 22 were put off."""
    threads = Threads()
    edge = edge_with(allow=["192.0.2.0/24"], in_thread=threads)
    replies = [inside_tls(edge).ask(plain("joe", "wrong")) for _ in range(100)]
    too_many = ["454 4.7.0 too many logins now, try again later"]
    assert replies.count(too_many) == 100 - MOST_WAITING_FROM_ONE_ADDRESS
    assert threads.begun == AT_A_TIME_FROM_ONE_ADDRESS
    others = [inside_tls(edge, far(100 + n)) for n in range(22)]
    for client in others:
        assert client.ask(RIGHT) == []
    while threads.waiting:
        threads.go_on()
    assert [client.replies() for client in others] == [AUTHENTICATED] * 22


def test_many_right_logins_from_one_address_wait_for_each_other():
    threads = Threads()
    edge = edge_with(in_thread=threads)
    clients = [inside_tls(edge) for _ in range(MOST_WAITING_FROM_ONE_ADDRESS)]
    for client in clients:
        client.ask(RIGHT)
    while threads.waiting:
        assert len(threads.waiting) <= AT_A_TIME_FROM_ONE_ADDRESS
        threads.go_on()
    assert [client.replies() for client in clients] == [AUTHENTICATED] * len(clients)
    assert not edge.factory._checker._turns_of_one


def test_hanging_up_does_not_shorten_the_pause():
    edge = edge_with()
    for _ in range(AT_A_TIME_FROM_ONE_ADDRESS):
        client = inside_tls(edge)
        client.ask(plain("joe", "wrong"))
        client.hang_up()
    edge.clock.advance(PAUSE - 0.1)
    client = inside_tls(edge)
    assert client.ask(RIGHT) == []
    edge.clock.advance(0.1)
    assert client.replies() == AUTHENTICATED


def test_a_right_login_between_wrong_ones_does_not_shorten_their_pause():
    edge = edge_with()
    for _ in range(4):
        client = inside_tls(edge)
        client.ask(plain("joe", "wrong"))
        edge.clock.advance(LONGEST_PAUSE)
        assert client.replies() == WRONG
        assert client.ask(RIGHT) == AUTHENTICATED
    client = inside_tls(edge)
    client.ask(plain("joe", "wrong"))
    edge.clock.advance(PAUSE)
    assert client.replies() == []


# From anywhere.


@pytest.fixture
def open_edge():
    return edge_with(users_from_anywhere=True)


def test_by_default_a_stranger_is_refused_at_once(edge):
    client = edge.client(peer=STRANGER)
    assert client.greeting == ["554 5.7.1 this relay does not serve your address"]


def test_a_stranger_may_send_when_it_has_logged_in(open_edge):
    client = inside_tls(open_edge, STRANGER)
    assert client.ask(SAYS_MAIL) == LOGIN_FIRST
    assert client.ask(RIGHT) == AUTHENTICATED
    assert client.send_mail()[0].startswith("250 2.0.0 queued as")
    open_edge.clock.advance(LOGIN_WITHIN)
    assert client.ask(b"NOOP") == ["250 2.0.0 still here"]


def test_a_wrong_login_opens_nothing_to_a_stranger(open_edge):
    client = inside_tls(open_edge, STRANGER)
    client.ask(plain("joe", "wrong"), SAYS_MAIL)
    open_edge.clock.advance(PAUSE)
    assert client.replies() == [*WRONG, *LOGIN_FIRST]


def test_a_stranger_cannot_log_in_without_tls(open_edge):
    client = open_edge.client(peer=STRANGER)
    assert client.ask(RIGHT) == TLS_FIRST
    assert client.ask(SAYS_MAIL) == LOGIN_FIRST


def test_a_stranger_may_make_few_errors(open_edge):
    client = inside_tls(open_edge, STRANGER)
    replies = client.ask(*[SAYS_MAIL] * (MOST_ERRORS_OF_STRANGERS + 1))
    assert replies == LOGIN_FIRST * MOST_ERRORS_OF_STRANGERS + [
        "421 4.7.0 too many errors, closing"
    ]
    assert client.closed


def test_who_has_logged_in_is_no_stranger_any_more(open_edge):
    client = inside_tls(open_edge, STRANGER)
    client.ask(RIGHT)
    assert len(client.ask(*[b"DATA"] * (MOST_ERRORS_OF_STRANGERS + 1))) > MOST_ERRORS_OF_STRANGERS
    assert not client.closed


def test_a_stranger_has_little_time_for_its_login(open_edge):
    client = inside_tls(open_edge, STRANGER)
    open_edge.clock.advance(LOGIN_WITHIN / 2)
    client.ask(b"NOOP")
    open_edge.clock.advance(LOGIN_WITHIN / 2)
    assert client.replies() == ["421 4.7.0 no login for too long, closing"]
    assert client.closed


def test_a_stranger_that_goes_leaves_no_timer(open_edge):
    open_edge.client(peer=STRANGER).hang_up()
    assert open_edge.clock.getDelayedCalls() == []


def test_allowed_clients_are_treated_as_ever(open_edge):
    assert open_edge.client(peer=FAR).send_mail()[0].startswith("250 2.0.0 queued as")


# The certificate.


@pytest.fixture
def pem(tmp_path):
    path = tmp_path / "relay.pem"
    write(path)
    return path


def write(path, *names, stamp=None, **options):
    path.write_bytes(b"".join(Authority().server_pem(*(names or ("relay.example",)), **options)))
    if stamp:
        os.utime(path, (stamp, stamp))


def shown(tls):
    """Return the name that a client is shown."""
    tls.serverConnectionForTLS(None)
    return tls._current.chain[0].subject.rfc4514_string()


def test_a_renewed_certificate_is_used_from_the_next_session_on(pem):
    tls = ServerTLS(str(pem), None, time.time)
    before = tls.serverConnectionForTLS(None).get_context()
    assert tls.serverConnectionForTLS(None).get_context() is before
    write(pem, "renewed.example", stamp=1)
    after = tls.serverConnectionForTLS(None).get_context()
    assert after is not before
    assert shown(tls) == "CN=renewed.example"
    assert tls.serverConnectionForTLS(None).get_context() is after


@pytest.mark.parametrize("content", [None, b"", b"garbage"])
def test_a_renewed_certificate_that_is_bad_is_not_used_and_told_once(pem, content):
    tls = ServerTLS(str(pem), None, time.time)
    if content is None:
        pem.unlink()
    else:
        pem.write_bytes(content)
    with capturedLogs() as events:
        assert shown(tls) == shown(tls) == "CN=relay.example"
    [line] = logged(events)
    assert "the old one stays in use" in line
    assert str(pem) in line
    write(pem, "good.example")
    assert shown(tls) == "CN=good.example"


def test_a_key_in_a_file_of_its_own_is_looked_at_too(tmp_path):
    certificate, key = Authority().server_pem("relay.example")
    (tmp_path / "cert").write_bytes(certificate)
    (tmp_path / "key").write_bytes(key)
    tls = ServerTLS(f"{tmp_path}/cert", f"{tmp_path}/key", time.time)
    (tmp_path / "key").write_bytes(b"")
    with capturedLogs() as events:
        shown(tls)
    assert "no private key" in logged(events)[0]


def test_a_certificate_that_expires_while_the_relay_runs_is_told_once_a_day(pem):
    now = [time.time()]
    tls = ServerTLS(str(pem), None, lambda: now[0])
    lines = []
    for days in (0, 25, 25.1, 26, 35, 36):
        now[0] = time.time() + days * 86_400
        with capturedLogs() as events:
            tls.serverConnectionForTLS(None)
        texts = [line.partition("certificate ")[2] for line in logged(events)]
        lines.append([text.partition(" on ")[0] for text in texts])
    assert lines == [[], ["expires in 4 days,"], [], ["expires in 3 days,"], ["expired"], []]


def test_a_bad_certificate_keeps_the_edge_from_being_built(pem):
    pem.write_bytes(b"")
    with pytest.raises(ConfigurationError, match="contains no readable PEM certificate"):
        Edge(tls_certificate=str(pem))
