"""The test of an account: what each step finds, and what an admin is advised to do."""

from __future__ import annotations

import base64
import json
import re
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.error import (
    ConnectionRefusedError,  # noqa: A004
    NoRouteError,
    TimeoutError,  # noqa: A004
)
from twisted.python.failure import Failure

from multisendcon_plugin.logins import Logins
from multisendcon_plugin.mail.phase import Phase
from multisendcon_plugin.operations.account_tests import AccountTests
from multisendcon_plugin.operations.errors import BadRequestError, RefusedError
from multisendcon_plugin.operations.json_form import encode
from multisendcon_plugin.operations.values import AccountTest
from multisendcon_plugin.relay import Relays
from multisendcon_plugin.relay.address_examination import LONGEST_WAIT
from multisendcon_plugin.routing.account import Account, NullSender
from multisendcon_plugin.routing.hop import Tls
from multisendcon_plugin.testing.misdeeds import (
    after,
    drip,
    drop,
    edit,
    eight_bit,
    endless,
    fake_tls,
    hang,
    inject,
    late,
    refuse,
    speak,
    stop_reading,
    strip,
    times,
)
from tests.evil_network import ADDRESS, EvilNetwork
from tests.queues import run
from tests.relays import (
    CLOSE,
    Content,
    Names,
    Network,
    Server,
    delivery,
    login,
)

SENDER, RECIPIENT = "sales@a.example", "admin@b.example"
PASSWORD = 'c\u00e4nary "s3cret"/+%'
#: More than all that a server may take for a test.
FOREVER = 10_000


class Examiner:
    """An account, and the tests of it.

    :param network: has the servers.
    """

    def __init__(self, network, *, limit=50, largest=1000, logins=None, **account):
        self.network = network
        self.relays = Relays(network, limit, logins or Logins(network).of)
        self.tests = AccountTests(self.relays, lambda: largest, lambda: 1_700_000_000.0)
        settings = {"server": ADDRESS, "tls_verify": False, "fixed_sender": SENDER, **account}
        self.account = Account(**{"name": "Sales", "helo_domain": "relay.example", **settings})
        self.told = []

    def begin(self, **asked):
        """Begin a test; return where its result arrives."""
        results = []
        running = self.tests.run(self.account, AccountTest(**asked), self.told.append)
        Deferred.fromCoroutine(running).addBoth(results.append)
        self.network.flush()
        return results

    def run(self, seconds=FOREVER, **asked):
        """Run a test to its end."""
        results = self.begin(**asked)
        run(self.network, seconds)
        (tested,) = results
        if isinstance(tested, Failure):
            tested.raiseException()
        assert self.network.timers == []
        assert all(wire.gone for wire in self.network.wires)
        return tested


def evil(script=None, *, offers=(), **account):
    """Return the test of an account with a login whose server is that of a script."""
    network = EvilNetwork()
    provider = network.provide(script, tls="fake", offers=offers)
    test = Examiner(network, **login(tls=Tls.STARTTLS, **account))
    test.provider = provider
    return test


def plain(*servers, **account):
    return Examiner(Network(*servers), **account)


def steps(tested):
    """Return which steps went well, and which did not."""
    return [f"{'' if step.ok else '!'}{step.step}" for step in tested.steps]


WAY = ["connect", "greeting", "ehlo", "tls", "login", "sender", "null sender"]


def test_an_account_that_works_passes_each_step():
    test = evil(offers=["SIZE 5000", "DSN", "PIPELINING"])
    tested = test.run()
    assert steps(tested) == WAY
    assert (tested.ok, tested.advice) == (True, "")
    assert [step.result for step in tested.steps] == [
        "192.0.2.10 to 192.0.2.1 port 25",
        "220 mx.provider.example ESMTP",
        "SIZE 5000, DSN, PIPELINING, STARTTLS, AUTH PLAIN",
        "TLSv1.3, TLS_AES_256_GCM_SHA384",
        "as sales, by PLAIN",
        "250 2.1.0 sender ok",
        "250 2.1.0 sender ok",
    ]
    assert tested.offers == ("SIZE 5000", "DSN", "PIPELINING", "AUTH PLAIN")
    assert list(tested.steps) == test.told
    assert test.provider.mails == []


