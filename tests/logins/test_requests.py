"""What providers are asked, by each grant, and where."""

from __future__ import annotations

import base64
import hashlib
import json

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from twisted.internet.defer import CancelledError
from twisted.internet.error import ConnectError, ConnectionAborted, DNSLookupError
from twisted.python.failure import Failure
from twisted.web.client import ResponseNeverReceived

from multisendcon_plugin.logins.endpoints import Endpoints, endpoints_of
from multisendcon_plugin.settings.oauth2 import Cloud, Grant, OAuth2, Provider
from tests.certificates import certificate as made
from tests.logins.world import CANARY, NOW, TOKEN_URL, Agent, Giver, Response, World, account

GOOD = {"access_token": "a", "expires_in": 3600}


def pem(key):
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


KEY = rsa.generate_private_key(65537, 2048)


# Where.


@pytest.mark.parametrize(
    ("cloud", "base", "persons", "applications"),
    [
        (
            Cloud.GLOBAL,
            "https://login.microsoftonline.com",
            "https://outlook.office.com",
            "https://outlook.office365.com",
        ),
        (
            Cloud.US_GOVERNMENT,
            "https://login.microsoftonline.us",
            *["https://outlook.office365.us"] * 2,
        ),
        (
            Cloud.CHINA,
            "https://login.partner.microsoftonline.cn",
            *["https://partner.outlook.cn"] * 2,
        ),
    ],
)
def test_microsoft(cloud, base, persons, applications):
    def of(grant, tenant="example.com"):
        return endpoints_of(
            OAuth2(provider=Provider.MICROSOFT, grant=grant, cloud=cloud, tenant=tenant)
        )

    person = of(Grant.DEVICE)
    assert person == Endpoints(
        f"{base}/example.com/oauth2/v2.0/token",
        f"{base}/example.com/oauth2/v2.0/authorize",
        f"{base}/example.com/oauth2/v2.0/devicecode",
        f"{persons}/SMTP.Send offline_access",
    )
    assert of(Grant.AUTHORIZATION_CODE) == person
    assert of(Grant.CLIENT_CREDENTIALS).scope == f"{applications}/.default"
    assert "/organizations/" in of(Grant.DEVICE, None).token
    assert of(Grant.DEVICE, "a/../b").token == f"{base}/a%2F..%2Fb/oauth2/v2.0/token"


def test_google():
    found = endpoints_of(OAuth2(provider=Provider.GOOGLE, grant=Grant.AUTHORIZATION_CODE))
    assert found == Endpoints(
        "https://oauth2.googleapis.com/token",
        "https://accounts.google.com/o/oauth2/v2/auth",
        "",
        "https://mail.google.com/",
        (("access_type", "offline"), ("prompt", "consent")),
    )


@pytest.mark.parametrize("provider", list(Provider))
def test_the_settings_replace_what_a_provider_has(provider):
    urls = {f"{name}_url": f"https://{name}.example" for name in ("token", "authorize", "device")}
    settings = OAuth2(provider=provider, grant=Grant.DEVICE, scope="mine", **urls)
    found = endpoints_of(settings)
    assert (found.token, found.authorize) == ("https://token.example", "https://authorize.example")
    assert (found.device, found.scope) == ("https://device.example", "mine")


# What.


@pytest.fixture
def certificate(tmp_path):
    path = tmp_path / "app.pem"
    path.write_bytes(made(key=KEY).public_bytes(Encoding.PEM) + pem(KEY).encode())
    return path


