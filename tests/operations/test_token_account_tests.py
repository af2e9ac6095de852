"""The test of an account that logs in by a token."""

from __future__ import annotations

import base64

import pytest
from twisted.internet.defer import Deferred

from multisendcon_plugin.interfaces.credentials import CredentialError
from tests.operations.test_account_tests import Examiner, steps
from tests.relays import Network, Server
from tests.tokens import USER, Tokens, by, oauthbearer, xoauth2

LONG = "eyJ0" + "aB3-_x.9" * 300
COMPLAINT = base64.b64encode(b'{"status":"401","scope":"https://mail.example/"}').decode()


def examiner(server, tokens, **account):
    return Examiner(Network(server), **by(tokens, **account))


def test_it_logs_in_as_the_mailbox():
    tested = examiner(Server("AUTH XOAUTH2"), Tokens("t0ken")).run()
    login = tested.steps[3]
    assert (login.step, login.result) == ("login", f"as {USER}, by XOAUTH2")
    assert tested.ok


@pytest.mark.parametrize("mechanism", ["XOAUTH2", "OAUTHBEARER"])
@pytest.mark.parametrize("token", ["sh0rt-t0ken", LONG])
def test_a_refused_token_is_told_and_no_other_is_asked_for(mechanism, token):
    response = (xoauth2 if mechanism == "XOAUTH2" else oauthbearer)(token).decode()
    said = f"535-5.7.8 {token}\r\n535-5.7.8 {response}\r\n535 5.7.8 {response.upper()}"
    # As far as the relay takes it for a line.
    said = "\r\n".join(line[:3000] for line in said.split("\r\n"))
    server = Server(f"AUTH {mechanism}", AUTH="334 ", RESPONSE=[f"334 {COMPLAINT}", said])
    tokens = Tokens(token, "other")
    tested = examiner(server, tokens).run()
    assert steps(tested)[-1] == "!login"
    assert "status 401, scope https://mail.example/" in tested.steps[-1].result
    assert tokens.refused == []
    # The next test has another one: see `Logins.probe`.
    assert tokens.heard == [(token, False)]
    command = f"C: AUTH {mechanism}" + ("" if token == LONG else " ***")
    told = tested.transcript[tested.transcript.index(command) :]
    assert told[1:5] == ("S: 334 ***", "C: ***") * 2
    for secret in (token, response):
        assert secret[:60] not in str(tested)


@pytest.mark.parametrize("needs_admin", [True, False])
def test_that_there_is_no_token_is_told_as_the_step_of_the_login(needs_admin):
    tokens = Tokens(CredentialError("have somebody sign in", needs_admin=needs_admin))
    tested = examiner(Server("AUTH XOAUTH2"), tokens).run()
    assert steps(tested) == ["connect", "greeting", "ehlo", "!login"]
    assert "have somebody sign in" in tested.steps[-1].result


def test_a_token_that_is_waited_for_is_the_step_of_the_login():
    token = Deferred()
    test = examiner(Server("AUTH XOAUTH2"), Tokens(token))
    results = test.begin()
    test.network.advance(20)
    token.callback("t0ken")
    test.network.flush()
    assert [step.seconds for step in results[0].steps if step.step == "login"] == [20]