def test_the_transcript_is_that_of_the_wire_without_secrets():
    tested = evil(offers=["SIZE"]).run()
    assert [re.sub(r"=\d+", "=N", line) for line in tested.transcript] == [
        "(192.0.2.10 to 192.0.2.1 port 25)",
        "S: 220 mx.provider.example ESMTP",
        "C: EHLO relay.example",
        "S: 250-mx.provider.example",
        "S: 250-SIZE",
        "S: 250-STARTTLS",
        "S: 250 AUTH PLAIN",
        "C: STARTTLS",
        "S: 220 2.0.0 go ahead",
        "C: EHLO relay.example",
        "S: 250-mx.provider.example",
        "S: 250-SIZE",
        "S: 250 AUTH PLAIN",
        "C: AUTH PLAIN ***",
        "S: 235 2.7.0 welcome",
        f"C: MAIL FROM:<{SENDER}> SIZE=N",
        "S: 250 2.1.0 sender ok",
        "C: RSET",
        "S: 250 2.0.0 reset",
        "C: MAIL FROM:<> SIZE=N",
        "S: 250 2.1.0 sender ok",
        "C: RSET",
        "S: 250 2.0.0 reset",
        "C: QUIT",
        "S: 221 2.0.0 bye",
    ]


def test_a_step_is_told_when_it_has_ended_with_the_time_that_it_took():
    test = evil({Phase.GREETING: late(2), Phase.LOGIN: late(30)})
    results = test.begin()
    assert [step.step for step in test.told] == ["connect"]
    test.network.advance(2)
    assert [step.step for step in test.told] == WAY[:4]
    assert not results
    test.network.advance(30)
    assert [step.seconds for step in results[0].steps] == [0, 2, 0, 0, 30, 0, 0]


# What is sent.


def test_a_real_mail_is_sent_as_the_account_sends_mail():
    test = evil(helo_domain="out.example")
    tested = test.run(to=RECIPIENT, sender="boss@other.example")
    assert steps(tested) == [*WAY, "mail"]
    assert tested.steps[-1].result == "250 2.0.0 queued"
    assert tested.transcript[-4].startswith("C: (content, ")
    (mail,) = test.provider.mails
    assert (mail.reverse_path, mail.recipients, mail.helo) == (SENDER, (RECIPIENT,), "out.example")
    assert mail.content.startswith(f"From: {SENDER}\r\n".encode())
    assert b"Reply-To: boss@other.example\r\n" in mail.content
    assert b"Somebody tests the account Sales of the relay out.example." in mail.content


def test_another_sender_can_be_tried_where_none_is_fixed():
    test = evil(fixed_sender=None)
    assert steps(test.run(sender="boss@other.example")) == WAY
    assert b"MAIL FROM:<boss@other.example>" in test.provider.sessions[0].lines
    assert steps(evil(fixed_sender=None).run()) == [each for each in WAY if each != "sender"]


@pytest.mark.parametrize("null_sender", [NullSender.SKIP, NullSender.REPLACE])
def test_the_null_sender_is_tried_where_it_may_be_said(null_sender):
    assert steps(evil(null_sender=null_sender).run()) == WAY[:-1]


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"to": "nobody"}, "to: 'nobody' is no address: an address has the form user@domain"),
        ({"to": "a@b>\r\nDATA"}, "to: 'a@b>\\r\\nDATA' is no address"),
        ({"sender": ""}, "from: '' is no address: the null path is not allowed here"),
        (
            {"to": RECIPIENT},
            (
                'account "Sales" has no fixed sender: say from whom the mail is ("from", or'
                " --from ADDRESS of the command)"
            ),
        ),
    ],
)
def test_an_address_that_is_none_is_refused_with_a_sentence(asked, sentence):
    test = evil(fixed_sender=None)
    with pytest.raises(BadRequestError) as refused:
        test.run(**asked)
    assert str(refused.value).startswith(sentence)
    assert test.provider.sessions == []


