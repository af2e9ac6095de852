"""No secret of a token is in anything that is told: exceptions, events, log, what is printed."""

from __future__ import annotations

import json

import pytest
from twisted.logger import formatEvent, globalLogPublisher

from multisendcon_plugin.daemon.log_lines import LINES
from multisendcon_plugin.logins import grants, sign_in
from multisendcon_plugin.logins.answers import Answer, DeviceCode
from multisendcon_plugin.settings.oauth2 import Grant
from multisendcon_plugin.settings.secret import StoredSecret
from tests.logins.test_tokens import signed_in
from tests.logins.world import CANARY, Agent, Reactor, World, account

GOOD = {"access_token": f"{CANARY}-access", "refresh_token": f"{CANARY}-refresh", "expires_in": 60}
#: What a provider may answer to something in which each secret is a canary, and says it again.
ANSWERS = {
    "good": GOOD,
    "echo": lambda form: (400, {"error": "invalid_grant", "error_description": json.dumps(form)}),
    "echo as code": lambda form: (400, {"error": " ".join(form.values())}),
    "echo as text": lambda form: (500, json.dumps(form).encode()),
    "bad type": {**GOOD, "expires_in": f"{CANARY}-x"},
    "bad token": {**GOOD, "access_token": f"{CANARY}\n"},
    "bad kind": {**GOOD, "token_type": f"{CANARY}-type"},
    "cut": json.dumps(GOOD).encode()[:-1],
    "error": ValueError(f"{CANARY}-error"),
    "bug": lambda _: 1 / 0,
}


@pytest.fixture
def log():
    """Return what is logged, as text."""
    lines = []

    def observe(event):
        lines.append(formatEvent(event) or "")
        failure = event.get("log_failure")
        if failure is not None:
            lines.append(failure.getTraceback())

    globalLogPublisher.addObserver(observe)
    yield lines
    globalLogPublisher.removeObserver(observe)


def told(world, log):
    """Return all that anybody is told."""
    lines = [line for event in world.told for line in LINES[type(event)](event)]
    kept = world.credentials
    return [
        *map(
            repr,
            [
                *lines,
                *world.told,
                world.standing,
                kept,
                kept._refresher.token,
                kept._refresher.trouble,
            ],
        ),
        *log,
    ]


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
@pytest.mark.parametrize("grant", [Grant.CLIENT_CREDENTIALS, Grant.AUTHORIZATION_CODE])
def test_a_token_is_asked_for(tmp_path, log, grant, answer):
    secret = StoredSecret(f"{CANARY}-secret", lambda: f"{CANARY}-secret")
    who = account(grant=grant, client_secret=secret)
    if grant.by_person:
        signed_in(tmp_path, -1, who, access_token=f"{CANARY}-0", refresh_token=f"{CANARY}-1")
    world = World(tmp_path, Agent(answer), who)
    found = []
    world.credentials.current().addBoth(found.append)
    texts = told(world, log)
    failures = [each for each in found if not hasattr(each, "secret")]
    texts += [repr(found), *(f"{each.value!r} {each.getTraceback()}" for each in failures)]
    assert [text for text in texts if CANARY in text] == []
    assert any("login.example" in text or "Credential" in text for text in texts)


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_somebody_signs_in(tmp_path, log, answer):
    reactor = Reactor()
    who = account(grant=Grant.AUTHORIZATION_CODE, client_secret=f"{CANARY}-secret")
    begun = sign_in.begin_code(
        who, str(tmp_path), "http://127.0.0.1:1", reactor, wall=reactor.wall, agent=Agent(answer)
    )
    state = begun._authorization.state
    found = []
    begun.finish(f"code={CANARY}-code&state={state}").addBoth(found.append)
    texts = [repr(begun), repr(begun._authorization), *map(repr, found), *log]
    assert [text for text in texts if CANARY in text or state in text] == []


def test_what_is_printed_of_values_has_no_secret():
    client = grants.Client("app", secret=CANARY, assertion=CANARY)
    code = DeviceCode(
        device_code=CANARY,
        user_code="u",
        url="https://a.example",
        complete_url="",
        message="",
        life=1,
        interval=1,
    )
    values = [client, client.refresh(CANARY), client.by_code(CANARY, "r", CANARY), code]
    assert CANARY not in repr([*values, Answer(200, CANARY.encode())])


def test_a_bug_harms_nobody_and_is_told(tmp_path, log):
    world = World(tmp_path, Agent(GOOD))

    async def broken(_):
        raise ZeroDivisionError

    world.credentials._refresher.source.next = broken
    assert "internal error" in str(world.trouble())
    assert any("internal error with the token of account A" in line for line in log)
    assert not world.trouble().needs_admin
