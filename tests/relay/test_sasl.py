"""What a client says in SASL: the examples of the RFCs and of Google, and hostile challenges."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from multisendcon_plugin.relay.sasl import EXCHANGES, Identity, complaint
from multisendcon_plugin.routing.account import Auth

TOKEN = "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg=="


def encoded(octets):
    return base64.b64encode(octets if isinstance(octets, bytes) else octets.encode()).decode()


def exchange(mechanism, *, username="tim", secret=TOKEN, host="server.example.com", port=143):
    """Return an exchange, and what it has hidden."""
    hidden = []
    identity = Identity(username.encode(), secret.encode(), host, port)
    begun = EXCHANGES[mechanism](identity, lambda *octets: hidden.extend(octets))
    return begun, hidden


# Examples.


def test_oauthbearer_is_said_as_rfc_7628_has_it():
    begun, hidden = exchange(Auth.OAUTHBEARER, username="user@example.com")
    response = (
        b"bixhPXVzZXJAZXhhbXBsZS5jb20sAWhvc3Q9c2VydmVyLmV4YW1wbGUuY29tAXBvcnQ9MTQzAWF1dGg9QmVhcmVyI"
        b"HZGOWRmdDRxbVRjMk52YjNSbGNrQmhiSFJoZG1semRHRXVZMjl0Q2c9PQEB"
    )
    assert base64.b64encode(begun.initial) == response
    assert hidden == [response]


def test_xoauth2_is_said_as_google_has_it():
    token = "ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg"
    begun, hidden = exchange(Auth.XOAUTH2, username="someuser@example.com", secret=token)
    response = (
        b"dXNlcj1zb21ldXNlckBleGFtcGxlLmNvbQFhdXRoPUJlYXJlciB5YTI5LnZGOWRmdDRxbVRjMk52YjNSbGNrQmhkS"
        b"FJoZG1semRHRXVZMjl0Q2cBAQ=="
    )
    assert base64.b64encode(begun.initial) == response
    assert hidden == [response]


def test_a_name_in_oauthbearer_has_neither_comma_nor_equals_sign():
    begun, _ = exchange(Auth.OAUTHBEARER, username="a,b=c@example.com")
    assert begun.initial.startswith(b"n,a=a=2Cb=3Dc@example.com,\1host=")


def test_cram_md5_is_said_as_rfc_2195_has_it():
    begun, hidden = exchange(Auth.CRAM_MD5, secret="tanstaaftanstaaf")
    challenge = encoded("<1896.697170952@postoffice.reston.mci.net>")
    assert begun.initial is None
    digest = b"b913a602c7eda7a495b4e6e7334d3890"
    assert begun.respond(challenge) == b"tim " + digest
    assert digest in hidden
    assert begun.respond("no base64!") is None


def test_plain_is_said_as_rfc_4616_has_it():
    begun, hidden = exchange(Auth.PLAIN, secret="tanstaaftanstaaf")
    assert begun.initial == b"\0tim\0tanstaaftanstaaf"
    assert hidden == [begun.initial]


def test_login_says_name_and_password_and_nothing_more():
    begun, _ = exchange(Auth.LOGIN, secret="secret")
    assert [begun.respond("") for _ in range(3)] == [b"tim", b"secret", None]


@pytest.mark.parametrize("mechanism", EXCHANGES)
def test_what_is_shown_of_an_exchange_has_no_secret(mechanism):
    begun, _ = exchange(mechanism)
    assert TOKEN not in f"{begun!r} {begun._identity!r}"


# What a server says of a token.

GOOGLE = (
    "eyJzdGF0dXMiOiI0MDEiLCJzY2hlbWVzIjoiYmVhcmVyIG1hYyIsInNjb3BlIjoiaHR0cHM6Ly9tYWlsLmdvb2dsZS5jb2"
    "0vIn0K"
)


@pytest.mark.parametrize(
    ("challenge", "words"),
    [
        (GOOGLE, "status 401, schemes bearer mac, scope https://mail.google.com/"),
        (GOOGLE[:-4] + "In0", "status 401, schemes bearer mac, scope https://mail.google.com/"),
        (
            encoded('{"status": "invalid_token", "openid-configuration": "https://a.example/"}'),
            "status invalid_token",
        ),
        (encoded('{"status": 400, "scope": ["a"]}'), "status 400"),
        (
            encoded(
                '{"error": "invalid_grant", "error_description": "Bad\\r\\n535  one\\u0007\\ud800"}'
            ),
            "error invalid_grant, error_description Bad 535 one",
        ),
        ('{"status":"401"}', "status 401"),
        (encoded("{}"), "no reason given"),
        (encoded('{"status": null, "scope": ""}'), "no reason given"),
        (encoded(json.dumps({"error": "x" * 1000})), "error " + "x" * 120),
        ("", ""),
        ("Go ahead", ""),
        (encoded("VXNlcm5hbWU6"), ""),
        (encoded("[]"), ""),
        (encoded('"401"'), ""),
        (encoded("[" * 3000), ""),
        (encoded('{"status":' + "9" * 3000 + "}"), "status " + "9" * 120),
        (encoded(b"\xff\xfe"), ""),
        (encoded('{"status":"401"'), ""),
    ],
)
def test_a_complaint_is_told_in_words(challenge, words):
    assert complaint(challenge) == words


values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)
keys = st.sampled_from(["status", "error", "error_description", "schemes", "scope"]) | st.text()


@given(st.dictionaries(keys, values))
def test_whatever_a_server_complains_of_is_one_short_line(told):
    words = complaint(encoded(json.dumps(told)))
    assert words
    assert len(words) < 700
    assert words.isprintable()
    words.encode()


@pytest.mark.parametrize("mechanism", [Auth.XOAUTH2, Auth.OAUTHBEARER])
@given(
    st.lists(
        st.text()
        | st.binary().map(encoded)
        | st.text(st.characters(max_codepoint=127)).map(encoded)
        | st.dictionaries(keys, values).map(lambda told: encoded(json.dumps(told))),
        min_size=1,
        max_size=4,
    )
)
@example([""])
def test_whatever_a_server_asks_it_hears_the_token_once_more_at_most(mechanism, challenges):
    begun, _ = exchange(mechanism)
    end = {Auth.XOAUTH2: b"", Auth.OAUTHBEARER: b"\1"}[mechanism]
    responses = [begun.respond(each) for each in challenges]
    assert set(responses) <= {begun.initial, end}
    assert responses.count(begun.initial) <= 1
    assert responses[1:] == [end] * (len(responses) - 1) or begun.initial in responses


@pytest.mark.parametrize("mechanism", EXCHANGES)
@given(st.lists(st.text() | st.binary().map(encoded), max_size=4))
def test_no_challenge_breaks_an_exchange(mechanism, challenges):
    begun, _ = exchange(mechanism)
    for each in challenges:
        begun.respond(each)