# What fails, and what to do.

HTTP = b"HTTP/1.1 400 Bad Request\r\n"
SILENCE = "Test it again later; if it lasts, ask the provider why the server falls silent"
HANGS_UP = "Test it again later; if it lasts, ask the provider why the server hangs up"
NO_SMTP = 'Check "server" and "port": what answers there is no mail server that keeps to SMTP.'
NOT_ADMITTED = "Ask the provider to admit the address of this machine"
LIMITED = "Test it again later; if it lasts, ask the provider whether it limits connections"
WRONG_LOGIN = 'Check "username" (sales) and "password"; some providers want an app password'
MISDEEDS = {
    # Of the greeting.
    "greeting 421": ({Phase.GREETING: refuse(421)}, "greeting", LIMITED),
    "greeting 554": ({Phase.GREETING: refuse(554)}, "greeting", NOT_ADMITTED),
    "greeting hangs": (
        {Phase.GREETING: hang},
        "greeting",
        'Set "tls" to "implicit" if port 25 is for TLS from the start',
    ),
    "greeting dropped": (
        {Phase.GREETING: drop()},
        "greeting",
        "Ask the provider whether it turns this machine away by its address",
    ),
    "greeting is no SMTP": ({Phase.GREETING: speak(HTTP)}, "greeting", NO_SMTP),
    "greeting never ends": ({Phase.GREETING: endless()}, "greeting", NO_SMTP),
    "greeting drips": ({Phase.GREETING: drip(60)}, "greeting", 'Set "tls" to "implicit"'),
    # Of EHLO.
    "ehlo 421": ({Phase.EHLO: refuse(421)}, "ehlo", LIMITED),
    "ehlo 550": (
        {Phase.EHLO: refuse(550)},
        "ehlo",
        'Set "helo_domain" to the name that the DNS has for the address of this machine',
    ),
    "ehlo hangs": ({Phase.EHLO: hang}, "ehlo", SILENCE),
    "ehlo reset": ({Phase.EHLO: drop(reset=True)}, "ehlo", HANGS_UP),
    "ehlo not read": ({Phase.GREETING: stop_reading}, "ehlo", SILENCE),
    # Of TLS.
    "no STARTTLS": (
        {Phase.EHLO: strip("STARTTLS")},
        "tls",
        'Set "port" to one with TLS: 587, or 465 with "tls" on "auto".',
    ),
    "STARTTLS refused": (
        {Phase.TLS: refuse(454)},
        "tls",
        'Ask the provider which port has TLS; "port" 465',
    ),
    "STARTTLS and more": (
        {Phase.TLS: inject(b"250 ok\r\n")},
        "tls",
        "Do not use the account before the provider has explained it",
    ),
    "no handshake": ({Phase.TLS: fake_tls(b"")}, "tls", SILENCE),
    "STARTTLS dropped": ({Phase.TLS: drop()}, "tls", HANGS_UP),
    # Of the login.
    "wrong password": ({Phase.LOGIN: refuse(535, "5.7.8 bad")}, "login", WRONG_LOGIN),
    "no basic authentication": (
        {
            Phase.LOGIN: refuse(
                535,
                "5.7.139 Authentication unsuccessful, basic authentication is disabled.",
            )
        },
        "login",
        'Exchange Online takes no password here: set up [account.oauth2] instead of "password"',
    ),
    "app password": (
        {Phase.LOGIN: refuse(534, "5.7.9 Application-specific password required.")},
        "login",
        "Create an app password for sales at the provider",
    ),
    "login busy": (
        {Phase.LOGIN: refuse(454, "4.7.0 Temporary authentication failure")},
        "login",
        "Test it again later: the server is busy, or asked too often.",
    ),
    "login 421": ({Phase.LOGIN: refuse(421)}, "login", "Test it again later: the server is busy"),
    "login quota": (
        {Phase.LOGIN: refuse(550, "Daily login limit exceeded")},
        "login",
        "Wait until the provider's limit is over",
    ),
    "login 504": ({Phase.LOGIN: refuse(504)}, "login", 'Set "auth" to "auto"'),
    "login hangs": ({Phase.LOGIN: hang}, "login", "Test it again later; if it lasts, ask the"),
    "login dropped": (
        {Phase.LOGIN: drop()},
        "login",
        'Check "username" and "password": some servers hang up at a wrong login.',
    ),
    "no login": (
        {Phase.EHLO: edit(lambda said: said.replace(b"AUTH PLAIN", b"HELP"))},
        "login",
        'Set "port" to one for mail with a login, 587 or 465',
    ),
    "no login that we have": (
        {Phase.EHLO: edit(lambda said: said.replace(b"PLAIN", b"GSSAPI"))},
        "login",
        "Ask the provider for PLAIN, LOGIN or CRAM-MD5 for sales.",
    ),
    # Of a mail.
    "not our address": (
        {Phase.MAIL: times(1, refuse(553, "5.7.1 Sender address rejected: not owned by user"))},
        "sender",
        'Set "fixed_sender" to an address that the account may send as',
    ),
    "no null sender": (
        {Phase.MAIL: after(1, refuse(550, "5.7.1 null sender is not allowed"))},
        "null sender",
        'Set "null_sender" to "replace" (beside a "fixed_sender"), or to "skip"',
    ),
    "login wanted": (
        {Phase.MAIL: refuse(530, "5.7.0 Authentication required")},
        "sender",
        'Set "username" and "password": the server takes no mail without a login.',
    ),
    "account blocked": (
        {Phase.MAIL: refuse(554, "5.7.1 Your account has been suspended")},
        "sender",
        "Ask the provider why it blocks the account",
    ),
    "quota": (
        {Phase.MAIL: refuse(550, "5.4.5 Daily user sending limit exceeded")},
        "sender",
        "Wait until the provider's quota has room",
    ),
    "busy": ({Phase.MAIL: refuse(421)}, "sender", "Test it again later: the server is busy"),
    "put off": ({Phase.MAIL: refuse(451)}, "sender", "Test it again in some minutes"),
    "mail hangs": ({Phase.MAIL: hang}, "sender", SILENCE),
    "mail dropped": ({Phase.MAIL: drop()}, "sender", HANGS_UP),
    "relay denied": (
        {Phase.RCPT: refuse(554, "5.7.1 Relay access denied")},
        "mail",
        'Set "username" and "password", or ask the provider to let this machine relay',
    ),
    "no such user": (
        {Phase.RCPT: refuse(550, "5.1.1 no such user")},
        "mail",
        "Check the address that the mail was to be sent to.",
    ),
    "full": (
        {Phase.RCPT: refuse(552, "5.2.2 mailbox full")},
        "mail",
        "Send the mail to another address: the mailbox of this one is full.",
    ),
    "spam": (
        {Phase.END: refuse(550, "5.7.1 looks like spam")},
        "mail",
        "Ask the provider by which",
    ),
    "DATA dropped": ({Phase.DATA: drop()}, "mail", HANGS_UP),
    "dot hangs": ({Phase.END: hang}, "mail", SILENCE),
    "dot dropped": ({Phase.END: drop()}, "mail", HANGS_UP),
    "refused for no reason": ({Phase.DATA: refuse(550)}, "mail", "Ask the provider by which rule"),
}


