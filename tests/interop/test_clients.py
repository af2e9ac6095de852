"""Python's smtplib, curl and openssl as clients: of the relay, and of a provider."""

from __future__ import annotations

import random
import re
import smtplib

import pytest

from tests.interop.programs import needs, run
from tests.interop.provider import ProviderProcess
from tests.interop.relay import Relay, account

HEADER = b"From: boss@sales.example\r\nTo: a@customer.example\r\nSubject: Hello\r\n\r\n"
LARGE = HEADER + b"".join(b"%076x\r\n" % random.Random(1).getrandbits(300) for _ in range(150_000))
#: Our trace field, which is on top of what the client sent.
TRACE = re.compile(rb"Received: from [^\r]+\r\n\tby relay\.example\.com [^\r]+\r\n\t[^\r]+\r\n")


def original(mail):
    """Return the content as the client sent it."""
    trace = TRACE.match(mail.content)
    assert trace, mail.content[:300]
    return mail.content[trace.end() :]


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clients")
    with (
        ProviderProcess(folder, "127.0.1.1") as provider,
        Relay(folder, account("Only", provider.address, provider.port)) as relay,
    ):
        yield relay, provider


@pytest.fixture
def relay(both):
    return both[0]


@pytest.fixture
def provider(both):
    provider = both[1]
    provider.forget()
    return provider


@pytest.mark.parametrize(
    "envelope_and_content",
    [
        ("boss@sales.example", ["a@customer.example"], HEADER + b"Hi.\r\n", []),
        ("boss@sales.example", ["a@customer.example"], HEADER + b".\r\n..\r\n.x\r\n\r\n", []),
        ("boss@sales.example", ["a@customer.example"], HEADER, []),
        (
            "boss@sales.example",
            ["a@customer.example"],
            HEADER + "Grüße\r\n".encode("latin-1"),
            ["BODY=8BITMIME"],
        ),
        (
            "böss@sales.example",
            ["ä@bücher.example", "b@customer.example"],
            HEADER.replace(b"Hello", "Grüße".encode()) + "Grüße\r\n".encode(),
            ["SMTPUTF8", "BODY=8BITMIME"],
        ),
        (
            "boss@sales.example",
            [f"r{number}@customer.example" for number in range(200)],
            HEADER + b"Hi all.\r\n",
            [],
        ),
        ("boss@sales.example", ["a@customer.example"], LARGE, []),
    ],
    ids=["plain", "dots", "no body", "8-bit", "SMTPUTF8", "200 recipients", "large"],
)
def test_a_mail_from_smtplib_arrives_as_it_was_sent(relay, provider, envelope_and_content):
    sender, recipients, content, options = envelope_and_content
    with smtplib.SMTP(relay.address, relay.port, timeout=30) as client:
        assert client.sendmail(sender, recipients, content, options) == {}

    mail = provider.mail()
    assert mail.reverse_path == sender
    assert mail.recipients == tuple(recipients)
    assert original(mail) == content
    assert provider.no_mail()


def test_a_session_of_smtplib_carries_many_mails_and_recovers_from_refusals(relay, provider):
    with smtplib.SMTP(relay.address, relay.port, timeout=30) as client:
        for number in range(3):
            with pytest.raises(smtplib.SMTPRecipientsRefused):
                client.sendmail("boss@sales.example", ["no address"], HEADER)
            client.sendmail("boss@sales.example", [f"a{number}@customer.example"], HEADER)

    recipients = {provider.mail().recipients for _ in range(3)}
    assert recipients == {(f"a{number}@customer.example",) for number in range(3)}


def test_smtplib_is_told_that_a_mail_is_too_large_before_it_sends_it(relay):
    with smtplib.SMTP(relay.address, relay.port, timeout=30) as client:
        client.ehlo()
        limit = int(client.esmtp_features["size"])
        code, _ = client.mail("boss@sales.example", [f"SIZE={limit + 1}"])
    assert code == 552


@needs("curl smtp")
def test_a_mail_from_curl_arrives_as_it_was_sent(tmp_path, relay, provider):
    content = HEADER + b".\r\n" + "Grüße\r\n".encode() + b"x" * 5000 + b"\r\n"
    (tmp_path / "mail.eml").write_bytes(content)
    sent = run(
        *(
            "curl",
            "--silent",
            "--show-error",
            f"smtp://{relay.address}:{relay.port}/client.example",
        ),
        *("--mail-from", "boss@sales.example"),
        *("--mail-rcpt", "a@customer.example", "--mail-rcpt", "b@customer.example"),
        *("--upload-file", tmp_path / "mail.eml"),
    )

    assert sent.returncode == 0, sent.stdout
    mail = provider.mail()
    assert mail.recipients == ("a@customer.example", "b@customer.example")
    assert original(mail) == content


@needs("curl smtp", "curl smtps")
@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "CRAM-MD5"])
def test_curl_logs_in_at_a_provider_whose_certificate_it_has_verified(
    tmp_path, start, scheme, mechanism
):
    provider = start(
        ProviderProcess(
            tmp_path, "127.0.1.1", users={"u": "p"}, tls=True, implicit_tls=scheme == "smtps"
        )
    )
    (tmp_path / "mail.eml").write_bytes(HEADER)
    sent = run(
        *("curl", "--silent", "--show-error", "--ssl-reqd", "--cacert", provider.ca),
        *("--user", "u:p", "--login-options", f"AUTH={mechanism}"),
        *("--mail-from", "boss@sales.example", "--mail-rcpt", "a@customer.example"),
        *("--upload-file", tmp_path / "mail.eml"),
        f"{scheme}://{provider.address}:{provider.port}/client.example",
    )

    assert sent.returncode == 0, sent.stdout
    mail = provider.mail()
    assert (mail.username, mail.tls, mail.content) == ("u", "TLSv1.3", HEADER)


@needs("openssl")
@pytest.mark.parametrize("version", ["tls1_2", "tls1_3"])
def test_openssl_goes_from_starttls_to_quit_at_a_provider(tmp_path, start, version):
    provider = start(ProviderProcess(tmp_path, "127.0.1.1", tls=True))
    session = run(
        *("openssl", "s_client", "-starttls", "smtp", "-crlf", "-ign_eof", f"-{version}"),
        *("-connect", f"{provider.address}:{provider.port}", "-CAfile", provider.ca),
        *("-verify_return_error", "-verify_ip", provider.address),
        text="EHLO client.example\nNOOP\nQUIT\n",
    )

    assert session.returncode == 0, session.stdout
    assert "Verification: OK" in session.stdout
    inside = session.stdout.partition("250-mx.provider.example\n")[2]
    assert "PIPELINING" in inside
    assert "STARTTLS" not in inside
    assert re.search(r"^221 2\.0\.0 ", session.stdout, re.MULTILINE)
