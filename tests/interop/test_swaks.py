"""swaks against a provider of `multisendcon_plugin.testing`, and through the relay to two."""

from __future__ import annotations

import pytest

from tests.interop.programs import needs, run
from tests.interop.provider import ProviderProcess
from tests.interop.relay import Relay, account

pytestmark = needs("swaks")

USERS = {"sales@example.com": "s3cret pass"}
#: swaks' exit status for a login that was refused.
LOGIN_REFUSED = 28

mechanisms = pytest.mark.parametrize(
    "mechanism",
    [
        pytest.param("PLAIN", marks=needs("swaks logins")),
        pytest.param("LOGIN", marks=needs("swaks logins")),
        pytest.param("CRAM-MD5", marks=needs("swaks CRAM-MD5")),
    ],
)


def swaks(server, port, *arguments, sender="boss@sales.example"):
    target = ("--server", server, "--port", port)
    envelope = ("--from", sender, "--to", "a@customer.example")
    return run("swaks", *target, *envelope, "--helo", "client.example", *arguments)


def login(password, *arguments):
    return ("--auth-user", "sales@example.com", "--auth-password", password, *arguments)


@needs("swaks TLS")
@mechanisms
@pytest.mark.parametrize("implicit", [False, True])
def test_swaks_logs_in_at_a_provider_inside_tls(tmp_path, start, mechanism, implicit):
    provider = start(
        ProviderProcess(tmp_path, "127.0.1.1", users=USERS, tls=True, implicit_tls=implicit)
    )
    tls = ("--tls-on-connect" if implicit else "--tls", "--tls-verify", "--tls-ca-path")
    sent = swaks(
        *(provider.address, provider.port, *tls, provider.ca),
        *login("s3cret pass", "--auth", mechanism),
    )

    assert sent.returncode == 0, sent.stdout
    mail = provider.mail()
    assert (mail.tls, mail.username, mail.helo) == (
        "TLSv1.3",
        "sales@example.com",
        "client.example",
    )
    assert mail.recipients == ("a@customer.example",)
    assert b"This is a test mailing\r\n" in mail.content


@mechanisms
def test_a_provider_refuses_a_wrong_password(tmp_path, start, mechanism):
    provider = start(ProviderProcess(tmp_path, "127.0.1.1", users=USERS))
    refused = swaks(provider.address, provider.port, *login("wrong", "--auth", mechanism))

    assert refused.returncode == LOGIN_REFUSED, refused.stdout
    assert "535 5.7.8" in refused.stdout
    assert provider.no_mail()


def test_a_mail_from_swaks_leaves_by_the_account_of_its_sender(tmp_path, start):
    sales = start(ProviderProcess(tmp_path, "127.0.1.1", users=USERS, tls=True))
    others = start(
        ProviderProcess(tmp_path, "127.0.1.2", users={"other": "pw"}, tls=True, implicit_tls=True)
    )
    relay = start(
        Relay(
            tmp_path,
            account(
                "Sales",
                sales.address,
                sales.port,
                username='"sales@example.com"',
                password='"s3cret pass"',
                tls_ca=f'"{sales.ca}"',
                local_address='"127.0.0.5"',
                helo_domain='"sales.example.com"',
                senders='"*@sales.example"',
                fixed_sender='"sales@example.com"',
            )
            + account(
                "Others",
                others.address,
                others.port,
                tls='"implicit"',
                username='"other"',
                password='"pw"',
                tls_ca=f'"{others.ca}"',
            ),
        )
    )

    for sender in ("boss@sales.example", "x@dev.example"):
        sent = swaks(relay.address, relay.port, "--pipeline", sender=sender)
        assert sent.returncode == 0, sent.stdout
        assert "250 2.0.0 queued as " in sent.stdout

    mail = sales.mail()
    assert (mail.tls, mail.username, mail.peer, mail.helo) == (
        "TLSv1.3",
        "sales@example.com",
        "127.0.0.5",
        "sales.example.com",
    )
    assert mail.reverse_path == "sales@example.com"
    assert b"\r\nFrom: sales@example.com\r\n" in mail.content
    assert b"\r\nReply-To: boss@sales.example\r\n" in mail.content
    mail = others.mail()
    assert (mail.tls, mail.username, mail.reverse_path) == ("TLSv1.3", "other", "x@dev.example")
    assert sales.no_mail()
    assert others.no_mail()


def test_a_refused_sender_is_told_why(tmp_path, start):
    relay = start(Relay(tmp_path, account("Sales", "127.0.1.1", 25, senders='"*@sales.example"')))
    refused = swaks(relay.address, relay.port, sender="x@dev.example")

    assert refused.returncode != 0
    assert "550 5.7.1 no account is configured for mail from <x@dev.example>" in refused.stdout