@pytest.mark.parametrize("misdeed", MISDEEDS)
def test_each_misdeed_has_its_step_and_the_advice_that_helps(misdeed):
    script, step, advice = MISDEEDS[misdeed]
    tested = evil(script).run(to=RECIPIENT)
    failed = next(each for each in tested.steps if not each.ok)
    assert (failed.step, failed.advice[: len(advice)]) == (step, advice)
    assert not tested.ok
    assert tested.advice == failed.advice
    assert all(each.advice for each in tested.steps if not each.ok)
    assert "{" not in tested.advice


@pytest.mark.parametrize("phase", [Phase.GREETING, Phase.EHLO, Phase.TLS, Phase.RSET, Phase.QUIT])
@pytest.mark.parametrize("misdeed", [eight_bit, late(25), drip(0.25)])
def test_who_is_odd_or_slow_is_no_fault(phase, misdeed):
    assert evil({phase: misdeed}).run(to=RECIPIENT).ok


@pytest.mark.parametrize(
    ("server", "account", "result", "advice"),
    [
        (
            ConnectionRefusedError(111, "Connection refused"),
            {},
            "192.0.2.1 port 25 cannot be reached: Connection refused",
            'Check "server" and "port": nothing listens there',
        ),
        (
            TimeoutError(),
            {"port": 2525},
            "192.0.2.1 port 2525 cannot be reached: no answer for 30 s",
            "Let the firewalls on the way, that of this machine and that of its line, pass conn",
        ),
        (
            NoRouteError(101, "Network is unreachable"),
            {},
            "192.0.2.1 port 25 cannot be reached: Network is unreachable",
            "Check the network: this machine has no way to that address.",
        ),
        (OSError("odd"), {}, "192.0.2.1 port 25 cannot be reached", 'Check "server" and "port"'),
    ],
)
def test_without_a_connection_it_is_said_where_to_look(server, account, result, advice):
    tested = plain(server, **account).run()
    assert steps(tested) == ["!connect"]
    assert result in tested.steps[0].result
    assert tested.advice.startswith(advice)
    assert not tested.ok


