"""What providers answer ends in a value or in a refusal, and no secret comes back with it."""

from __future__ import annotations

import html
import json
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multisendcon_plugin.logins.answers import (
    DEFAULT_LIFE,
    Answer,
    RefusedError,
    read_device_code,
    read_token,
    refusal_of,
)
from multisendcon_plugin.logins.token import Token
from tests.logins.world import CANARY, NOW

GOOD = {"access_token": "a", "token_type": "Bearer", "expires_in": 3600}
SENT = (f"{CANARY}-secret-that-was-sent",)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
FIELDS = st.dictionaries(
    st.sampled_from(
        [
            *("access_token", "token_type", "expires_in", "refresh_token", "scope", "error"),
            *("error_description", "device_code", "user_code", "verification_uri", "interval"),
            *("verification_uri_complete", "verification_url", "message"),
        ]
    ),
    JSON | st.sampled_from(["Bearer", "a", "https://a.example", "invalid_grant", 3600, -1, "60"]),
)


def read(value, status=200, sent=SENT):
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    return read_token(Answer(status, body), sent, NOW)


def refused(value, status=400, sent=SENT):
    with pytest.raises(RefusedError) as caught:
        read(value, status, sent)
    return caught.value


def test_a_token():
    token = read({**GOOD, "refresh_token": "r"})
    assert token == Token(
        access_token="a",
        refresh_token="r",
        expires_at=NOW + 3600,
        refreshed_at=NOW,
        obtained_at=NOW,
    )
    assert "'a'" not in repr(token)


@pytest.mark.parametrize(
    ("said", "life"),
    [
        (None, DEFAULT_LIFE),
        ("3599", 3599),
        (59.5, 59.5),
        (10**14, 366 * 86400),
    ],
)
def test_how_long_it_lives(said, life):
    assert read({**GOOD, "expires_in": said}).life == life


@pytest.mark.parametrize(
    "value",
    [
        *(b"", b"[]", b"null", b"<html>", b"\xff", b"{" * 60_000, b"[" * 60_000, b"1" * 60_000),
        *({}, {**GOOD, "access_token": None}, {**GOOD, "access_token": ""}),
        *({**GOOD, "access_token": each} for each in ("a b", "a\r\nb", "\x01", "ä", "\ud800", 7)),
        *({**GOOD, "token_type": each} for each in ("mac", None, 1)),
        *({**GOOD, "expires_in": each} for each in (0, -1, "-1", True, [], float("nan"), 10**400)),
        *({**GOOD, "refresh_token": each} for each in (1, "a\nb", {})),
    ],
)
def test_what_is_no_token_is_asked_for_again_later(value):
    found = refused(value, 200)
    assert not found.final
    assert len(str(found)) < 200


@pytest.mark.parametrize(
    "code",
    ["invalid_grant", "invalid_client", "unauthorized_client", "invalid_scope", "access_denied"],
)
def test_what_stays_until_somebody_does_something(code):
    assert refused({"error": code}).final
    # A server that is broken says nothing about us.
    assert not refused({"error": code}, 503).final
    assert not refused({"error": code}, 429).final


@pytest.mark.parametrize(
    ("value", "status"),
    [
        ({"error": "temporarily_unavailable"}, 400),
        ({"error": "slow_down"}, 400),
        ({"error": "what_nobody_knows"}, 400),
        ({"error": 7}, 400),
        (b"<html>not found", 404),
        (b"", 302),
        (b"", 500),
    ],
)
def test_what_may_pass(value, status):
    assert not refused(value, status).final


def test_why_a_token_is_none_is_said():
    assert "run out already" in str(refused({**GOOD, "expires_in": 0}, 200))
    assert "no number of seconds" in str(refused({**GOOD, "expires_in": "soon"}, 200))


def test_a_refusal_that_comes_as_a_good_answer():
    assert refused({"error": "invalid_grant"}, 200).code == "invalid_grant"


