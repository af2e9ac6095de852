"""The login by a token: what is said, what follows from a refusal, and who has to wait."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred

from multisendcon_plugin.interfaces.credentials import CredentialError
from multisendcon_plugin.mail.phase import Phase
from multisendcon_plugin.outcome.attempt import Attempt, Verdict
from multisendcon_plugin.outcome.failure import Action, Meaning, own_rule
from multisendcon_plugin.relay import ConnectionBudget
from multisendcon_plugin.routing.account import Auth
from multisendcon_plugin.routing.hop import Tls
from tests.relays import BREAK_OFF, CLOSE, SILENT, Network, Server, Way, verdicts
from tests.tokens import Tokens, by, oauthbearer, xoauth2

DELIVERED, DEFERRED = Verdict.DELIVERED, Verdict.DEFERRED
BOTH = "AUTH PLAIN LOGIN CRAM-MD5 OAUTHBEARER XOAUTH2"
LONG = "eyJ0" + "aB3-_x.9" * 300
REFUSED = "535 5.7.3 Authentication unsuccessful"


def challenge(**told):
    """Return an error challenge."""
    return "334 " + base64.b64encode(json.dumps(told).encode()).decode()


def auth(server):
    """Return what a server was told in a login."""
    mail = next(
        (at for at, line in enumerate(server.lines) if line[:4] in (b"MAIL", b"QUIT")), None
    )
    return server.lines[1:mail]


def only(*tokens):
    """Return the answer of a server that takes these tokens only, by XOAUTH2."""
    right = [xoauth2(token) for token in tokens]
    return lambda line: "235 2.7.0 welcome" if line.split(b" ")[-1] in right else REFUSED


# What is said.


@pytest.mark.parametrize(
    ("offers", "said"),
    [
        (BOTH, b"AUTH XOAUTH2 " + xoauth2("t0ken")),
        ("AUTH LOGIN XOAUTH2", b"AUTH XOAUTH2 " + xoauth2("t0ken")),
        ("AUTH PLAIN OAUTHBEARER", b"AUTH OAUTHBEARER " + oauthbearer("t0ken")),
    ],
)
def test_a_short_token_comes_with_the_command(offers, said):
    server = Server(offers)
    assert verdicts(Way(server, **by(Tokens("t0ken"))).send()) == [DELIVERED]
    assert auth(server) == [said]


@pytest.mark.parametrize(
    ("mechanism", "response"), [("XOAUTH2", xoauth2(LONG)), ("OAUTHBEARER", oauthbearer(LONG))]
)
@pytest.mark.parametrize("prompt", ["334", "334 ", "334 Go ahead"])
def test_a_long_token_comes_when_the_server_asks_for_it(mechanism, response, prompt):
    server = Server(f"AUTH {mechanism}", AUTH=prompt)
    assert verdicts(Way(server, **by(Tokens(LONG))).send()) == [DELIVERED]
    assert auth(server) == [f"AUTH {mechanism}".encode(), response]


def test_a_command_has_no_more_than_512_octets():
    lengths = set()
    for length in range(300, 340):
        server = Server("AUTH XOAUTH2", AUTH=lambda line: "235 ok" if b"=" in line else "334 ")
        Way(server, **by(Tokens("x" * length))).send()
        lengths |= {len(line) + 2 for line in auth(server) if line.startswith(b"AUTH")}
    assert 508 < max(lengths) <= 512
    assert min(lengths) == len(b"AUTH XOAUTH2\r\n")


def test_a_server_that_has_not_looked_at_what_came_with_the_command_gets_it_again():
    server = Server("AUTH XOAUTH2", AUTH="334 ")
    assert verdicts(Way(server, **by(Tokens("t0ken"))).send()) == [DELIVERED]
    assert auth(server) == [b"AUTH XOAUTH2 " + xoauth2("t0ken"), xoauth2("t0ken")]


@pytest.mark.parametrize("key", [Auth.XOAUTH2, Auth.OAUTHBEARER])
def test_the_mechanism_of_the_account_is_the_only_one(key):
    server = Server(BOTH)
    Way(server, **by(Tokens("t0ken"), auth=key)).send()
    assert [line.split(b" ")[1].decode() for line in auth(server)] == [key.mechanism]


@pytest.mark.parametrize(
    ("offers", "key", "said"),
    [
        (
            "AUTH PLAIN LOGIN",
            Auth.AUTO,
            "mechanism that the relay supports for a token, only PLAIN",
        ),
        ("AUTH OAUTHBEARER", Auth.XOAUTH2, "does not offer XOAUTH2 (see auth), only OAUTHBEARER"),
        ("SIZE", Auth.AUTO, "the server offers no login"),
    ],
)
def test_a_token_is_never_sent_as_a_password(offers, key, said):
    server = Server(offers)
    attempt = Way(server, **by(Tokens("t0ken"), auth=key)).send()
    assert attempt.fault.action is Action.REST
    assert said in str(attempt.fault)
    assert not any(line.startswith(b"AUTH") for line in server.lines)


def test_a_password_is_never_sent_as_a_token():
    server = Server("AUTH XOAUTH2 OAUTHBEARER")
    attempt = Way(server, username="sales", password="s3cret", tls=Tls.NONE).send()
    assert "no login mechanism that the relay supports" in str(attempt.fault)
    assert not any(line.startswith(b"AUTH") for line in server.lines)


def test_no_token_is_sent_in_the_clear():
    server = Server(BOTH)
    attempt = Way(server, **by(Tokens("t0ken"), tls=Tls.AUTO, username="sales")).send()
    assert attempt.fault.phase is Phase.TLS
    assert not any(line.startswith(b"AUTH") for line in server.lines)


@pytest.mark.parametrize("said", ["500 5.5.1 what", "502 5.5.1 no", "504 5.5.4 not that one"])
def test_where_a_mechanism_is_not_understood_the_other_is_tried_and_remembered(said):
    first = Server(BOTH, AUTH=[said, "235 welcome"])
    later = Server(BOTH)
    way = Way(first, later, **by(Tokens("t0ken")), max_mails_per_connection=1)
    for _ in "ab":
        assert verdicts(way.send()) == [DELIVERED]
    names = [[line.split(b" ")[1] for line in auth(each)] for each in (first, later)]
    assert names == [[b"XOAUTH2", b"OAUTHBEARER"], [b"OAUTHBEARER"]]


# A refusal.


def test_a_refused_token_costs_one_more_and_one_more_session():
    first, second = (Server("AUTH XOAUTH2", AUTH=only("new")) for _ in "ab")
    tokens = Tokens("old", "new")
    way = Way(first, second, **by(tokens), max_connections=1)
    assert not way.begin(pieces=[Deferred()])  # the server has yet to close
    way.network.flush()
    assert [auth(each) for each in (first, second)] == [
        [b"AUTH XOAUTH2 " + xoauth2("old")],
        [b"AUTH XOAUTH2 " + xoauth2("new")],
    ]
    assert (tokens.asked, tokens.refused) == (1, ["old"])
    assert tokens.heard == [("old", False), ("new", True)]
    assert len(way.network.wires) == 2


def test_an_account_whose_new_token_is_refused_too_has_a_fault_of_its_login():
    servers = [Server("AUTH XOAUTH2", AUTH=REFUSED) for _ in "abc"]
    tokens = Tokens("one", "two", "three")
    way = Way(*servers, **by(tokens))
    attempt = way.send()
    assert str(attempt.fault) == f"login: {REFUSED}"
    assert attempt.fault.action is Action.ALARM
    assert verdicts(attempt) == [DEFERRED]
    assert tokens.refused == ["one"]
    assert len(way.network.wires) == 2


def test_a_token_that_was_refused_is_not_tried_again_and_the_next_one_is_tried_once():
    servers = [Server("AUTH XOAUTH2", AUTH=only("good")) for _ in "abcd"]
    tokens = Tokens("one", "two", "three", "good")
    way = Way(*servers, **by(tokens))
    assert way.send().fault
    assert way.send().fault
    assert verdicts(way.send()) == [DELIVERED]
    assert tokens.refused == ["one", "two", "three"]
    sent = [auth(each)[0].split(b" ")[-1] for each in servers]
    assert sent == [xoauth2(each) for each in ("one", "two", "three", "good")]


def test_where_there_is_no_other_token_the_refusal_stands():
    servers = [Server("AUTH XOAUTH2", AUTH=REFUSED) for _ in "abc"]
    tokens = Tokens("only")
    way = Way(*servers, **by(tokens))
    for times in (1, 2):
        assert str(way.send().fault) == f"login: {REFUSED}"
        assert len(tokens.refused) == times
    assert len(way.network.wires) == 2


def test_a_token_that_works_at_last_is_not_renewed_for_each_session():
    servers = [Server("AUTH XOAUTH2", AUTH=[answer]) for answer in (REFUSED, "235 ok", "235 ok")]
    tokens = Tokens("only")
    way = Way(*servers, **by(tokens), max_mails_per_connection=1)
    assert way.send().fault
    for _ in "ab":
        assert verdicts(way.send()) == [DELIVERED]
    assert tokens.refused == ["only", "only"]


def test_the_next_token_is_tried_by_the_mechanism_that_has_worked_or_else_by_another():
    answers = (REFUSED, "235 welcome", REFUSED, "235 welcome")
    servers = [Server(BOTH, AUTH=answer) for answer in answers]
    way = Way(*servers, **by(Tokens("one", "two", "three")), max_mails_per_connection=1)
    for _ in "ab":
        assert verdicts(way.send()) == [DELIVERED]
    names = [auth(each)[0].split(b" ")[1] for each in servers]
    assert names == [b"XOAUTH2", b"OAUTHBEARER", b"OAUTHBEARER", b"OAUTHBEARER"]


@pytest.mark.parametrize("said", ["501 5.5.127 Invalid XOAUTH2 auth data - Token will expire soon"])
def test_some_servers_refuse_a_token_as_they_refuse_an_argument(said):
    servers = Server("AUTH XOAUTH2", AUTH=said), Server("AUTH XOAUTH2")
    tokens = Tokens("old", "new")
    assert verdicts(Way(*servers, **by(tokens)).send()) == [DELIVERED]
    assert tokens.refused == ["old"]


@pytest.mark.parametrize(
    ("said", "action"),
    [
        ("454 4.7.0 Temporary authentication failure", Action.SLOW),
        ("432 4.3.2 Concurrent connections limit exceeded", Action.SLOW),
        ("421 4.7.0 later", Action.SLOW),
        ("451 4.7.0 later", Action.REST),
        ("535 5.7.8 Too many connections per account", Action.SLOW),
        ("535 5.7.0 Daily relay quota exceeded", Action.QUOTA),
        ("500 5.5.1 what", Action.REST),
        ("501 5.5.4 what", Action.REST),
        (CLOSE, Action.REST),
        (BREAK_OFF, Action.REST),
    ],
)
def test_what_is_no_refusal_leaves_the_token_as_it_is(said, action):
    tokens = Tokens("t0ken", "other")
    way = Way(Server("AUTH XOAUTH2", AUTH=said), **by(tokens))
    assert way.send().fault.action is action
    assert (tokens.refused, tokens.heard) == ([], [])


def test_an_account_may_have_rows_of_its_own_for_refused_tokens():
    rows = (own_rule(code="454", text="bad token", means=Meaning.LOGIN),)
    servers = Server("AUTH XOAUTH2", AUTH="454 4.7.0 Bad token"), Server("AUTH XOAUTH2")
    tokens = Tokens("old", "new")
    assert verdicts(Way(*servers, **by(tokens, replies=rows)).send()) == [DELIVERED]
    assert tokens.refused == ["old"]


def test_a_second_session_that_cannot_be_opened_says_so():
    way = Way(Server("AUTH XOAUTH2", AUTH=REFUSED), **by(Tokens("old", "new")))
    assert way.send().fault.phase is Phase.CONNECT


# Error challenges.


@pytest.mark.parametrize(("mechanism", "end"), [("XOAUTH2", b""), ("OAUTHBEARER", b"AQ==")])
@pytest.mark.parametrize("token", ["t0ken", LONG])
def test_a_complaint_is_answered_and_told(mechanism, end, token):
    error = challenge(status="401", schemes="bearer", scope="https://mail.google.com/")
    prompts = ["334 "] if token == LONG else []
    *asked, last = [*prompts, error]
    server = Server(
        f"AUTH {mechanism}",
        AUTH=(asked or [last])[0],
        RESPONSE=[*([last] if asked else []), "535-5.7.8 Username and Password\r\n535 5.7.8 no"],
    )
    attempt = Way(server, **by(Tokens(token))).send()
    assert str(attempt.fault) == (
        "login: 535 5.7.8 Username and Password no (the server says of the token: status 401,"
        " schemes bearer, scope https://mail.google.com/)"
    )
    assert attempt.fault.action is Action.ALARM
    assert auth(server)[-1] == end


@pytest.mark.parametrize("end", [CLOSE, BREAK_OFF, "421 4.7.0 bye"])
def test_a_server_that_hangs_up_after_a_complaint_has_refused_the_token(end):
    servers = [Server("AUTH XOAUTH2", AUTH=challenge(status="400"), RESPONSE=end) for _ in "ab"]
    tokens = Tokens("old", "new")
    attempt = Way(*servers, **by(tokens)).send()
    assert str(attempt.fault).startswith(
        "login: 5.7.8 the server refuses the token (status 400), and then: 4"
    )
    assert attempt.fault.action is Action.ALARM
    assert tokens.refused == ["old"]


def test_a_server_that_never_ends_breaks_the_protocol():
    server = Server("AUTH XOAUTH2", AUTH="334 ", RESPONSE=["334 ", "334 ", "501 cancelled"])
    attempt = Way(server, **by(Tokens("t0ken"))).send()
    assert attempt.fault.action is Action.REST
    assert "breaks the protocol of AUTH XOAUTH2" in str(attempt.fault)
    assert auth(server)[-1] == b"*"


# No token.


@pytest.mark.parametrize(("needs_admin", "action"), [(True, Action.ALARM), (False, Action.REST)])
def test_without_a_token_nobody_is_connected_and_the_mail_waits(needs_admin, action):
    error = CredentialError("sign in again", needs_admin=needs_admin)
    way = Way(Server(), **by(Tokens(error)))
    attempt = way.send()
    assert attempt.fault.phase is Phase.LOGIN
    assert attempt.fault.action is action
    assert "sign in again" in str(attempt.fault)
    assert verdicts(attempt) == [DEFERRED]
    assert way.network.wires == []


@pytest.mark.parametrize("needs_admin", [True, False])
def test_when_no_token_follows_a_refused_one_that_is_what_is_told(needs_admin):
    error = CredentialError("sign in again", needs_admin=needs_admin)
    way = Way(Server("AUTH XOAUTH2", AUTH=REFUSED), **by(Tokens("old", error)))
    attempt = way.send()
    assert "sign in again" in str(attempt.fault)
    assert attempt.fault.action is (Action.ALARM if needs_admin else Action.REST)


def test_while_a_token_is_waited_for_no_connection_is_open_and_it_is_asked_for_once():
    token = Deferred()
    tokens = Tokens(token)
    network = Network()
    budget = ConnectionBudget(1, network)
    way = Way(network=network, budget=budget, **by(tokens), max_connections=3)
    attempts = [way.begin() for _ in "abc"]
    network.advance(600)
    assert (attempts, network.wires, tokens.asked) == ([[], [], []], [], 1)
    # Others have the connections meanwhile.
    assert verdicts(Way(Server(), network=network, budget=budget).send()) == [DELIVERED]
    network.advance(10)
    network.servers = [Server("AUTH XOAUTH2") for _ in "abc"]
    token.callback("t0ken")
    network.flush()
    assert [verdicts(each[0]) for each in attempts] == [[DELIVERED]] * 3


def test_a_dead_token_is_asked_for_once_for_all_mails_that_wait():
    token = Deferred()
    tokens = Tokens(token)
    way = Way(Server(), **by(tokens), max_connections=3)
    attempts = [way.begin() for _ in "abc"]
    token.errback(CredentialError("sign in again", needs_admin=True))
    way.network.flush()
    assert tokens.asked == 1
    assert [each[0].fault.action for each in attempts] == [Action.ALARM] * 3


def test_who_waits_for_a_token_goes_away_when_the_relay_stops():
    tokens = Tokens(Deferred())
    way = Way(Server(), **by(tokens))
    waiting = way.begin()
    way.factory.stop(10)
    assert [outcome.reply.enhanced for outcome in waiting[0].outcomes] == ["4.3.2"]


def test_all_who_wait_for_one_go_away_and_none_of_them_asks_again():
    tokens = Tokens(Deferred())
    way = Way(Server(), **by(tokens), max_connections=8)
    waiting = [way.begin() for _ in range(8)]
    way.factory.stop(10)
    assert [each[0].outcomes[0].reply.enhanced for each in waiting] == ["4.3.2"] * 8
    assert tokens.asked == 1


# A token that ends while its session is kept.


@pytest.mark.parametrize(
    "said",
    [
        "530 5.7.0 Authentication Required",
        "530 5.7.57 Client not authenticated to send mail",
        "535 5.7.3 Authentication unsuccessful",
        "550 5.7.1 token expired",
        "451 4.7.0 Authentication expired",
        "421 4.7.0 the token has expired",
        "454 4.7.0 token expired",
        CLOSE,
    ],
)
def test_a_session_that_has_outlived_its_token_is_followed_by_one_with_a_new_token(said):
    first = Server("AUTH XOAUTH2", MAIL=["250 ok", said])
    second = Server("AUTH XOAUTH2")
    tokens = Tokens("old")
    way = Way(first, second, **by(tokens))
    assert verdicts(way.send()) == [DELIVERED]
    tokens.tokens = ["new"]
    assert verdicts(way.send()) == [DELIVERED]
    assert auth(second) == [b"AUTH XOAUTH2 " + xoauth2("new")]
    assert len(second.taken) == 1


# Secrets.


@pytest.mark.parametrize("token", ["sh0rt-t0ken", LONG])
@pytest.mark.parametrize("said", ["535 5.7.8 {}", "421 4.7.0 {}", "454 {}", "{}", "334 {}"])
@pytest.mark.parametrize("mechanism", ["XOAUTH2", "OAUTHBEARER"])
def test_a_server_that_repeats_a_token_brings_it_nowhere(token, said, mechanism):
    response = (xoauth2 if mechanism == "XOAUTH2" else oauthbearer)(token).decode()

    def echo(line):
        return said.format(f"{line.decode()} {token} {response}")

    servers = [Server(f"AUTH {mechanism}", AUTH=["334 "], RESPONSE=echo) for _ in "ab"]
    way = Way(*servers, **by(Tokens(token)))
    attempt = way.send()
    shown = f"{attempt} {attempt.fault}"
    assert attempt.fault
    for secret in (token, response):
        assert secret[:40] not in shown
        assert secret[-40:] not in shown


@pytest.mark.parametrize("token", ["sh0rt-t0ken", LONG])
def test_a_complaint_that_repeats_a_token_does_not_bring_it_to_light(token):
    error = challenge(status=token[:100], error=xoauth2(token).decode()[:100])
    server = Server("AUTH XOAUTH2", AUTH=error, RESPONSE="535 5.7.8 no")
    attempt = Way(server, **by(Tokens(token))).send()
    assert "***" in str(attempt.fault)
    assert token[:40] not in f"{attempt} {attempt.fault}"


@pytest.mark.parametrize("token", ["sh0rt-t0ken", LONG])
def test_a_token_of_before_is_hidden_from_the_greeting_on(token):
    way = Way(
        Server(GREETING=f"554 {token[:1500]} {xoauth2(token).decode()[:1500]}"), **by(Tokens(token))
    )
    assert str(way.send().fault) == "greeting: 554 *** ***"


# Whatever a server says.

line = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=80)
told = st.dictionaries(st.sampled_from(["status", "error", "scope"]), line)
said = (
    line.map("334 {}".format)
    | told.map(lambda each: challenge(**each))
    | st.tuples(st.integers(200, 599), line).map(lambda each: f"{each[0]} {each[1]}")
    | st.sampled_from([CLOSE, BREAK_OFF, SILENT, "334", "235 ok", REFUSED])
)


@given(st.lists(said, min_size=1, max_size=4), st.lists(said, min_size=1, max_size=4))
def test_whatever_a_server_says_the_login_ends_after_two_sessions(first, later):
    tokens = Tokens("c4nary-token-one", "c4nary-token-two", "c4nary-token-three")
    servers = [Server("AUTH XOAUTH2", AUTH=first, RESPONSE=later) for _ in "abc"]
    way = Way(*servers, **by(tokens))
    results = way.begin()
    way.network.advance(1000)
    way.network.advance(1000)
    (attempt,) = results
    assert isinstance(attempt, Attempt)
    assert len(way.network.wires) <= 2
    assert tokens.refused in ([], ["c4nary-token-one"])
    assert "c4nary" not in f"{attempt}"