def named(*servers, addresses=(), **account):
    """Return the test of a server that has a name."""
    network = Network(*servers)
    network.nameResolver = Names(**{"mx.example": addresses})
    return Examiner(network, server="mx.example", **account)


def test_a_name_without_addresses_is_one_to_check():
    tested = named().run()
    assert steps(tested) == ["!dns"]
    assert "mx.example cannot be resolved: the DNS knows no address of it" in tested.steps[0].result
    assert tested.advice.startswith('Check the name in "server", and whether this machine can ask')


def test_a_local_address_of_another_family_than_the_server_is_named():
    tested = named(addresses=["2001:db8::1"], local_address=("192.0.2.7",)).run()
    assert steps(tested) == ["!dns"]
    assert "it has no IPv4 address, which the local address 192.0.2.7 needs" in (
        tested.steps[0].result
    )
    assert tested.advice.startswith('Set "local_address" to an address of the family')


def test_a_local_address_that_this_machine_does_not_have_is_named():
    tested = plain(local_address=("192.0.2.7",)).run()
    assert steps(tested) == ["!local address"]
    assert "it is not an address of this machine" in tested.steps[0].result
    assert tested.advice == (
        'Give this machine the address 192.0.2.7, or set "local_address" to one that it has.'
    )


def test_a_local_address_that_there_is_passes():
    tested = plain(Server(), local_address=("127.0.0.1",)).run()
    assert steps(tested)[:2] == ["local address", "connect"]
    assert tested.ok


def test_each_address_is_tried_and_one_that_works_is_enough():
    servers = [
        NoRouteError(101, "Network is unreachable"),
        Server(),
        Server(GREETING="554 go away"),
    ]
    tested = named(*servers, addresses=["2001:db8::1", "192.0.2.1", "192.0.2.2"]).run()
    assert steps(tested) == [
        "dns",
        "!connect",
        *("connect", "greeting", "ehlo", "tls", "sender", "null sender"),
        *("connect", "!greeting"),
    ]
    assert [step.address for step in tested.steps] == [
        *("", "2001:db8::1"),
        *(["192.0.2.1"] * 6),
        *(["192.0.2.2"] * 2),
    ]
    assert tested.steps[0].result == "2001:db8::1, 192.0.2.1, 192.0.2.2"
    assert (tested.ok, tested.advice) == (True, "")
    assert tested.steps[1].advice.startswith("Check the network")