def test_what_is_told_of_microsofts_and_googles_refusals():
    said = (
        "AADSTS7000222: The provided client secret keys for app 'x' are expired.\r\nTrace ID: 1"
        "\r\nCorrelation ID: 2\r\nTimestamp: 3"
    )
    assert str(refused({"error": "invalid_client", "error_description": said})) == (
        "refuses a token: invalid_client (AADSTS7000222: The provided client secret keys for app"
        " 'x' are expired.)"
    )
    google = {"error": {"code": 403, "message": "no way", "status": "PERMISSION_DENIED"}}
    assert str(refused(google, 403)) == "refuses a token: PERMISSION_DENIED (no way)"


@pytest.mark.parametrize(
    "echo",
    [
        "{0}",
        "you sent {0}",
        "{0}{0}",
        "x" * 290 + "{0}",
        "x" * 1990 + "{0}",
        "the secret begins with {0:.12}",
    ],
)
def test_no_piece_of_what_was_sent_is_repeated(echo):
    said = echo.format(SENT[0])
    for value in (
        {"error": "invalid_client", "error_description": said},
        {"error": said},
        {"error": {"status": said, "message": said}},
    ):
        assert CANARY not in str(refused(value))


@pytest.mark.parametrize(
    "encoded", [quote_plus, json.dumps, html.escape, lambda text: quote(text, safe="").lower()]
)
def test_what_was_sent_is_not_repeated_in_other_letters_either(encoded):
    secret = 'se"&<cr/%+\\et'
    value = {"error": "e", "error_description": f"you sent secret={encoded(secret)}"}
    assert refusal_of(value, (secret,))[1].replace('"', "") == "you sent secret=***"


def test_nothing_is_told_that_looks_like_a_token_and_all_is_one_line():
    said = (
        "line\r\n\x1b[31mtwo\u2028three eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3"
    )
    text = str(refused({"error": "invalid_grant", "error_description": said}))
    assert "eyJ" not in text
    assert text.isprintable()


def test_a_secret_of_one_letter_is_hidden_too():
    assert refusal_of({"error": "e", "error_description": "x is x"}, ("x",))[1] == "*** is ***"


@given(body=st.binary() | FIELDS | JSON, status=st.integers(0, 999))
def test_any_answer_ends_in_a_value_or_a_refusal(body, status):
    octets = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = Answer(status, octets)
    for read_it in (lambda: read_token(answer, SENT, NOW), lambda: read_device_code(answer, SENT)):
        try:
            found = read_it()
        except RefusedError as refusal:
            said = str(refusal)
            assert said.isprintable()
            assert len(said) < 500
        else:
            if isinstance(found, Token):
                assert found.life > 0
                assert found.access_token.isascii()
            else:
                assert 1 <= found.interval <= 60
                assert found.life > 0


def device(**more):
    value = {
        "device_code": "d",
        "user_code": "AB-CD",
        "verification_uri": "https://a.example/device",
        "expires_in": 900,
        **more,
    }
    return read_device_code(Answer(200, json.dumps(value).encode()), ())


def test_a_code_for_a_device():
    found = device(interval=7, message="go there", verification_uri_complete="javascript:x")
    assert (found.url, found.complete_url) == ("https://a.example/device", "")
    assert (found.life, found.interval, found.message) == (900, 7, "go there")
    assert device().interval == 5
    # Google's older name.
    assert device(verification_uri=None, verification_url="https://g.example").url == (
        "https://g.example"
    )


@pytest.mark.parametrize(
    "more",
    [
        {"verification_uri": "http://a.example"},
        {"verification_uri": "https://a.example/\x1b[2J"},
        {"user_code": "\x1b[2J"},
        {"expires_in": 0},
        {"interval": "soon"},
        {"device_code": None},
    ],
)
def test_what_is_no_code_for_a_device(more):
    with pytest.raises(RefusedError):
        device(**more)
