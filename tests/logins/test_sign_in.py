"""Somebody signs in, by device and by browser, and the token is stored."""

from __future__ import annotations

import base64
import hashlib
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from twisted.internet.error import ConnectError

from multisendcon_plugin.errors import SignInError
from multisendcon_plugin.logins.sign_in import begin_code, begin_device
from multisendcon_plugin.settings.oauth2 import Grant
from tests.logins.world import CANARY, NOW, Agent, Reactor, World, account, error, result

CODE = {
    "device_code": f"{CANARY}-device",
    "user_code": "AB-CD",
    "verification_uri": "https://login.example/go",
    "expires_in": 900,
    "interval": 5,
}
TOKEN = {"access_token": "a", "expires_in": 3600, "refresh_token": "r"}
PENDING = (400, {"error": "authorization_pending"})
REDIRECT = "http://127.0.0.1:4321"


def device(tmp_path, *answers):
    """Return the sign-in by a code, with the reactor and who was asked."""
    reactor, agent = Reactor(), Agent(CODE, *answers)
    who = account(grant=Grant.DEVICE)
    begun = begin_device(who, str(tmp_path), reactor, wall=reactor.wall, agent=agent)
    return result(begun), reactor, agent


def test_a_code_for_a_device(tmp_path):
    sign_in, reactor, agent = device(tmp_path, PENDING, TOKEN)
    assert (sign_in.user_code, sign_in.url) == ("AB-CD", "https://login.example/go")
    assert sign_in.ends_at == NOW + 900
    assert agent.asked == [{"client_id": "app", "scope": "mail offline_access"}]
    assert agent.urls == ["https://login.example/device"]
    finished = sign_in.finish()
    reactor.advance(4.9)
    assert len(agent.asked) == 1
    reactor.advance(0.2)
    assert not finished.called
    reactor.advance(5)
    assert result(finished).refresh_token == "r"
    assert agent.asked[-1] == {
        "grant_type": "urn:ietf:params:oauth:grant-type:device_code",
        "client_id": "app",
        "device_code": f"{CANARY}-device",
    }
    assert World(tmp_path, Agent(), account(grant=Grant.DEVICE)).token() == "a"


@pytest.mark.parametrize("answer", [ConnectError(), (503, b""), (200, b"<html>")])
def test_a_provider_that_cannot_answer_just_now_is_asked_again(tmp_path, answer):
    sign_in, reactor, _ = device(tmp_path, answer, TOKEN)
    finished = sign_in.finish()
    reactor.pass_by(20)
    assert result(finished).access_token == "a"


def test_slow_down_is_obeyed(tmp_path):
    sign_in, reactor, agent = device(tmp_path, (400, {"error": "slow_down"}), PENDING)
    sign_in.finish()
    reactor.pass_by(5)
    reactor.pass_by(9)
    assert len(agent.asked) == 2
    reactor.pass_by(1)
    reactor.pass_by(10)
    assert len(agent.asked) == 4


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ((400, {"error": "access_denied"}), "access_denied"),
        ((400, {"error": "authorization_declined"}), "authorization_declined"),
        ((400, {"error": "expired_token"}), "expired_token"),
        (
            (400, {"error": "invalid_grant", "error_description": "AADSTS53003: blocked"}),
            "invalid_grant",
        ),
        (PENDING, "expired_token"),
    ],
)
def test_it_ends_when_nobody_signs_in(tmp_path, answer, code):
    sign_in, reactor, agent = device(tmp_path, answer)
    finished = sign_in.finish()
    reactor.pass_by(901)
    found = error(finished)
    assert isinstance(found, SignInError)
    assert found.code == code
    assert CANARY not in str(found)
    assert len(agent.asked) < 182
    assert reactor.getDelayedCalls() == []


def test_the_wait_can_be_ended(tmp_path):
    sign_in, reactor, _ = device(tmp_path, PENDING)
    finished = sign_in.finish()
    finished.cancel()
    error(finished)
    assert reactor.getDelayedCalls() == []