def test_a_login_that_one_address_refuses_is_not_tried_at_the_next():
    network = EvilNetwork()
    network.nameResolver = Names(**{"mx.example": ["192.0.2.1", "192.0.2.2"]})
    network.provide({Phase.LOGIN: refuse(535)}, tls="fake")
    other = network.provide(address="192.0.2.2", tls="fake")
    test = Examiner(network, **login(server="mx.example", tls=Tls.STARTTLS))
    tested = test.run()
    assert steps(tested) == ["dns", *WAY[:4], "!login", *WAY[:4]]
    assert not tested.ok
    assert tested.advice.startswith(WRONG_LOGIN)
    assert not any(line.startswith(b"AUTH") for line in other.sessions[0].lines)


def test_without_tls_a_hop_that_can_do_without_goes_on_in_the_clear():
    servers = Server("STARTTLS", STARTTLS=CLOSE), Server("STARTTLS")
    tested = plain(*servers, tls=Tls.OPPORTUNISTIC).run()
    clear = ["connect", "greeting", "ehlo", "sender", "null sender"]
    assert steps(tested) == ["connect", "greeting", "ehlo", "!tls", *clear]
    assert tested.ok


def test_a_small_size_is_worth_a_word():
    tested = plain(Server("SIZE 999")).run()
    (ehlo,) = [step for step in tested.steps if step.step == "ehlo"]
    assert ehlo.ok
    assert ehlo.advice.startswith("The server takes mails of up to 999 bytes")
    assert not any(step.advice for step in plain(Server("SIZE 1000")).run().steps)


def test_a_mail_that_is_too_large_for_the_server_is_advised_on():
    tested = plain(Server("SIZE 10")).run(to=RECIPIENT)
    assert steps(tested)[-1] == "!mail"
    assert tested.advice.startswith("The server takes smaller mails only")


def test_a_minimum_wait_is_worth_a_word():
    tested = evil(minimum_wait=5.0).run()
    (sender,) = [step for step in tested.steps if step.step == "sender"]
    assert '"minimum_wait" is not kept between it and other mail' in sender.advice


# The account's own mail.


def test_it_waits_for_a_connection_of_the_account_and_says_so():
    test = plain(Server(), Server(), max_connections=1)
    lane = test.relays.of(test.account)
    lane.attempt(delivery(), lambda: Content([Deferred()]))
    test.network.flush()
    results = test.begin()
    test.network.advance(7)
    assert test.told == []
    assert len(test.network.wires) == 1
    test.network.wires[0].session.abort("for the test")
    run(test.network, 30)
    assert steps(results[0])[:2] == ["wait", "connect"]
    assert results[0].steps[0].seconds == 7
    assert results[0].ok


def test_it_waits_no_longer_than_a_minute():
    test = plain(Server(), max_connections=1)
    lane = test.relays.of(test.account)
    lane.attempt(delivery(), lambda: Content([Deferred()]))
    results = test.begin()
    test.network.advance(LONGEST_WAIT)
    assert steps(results[0]) == ["!wait"]
    assert results[0].advice.startswith("Test it again when it has less mail")


def test_a_test_that_fails_harms_no_session_of_the_account():
    test = plain(Server(), Server(MAIL="421 4.7.0 too much"), max_connections=2)
    lane = test.relays.of(test.account)
    pieces, attempts = [Deferred()], []
    lane.attempt(delivery(), lambda: Content(pieces)).addCallback(attempts.append)
    test.network.flush()
    waiting = test.network.wires[0].session
    results = test.begin()
    run(test.network, 1)
    assert not results[0].ok
    assert waiting.usable
    assert not attempts


def test_an_account_is_tested_once_at_a_time():
    test = evil({Phase.GREETING: times(1, late(5))})
    results = test.begin()
    with pytest.raises(RefusedError, match='account "Sales" is being tested'):
        test.run(0)
    run(test.network, 10)
    assert results[0].ok
    assert test.run().ok


