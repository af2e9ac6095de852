"""The rig: a token of the provider opens the mail server, and is good for as long as it says."""

from __future__ import annotations

import json
import smtplib
import ssl
import urllib.error
import urllib.parse
import urllib.request

import pytest

from tests.interop.oauth.dovecot import Dovecot
from tests.interop.oauth.openid import APPLICATION, REFUSED, SIGNED_IN, SMTP_SEND, OpenIdProvider
from tests.interop.oauth.person import Person
from tests.interop.oauth.world import NEEDED
from tests.interop.programs import until
from tests.interop.watched import WatchedProvider

pytestmark = NEEDED


@pytest.fixture
def openid(tmp_path, start):
    return start(OpenIdProvider(tmp_path))


def ask(openid, path="/token", **fields):
    """Return what the provider answers."""
    body = urllib.parse.urlencode(fields).encode()
    try:
        with urllib.request.urlopen(f"{openid.url}{path}", body, timeout=30) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return json.load(error) if openid_says(error) else error.code


def openid_says(answer):
    return answer.headers.get_content_type() == "application/json"


def by_secret(openid, **more):
    return ask(
        openid,
        grant_type="client_credentials",
        client_id="app-0",
        client_secret=openid.client_secret,
        scope=APPLICATION,
        **more,
    )


def logs_in(server, mechanism, response):
    context = ssl.create_default_context(cafile=server.ca)
    with smtplib.SMTP(server.address, server.port, timeout=30) as client:
        client.starttls(context=context)
        client.ehlo()
        client.auth(mechanism, lambda challenge=None: response if challenge is None else "\1")
        return client.sendmail("boss@sales.example", ["a@customer.example"], b"Hi.\r\n") == {}


def test_a_token_opens_the_mail_server_until_it_is_revoked(open_folder, start):
    openid = start(OpenIdProvider(open_folder))
    behind = start(WatchedProvider(open_folder, "127.0.1.1"))
    server = start(Dovecot(open_folder, openid, behind))
    token = by_secret(openid)["access_token"]
    responses = {
        "XOAUTH2": f"user=app-0\1auth=Bearer {token}\1\1",
        "OAUTHBEARER": f"n,a=app-0,\1auth=Bearer {token}\1\1",
    }
    for mechanism, response in responses.items():
        assert logs_in(server, mechanism, response)
    until(lambda: len(behind.taken) == 2, "both mails are here")
    assert server.logins() == [("app-0", mechanism) for mechanism in responses]
    with pytest.raises(smtplib.SMTPAuthenticationError):
        logs_in(server, "XOAUTH2", responses["XOAUTH2"].replace("app-0", "app-1"))
    assert openid.revoke("access") == 1
    for mechanism, response in responses.items():
        with pytest.raises(smtplib.SMTPAuthenticationError):
            logs_in(server, mechanism, response)


def test_a_person_signs_in_with_a_code_of_a_device(openid):
    begun = ask(openid, "/device/auth", client_id=SIGNED_IN, scope=f"{SMTP_SEND} offline_access")
    grant = {
        "grant_type": "urn:ietf:params:oauth:grant-type:device_code",
        "client_id": SIGNED_IN,
        "device_code": begun["device_code"],
    }
    assert ask(openid, **grant)["error"] == "authorization_pending"
    assert Person("joe").sign_in(begun["verification_uri"], begun["user_code"]) is None
    assert {"access_token", "refresh_token", "expires_in"} <= ask(openid, **grant).keys()


@pytest.mark.parametrize("forgiving", [False, True])
def test_a_refresh_token_is_replaced(openid, forgiving):
    openid.set(forgiving=forgiving, lifetime=7)
    begun = ask(openid, "/device/auth", client_id=SIGNED_IN, scope=f"{SMTP_SEND} offline_access")
    Person("joe").sign_in(begun["verification_uri_complete"])
    code = {"device_code": begun["device_code"], "client_id": SIGNED_IN}
    first = ask(openid, grant_type="urn:ietf:params:oauth:grant-type:device_code", **code)
    refresh = {
        "grant_type": "refresh_token",
        "client_id": SIGNED_IN,
        "refresh_token": first["refresh_token"],
    }
    second = ask(openid, **refresh)
    assert second["expires_in"] == 7
    assert second["refresh_token"] != first["refresh_token"]
    assert ("error" not in ask(openid, **refresh)) is forgiving


def test_it_is_out_of_service_as_it_is_told(openid):
    openid.set(fault=503)
    assert by_secret(openid) == 503
    openid.set(fault=REFUSED)
    with pytest.raises(urllib.error.URLError):
        by_secret(openid)
    openid.set(fault=None)
    assert "access_token" in by_secret(openid)
    assert openid.granted() == {"client_credentials": 1}