def test_a_provider_without_sign_in_by_device(tmp_path):
    who = account(grant=Grant.DEVICE, device_url=None)
    begun = begin_device(who, str(tmp_path), Reactor(), agent=Agent())
    assert "authorization_code" in str(error(begun))


# By a browser.


def browser(tmp_path, *answers, **keys):
    reactor, agent = Reactor(), Agent(*answers)
    who = account(grant=Grant.AUTHORIZATION_CODE, **keys)
    sign_in = begin_code(who, str(tmp_path), REDIRECT, reactor, wall=reactor.wall, agent=agent)
    query = {name: value for name, [value] in parse_qs(urlsplit(sign_in.url).query).items()}
    return sign_in, query, agent


def back(**query):
    return f"{REDIRECT}/?{urlencode(query)}"


def test_a_browser(tmp_path):
    sign_in, query, agent = browser(tmp_path, TOKEN)
    assert sign_in.url.startswith("https://login.example/authorize?")
    challenge = query.pop("code_challenge")
    state = query.pop("state")
    assert query == {
        "response_type": "code",
        "client_id": "app",
        "redirect_uri": REDIRECT,
        "scope": "mail offline_access",
        "code_challenge_method": "S256",
        "login_hint": "a@b.example",
        "prompt": "consent",
    }
    assert len(state) >= 40
    token = result(sign_in.finish(back(code="c", state=state)))
    assert token.refresh_token == "r"
    [asked] = agent.asked
    digest = hashlib.sha256(asked.pop("code_verifier").encode()).digest()
    assert base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == challenge
    assert asked == {
        "grant_type": "authorization_code",
        "client_id": "app",
        "code": "c",
        "redirect_uri": REDIRECT,
    }
    assert World(tmp_path, Agent(), account(grant=Grant.AUTHORIZATION_CODE)).token() == "a"


def test_the_query_alone_will_do(tmp_path):
    sign_in, query, _ = browser(tmp_path, TOKEN)
    result(sign_in.finish(f" code=c&state={query['state']}\n"))


@pytest.mark.parametrize(
    "redirected",
    [
        *("", "code=c", back(code="c", state="other"), "[", "http://[", "\udcff", "&" * 500),
        back(error="access_denied", state="other"),
    ],
)
def test_what_nobody_was_sent_to_is_not_believed(tmp_path, redirected):
    sign_in, query, agent = browser(tmp_path, TOKEN)
    assert "paste the whole address" in str(error(sign_in.finish(redirected)))
    assert agent.asked == []
    # It may be tried again.
    result(sign_in.finish(back(code="c", state=query["state"])))


def test_who_says_no(tmp_path):
    sign_in, query, _ = browser(tmp_path, TOKEN)
    said = back(error="access_denied", error_description="no\r\nway", state=query["state"])
    assert str(error(sign_in.finish(said))) == (
        "the provider lets nobody sign in: access_denied (no way)"
    )


def test_a_code_of_no_use(tmp_path):
    answer = (400, {"error": "invalid_grant", "error_description": f"{CANARY}-code is used"})
    sign_in, query, _ = browser(tmp_path, answer)
    found = error(sign_in.finish(back(code=f"{CANARY}-code", state=query["state"])))
    assert found.code == "invalid_grant"
    assert CANARY not in str(found)


def test_a_token_that_cannot_be_renewed_is_not_stored(tmp_path):
    sign_in, query, _ = browser(tmp_path, {"access_token": "a", "expires_in": 3600})
    found = error(sign_in.finish(back(code="c", state=query["state"])))
    assert "offline_access" in str(found)
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_takes_nothing(tmp_path):
    sign_in, query, _ = browser(tmp_path / "file" / "spool", TOKEN)
    (tmp_path / "file").write_text("")
    found = error(sign_in.finish(back(code="c", state=query["state"])))
    assert "cannot be stored" in str(found)


def test_where_somebody_signs_in_has_to_be_known(tmp_path):
    with pytest.raises(SignInError, match="authorize_url"):
        browser(tmp_path, TOKEN, authorize_url=None)