def test_a_test_ends_with_the_relay():
    for phase in (Phase.GREETING, Phase.LOGIN, Phase.MAIL, Phase.END):
        test = evil({phase: hang})
        results = test.begin(to=RECIPIENT)
        test.tests.stop()
        run(test.network, 10)
        assert str(results[0].value) == "the relay is shutting down"
        assert all(wire.gone for wire in test.network.wires)


# How many connections.


@pytest.mark.parametrize(
    ("servers", "result", "advice"),
    [
        (4, "3 at the same time, and one more", ""),
        (3, "3 at the same time; one more is refused: 421 4.7.0 too many connections", ""),
        (
            1,
            "1 at the same time, not 3; the next is refused: 421 4.7.0 too many connections",
            'Set "max_connections" to the number that the server allows, or ask for more.',
        ),
        (
            0,
            "0 at the same time, not 3; the next is refused: 421 4.7.0 too many connections",
            'Set "max_connections" to the number that the server allows, or ask for more.',
        ),
    ],
)
def test_connections_are_counted_up_to_one_more_than_configured(servers, result, advice):
    no_more = Server(GREETING="421 4.7.0 too many connections")
    test = plain(Server(), *[Server() for _ in range(servers)], no_more, max_connections=3)
    tested = test.run(connections=True)
    assert (tested.steps[-1].step, tested.steps[-1].result) == ("connections", result)
    assert tested.advice == tested.steps[-1].advice == advice
    assert tested.ok is not bool(advice)


def test_connections_that_mail_needs_are_not_taken():
    test = plain(Server(), *[Server() for _ in range(5)], max_connections=3)
    lane = test.relays.of(test.account)
    lane.attempt(delivery(), lambda: Content([Deferred()]))
    results = test.begin(connections=True)
    run(test.network, 20)
    assert results[0].steps[-1].result == "2 at the same time, beside those in use"
    assert sum(not wire.gone for wire in test.network.wires) == 1


# Secrets.

ECHOES = st.sampled_from([Phase.LOGIN, Phase.MAIL, Phase.END, Phase.RSET, Phase.QUIT])


def forms(secret):
    octets = secret.encode()
    yield secret
    yield base64.b64encode(octets).decode().rstrip("=")
    yield base64.b64encode(b"\0sales\0" + octets).decode().rstrip("=")
    yield quote(secret, safe="")
    yield quote(secret)
    yield json.dumps(secret)[1:-1]
    yield json.dumps(secret, ensure_ascii=False)[1:-1]


@given(ECHOES, st.sampled_from(list(forms(PASSWORD))), st.sampled_from([334, 454, 535, 550, 250]))
def test_the_password_is_in_no_form_in_what_is_told(phase, form, code):
    script = {phase: speak(b"%d see %s here\r\n" % (code, form.encode()))}
    test = evil(script, password=PASSWORD)
    tested = test.run(to=RECIPIENT)
    told = encode(tested).decode() + repr(tested) + repr(test.told)
    for each in forms(PASSWORD):
        assert each not in told


@pytest.mark.parametrize("auth", ["PLAIN", "LOGIN", "CRAM-MD5"])
def test_challenges_and_responses_are_not_shown(auth):
    server = Server(f"AUTH {auth}", AUTH="334 PGNoYWw+", RESPONSE=["334 UGFzcw==", "235 ok"])
    if auth != "LOGIN":
        server = Server(f"AUTH {auth}", AUTH="334 ", RESPONSE="235 ok")
    tested = plain(server, **login()).run()
    shown = [line for line in tested.transcript if "AUTH" in line or "***" in line]
    assert f"C: AUTH {auth}{' ***' if auth == 'PLAIN' else ''}" in shown
    assert tested.transcript.count("C: ***") == (2 if auth == "LOGIN" else 1)
    assert "S: 334 ***" in shown