def test_an_application_proves_itself_by_its_certificate(tmp_path, certificate):
    agent = Agent(GOOD)
    app = account(client_secret="", client_certificate=str(certificate))
    World(tmp_path, agent, app).token()
    [asked] = agent.asked
    assert asked["grant_type"] == "client_credentials"
    assert asked["client_assertion_type"] == (
        "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    )
    assert "client_secret" not in asked
    assertion = asked["client_assertion"]
    found = x509.load_pem_x509_certificate(certificate.read_bytes())
    der = found.public_bytes(Encoding.DER)
    print_ = base64.urlsafe_b64encode(hashlib.sha256(der).digest()).rstrip(b"=").decode()
    header = jwt.get_unverified_header(assertion)
    assert header == {"alg": "PS256", "typ": "JWT", "x5t#S256": print_}
    claims = jwt.decode(
        assertion,
        found.public_key(),
        ["PS256"],
        audience=TOKEN_URL,
        options={"verify_exp": False, "verify_iat": False, "verify_nbf": False},
    )
    assert (claims["iss"], claims["sub"]) == ("app", "app")
    assert claims["nbf"] == claims["iat"] == NOW
    assert 0 < claims["exp"] - claims["iat"] <= 600
    assert claims["jti"]


def test_a_service_account_asks_for_a_mailbox(tmp_path):
    path = tmp_path / "key.json"
    value = {
        "type": "service_account",
        "client_email": "robot@project.example",
        "private_key": pem(KEY),
        "private_key_id": "7",
    }
    path.write_text(json.dumps(value))
    agent = Agent(GOOD)
    google = account(
        grant=Grant.SERVICE_ACCOUNT,
        provider=Provider.GOOGLE,
        client_id="",
        token_url=None,
        scope=None,
        service_account_key=str(path),
        mailbox="boss@b.example",
    )
    world = World(tmp_path, agent, google)
    world.token()
    [asked] = agent.asked
    assert agent.urls == ["https://oauth2.googleapis.com/token"]
    assert asked.keys() == {"grant_type", "assertion"}
    assert asked["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
    assert jwt.get_unverified_header(asked["assertion"]) == {
        "alg": "RS256",
        "typ": "JWT",
        "kid": "7",
    }
    claims = jwt.decode(
        asked["assertion"],
        KEY.public_key(),
        ["RS256"],
        audience="https://oauth2.googleapis.com/token",
        options={"verify_exp": False, "verify_iat": False, "verify_nbf": False},
    )
    assert (claims["iss"], claims["sub"]) == ("robot@project.example", "boss@b.example")
    assert claims["scope"] == "https://mail.google.com/"


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff", pem(ec.generate_private_key(ec.SECP256R1())).encode(), f"{CANARY}".encode()],
)
def test_a_key_of_no_use_is_told_without_it(tmp_path, content):
    path = tmp_path / "app.pem"
    path.write_bytes(content)
    agent = Agent(GOOD)
    for keys in (
        {"client_secret": "", "client_certificate": str(path)},
        {"grant": Grant.SERVICE_ACCOUNT, "service_account_key": str(path)},
    ):
        world = World(tmp_path, agent, account(**keys))
        trouble = world.trouble()
        assert trouble.needs_admin
        assert str(path) in str(trouble)
        assert CANARY not in str(trouble)
    assert agent.asked == []


def test_a_key_that_is_replaced_is_used(tmp_path, certificate):
    good = certificate.read_bytes()
    certificate.write_bytes(b"")
    world = World(tmp_path, Giver(), account(client_certificate=str(certificate)))
    assert world.trouble().needs_admin
    certificate.write_bytes(good)
    assert world.token() == "access1"


# How.


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (DNSLookupError(), "cannot be found in the DNS"),
        (ConnectError(None, "No route to host"), "cannot be reached"),
        (ResponseNeverReceived([Failure(ConnectionResetError(CANARY))]), "ConnectionResetError"),
        (
            ResponseNeverReceived(
                [Failure(Exception([("SSL routines", "", "certificate verify failed")]))]
            ),
            "TLS: certificate verify failed",
        ),
        (ValueError(CANARY), "ValueError"),
        (ResponseNeverReceived([Failure(ConnectionAborted())]), "says more than an answer"),
        (ResponseNeverReceived([Failure(CancelledError())]), "gives no answer within 30 s"),
    ],
)
def test_no_answer_is_no_refusal(tmp_path, error, said):
    trouble = World(tmp_path, Agent(error)).trouble()
    assert not trouble.needs_admin
    assert said in str(trouble)
    assert CANARY not in str(trouble)


def test_nobody_is_followed_elsewhere(tmp_path):
    agent = Agent(lambda _: Response(307, b"", {"Location": ["https://evil.example/"]}))
    trouble = World(tmp_path, agent).trouble()
    assert agent.urls == [TOKEN_URL]
    assert "leads elsewhere" in str(trouble)


def test_a_wrong_clock_is_told_with_a_refusal(tmp_path):
    late = {"Date": ["Tue, 14 Nov 2023 22:53:20 GMT"]}  # 40 minutes later
    agent = Agent(lambda _: Response(401, b'{"error": "invalid_client"}', late))
    trouble = World(tmp_path, agent).trouble()
    assert "the clock of this machine is 40 minutes behind the provider's" in str(trouble)


@pytest.mark.parametrize("header", ["", "soon", "Tue, 99 Nov 2023 22:53:20 GMT", "-1", "9" * 400])
def test_headers_of_no_use(tmp_path, header):
    both = {"Date": [header], "Retry-After": [header]}
    agent = Agent(lambda _: Response(503, b"", both))
    assert "answers 503" in str(World(tmp_path, agent).trouble())
