"""swaks, curl, smtplib and openssl log in at the relay; its certificate and users are files."""

from __future__ import annotations

import base64
import smtplib
import socket
import ssl
import subprocess
import sys

import attrs
import pytest

from multisendcon_plugin.testing import Authority
from tests.interop.programs import ROOT, free_port, needs, run
from tests.interop.provider import ProviderProcess
from tests.interop.relay import Relay, account
from tests.interop.test_clients import HEADER, original

NAME, PASSWORD = "boss@sales.example", "s3cret p4ss"
#: swaks' exit status for a login that was refused.
LOGIN_REFUSED = 28
#: curl's exit status for the same.
LOGIN_DENIED = 67


@attrs.frozen
class Open:
    """A relay where clients from anywhere may log in; nobody is allowed to do without.

    :param port: for STARTTLS.
    :param implicit: the port for TLS from the start.
    """

    address: str
    port: int
    implicit: int
    ca: str
    provider: ProviderProcess


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    folder = tmp_path_factory.mktemp("logins")
    authority = Authority()
    pem = folder / "relay.pem"
    pem.write_bytes(b"".join(authority.server_pem(Relay.address)))
    command = [sys.executable, "-m", "multisendcon_plugin", "user", NAME]
    made = subprocess.run(
        command, input=PASSWORD, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True
    )
    (folder / "users").write_text(made.stdout)
    implicit = free_port(Relay.address)
    with (
        ProviderProcess(folder, "127.0.1.1") as provider,
        Relay(
            folder,
            account("Only", provider.address, provider.port),
            listen=[f"ssl:port={implicit}:interface={Relay.address}:privateKey={pem}"],
            settings=f"""
                allow = ["192.0.2.99"]
                tls_certificate = "{pem}"
                users = "{folder}/users"
                users_from_anywhere = true
            """,
        ) as relay,
    ):
        ca = authority.write(folder / "authority.pem")
        yield Open(relay.address, relay.port, implicit, ca, provider)


@pytest.fixture
def relay(running):
    running.provider.forget()
    return running


def arrived(relay):
    mail = relay.provider.mail()
    assert b" with ESMTPSA id " in mail.content
    return mail


def swaks(relay, *arguments, port=None):
    return run(
        *("swaks", "--server", relay.address, "--port", port or relay.port),
        *("--from", NAME, "--to", "a@customer.example", "--helo", "client.example", *arguments),
    )


@needs("swaks TLS", "swaks logins")
@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
@pytest.mark.parametrize("implicit", [False, True])
def test_swaks(relay, mechanism, implicit):
    sent = swaks(
        relay,
        *("--tls-on-connect" if implicit else "--tls", "--tls-verify", "--tls-ca-path", relay.ca),
        *("--auth", mechanism, "--auth-user", NAME, "--auth-password", PASSWORD),
        port=relay.implicit if implicit else relay.port,
    )
    assert sent.returncode == 0, sent.stdout
    assert arrived(relay).recipients == ("a@customer.example",)


@needs("swaks TLS", "swaks logins")
def test_swaks_with_a_wrong_password(relay):
    login = ("--auth", "PLAIN", "--auth-user", NAME, "--auth-password", "wrong")
    sent = swaks(relay, "--tls", *login)
    assert sent.returncode == LOGIN_REFUSED, sent.stdout
    assert "535 5.7.8" in sent.stdout


@needs("swaks TLS")
def test_swaks_without_a_login(relay):
    sent = swaks(relay, "--tls")
    assert "530 5.7.0 authentication required" in sent.stdout
    assert relay.provider.no_mail()


@needs("curl smtp", "curl smtps")
@pytest.mark.parametrize("implicit", [False, True])
@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_curl(tmp_path, relay, implicit, mechanism):
    sent = curl(tmp_path, relay, implicit, mechanism, PASSWORD)
    assert sent.returncode == 0, sent.stdout
    assert original(arrived(relay)) == HEADER + b"Hi.\r\n"


@needs("curl smtp", "curl smtps")
def test_curl_with_a_wrong_password(tmp_path, relay):
    assert curl(tmp_path, relay, False, "PLAIN", "wrong").returncode == LOGIN_DENIED
    assert relay.provider.no_mail()


def curl(folder, relay, implicit, mechanism, password):
    (folder / "mail.eml").write_bytes(HEADER + b"Hi.\r\n")
    url = f"smtp{'s' * implicit}://{relay.address}:{relay.implicit if implicit else relay.port}"
    return run(
        *("curl", "--silent", "--show-error", "--ssl-reqd", "--cacert", relay.ca),
        *("--login-options", f"AUTH={mechanism}", "--user", f"{NAME}:{password}"),
        *("--mail-from", NAME, "--mail-rcpt", "a@customer.example"),
        *("--upload-file", folder / "mail.eml", f"{url}/client.example"),
    )


def test_smtplib(relay):
    context = ssl.create_default_context(cafile=relay.ca)
    with smtplib.SMTP(relay.address, relay.port, timeout=30) as client:
        client.starttls(context=context)
        client.login(NAME, PASSWORD)
        client.sendmail(NAME, ["a@customer.example"], HEADER + b"Hi.\r\n")
    assert original(arrived(relay)) == HEADER + b"Hi.\r\n"


@needs("openssl")
@pytest.mark.parametrize("implicit", [False, True])
def test_openssl_and_a_login_by_hand(relay, implicit):
    port = relay.implicit if implicit else relay.port
    how = () if implicit else ("-starttls", "smtp")
    response = base64.b64encode(f"\0{NAME}\0{PASSWORD}".encode()).decode()
    talked = run(
        *("openssl", "s_client", "-quiet", "-ign_eof", "-crlf", "-verify_return_error", *how),
        *("-CAfile", relay.ca, "-connect", f"{relay.address}:{port}"),
        text=f"EHLO client.example\nAUTH PLAIN {response}\nQUIT\n",
    )
    assert "250 AUTH PLAIN LOGIN" in talked.stdout
    assert "235 2.7.0 authentication successful" in talked.stdout
    assert talked.stdout.endswith("221 2.0.0 good-bye\n")


def test_starttls_with_more_in_its_segment(relay):
    with socket.create_connection((relay.address, relay.port), timeout=30) as client:
        reader = client.makefile("rb")
        assert reader.readline().startswith(b"220 ")
        client.sendall(b"STARTTLS\r\nEHLO x\r\n")
        assert reader.readline().startswith(b"554 5.5.1 nothing may follow STARTTLS")
        assert reader.read() == b""
