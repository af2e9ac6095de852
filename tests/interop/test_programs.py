"""Mail programs as they come with Debian: in the clear, and with STARTTLS and a login."""

from __future__ import annotations

import json
import smtplib
import ssl
from pathlib import Path

import pytest

from tests.interop.logins import PASSWORD, USERNAME, offer_logins
from tests.interop.programs import NODEMAILER, needs, run
from tests.interop.provider import ProviderProcess
from tests.interop.relay import Relay, account

SENDER, RECIPIENTS = "boss@sales.example", ("a@customer.example", "b@customer.example")
BODY = ".\n..\n.x\nGrüße\n"
CONTENT = f"From: {SENDER}\nSubject: Hello\n\n{BODY}"
_NODE_PROGRAM = """
const settings = JSON.parse(process.argv[1]);
const transport = require(settings.module).createTransport(settings.transport);
transport.sendMail({envelope: settings.envelope, raw: settings.content}).then(
    () => transport.close(), error => { console.log(error); process.exit(1); });
"""


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    folder = tmp_path_factory.mktemp("programs")
    settings, ca = offer_logins(folder)
    with (
        ProviderProcess(folder, "127.0.1.1") as provider,
        Relay(folder, account("Only", provider.address, provider.port), settings=settings) as relay,
    ):
        relay.ca = ca
        yield relay, provider


def by_smtplib(relay, folder, *, logs_in):
    with smtplib.SMTP(relay.address, relay.port, "client.example", timeout=30) as client:
        if logs_in:
            client.starttls(context=ssl.create_default_context(cafile=relay.ca))
            client.ehlo()
            # smtplib has no passwords beyond ASCII.
            client.user, client.password = USERNAME, PASSWORD
            encoded = smtplib.encode_base64(f"\0{USERNAME}\0{PASSWORD}".encode(), eol="")
            assert client.docmd("AUTH", f"PLAIN {encoded}")[0] == 235
        content = CONTENT.replace("\n", "\r\n").encode()
        assert client.sendmail(SENDER, RECIPIENTS, content, ["BODY=8BITMIME"]) == {}


def by_swaks(relay, folder, *, logs_in):
    (folder / "mail.eml").write_text(CONTENT.replace("\n", "\r\n"), "utf-8", newline="")
    login = ["--tls", "--tls-verify", "--tls-ca-path", relay.ca, "--auth", "LOGIN"]
    login += ["--auth-user", USERNAME, "--auth-password", PASSWORD]
    return run(
        *("swaks", "--server", relay.address, "--port", relay.port, "--helo", "client.example"),
        *("--from", SENDER, "--to", ",".join(RECIPIENTS), "--pipeline"),
        *("--data", f"@{folder}/mail.eml"),
        *(login if logs_in else []),
    )


def by_curl(relay, folder, *, logs_in):
    (folder / "mail.eml").write_text(CONTENT.replace("\n", "\r\n"), "utf-8", newline="")
    login = ["--ssl-reqd", "--cacert", relay.ca, "--user", f"{USERNAME}:{PASSWORD}"]
    return run(
        *("curl", "--silent", "--show-error", "--mail-from", SENDER),
        *(word for recipient in RECIPIENTS for word in ("--mail-rcpt", recipient)),
        *("--upload-file", folder / "mail.eml", *(login if logs_in else [])),
        f"smtp://{relay.address}:{relay.port}/client.example",
    )


def by_msmtp(relay, folder, *, logs_in):
    login = ["--tls=on", "--tls-starttls=on", f"--tls-trust-file={relay.ca}", "--auth=plain"]
    login += [f"--user={USERNAME}", f"--passwordeval=echo '{PASSWORD}'"]
    return run(
        *("msmtp", f"--host={relay.address}", f"--port={relay.port}", "--domain=client.example"),
        *(f"--from={SENDER}", *(login if logs_in else ["--tls=off"]), "--", *RECIPIENTS),
        text=CONTENT,
    )


def by_nodemailer(relay, folder, *, logs_in):
    transport = {"host": relay.address, "port": relay.port, "name": "client.example"}
    if logs_in:
        ca = Path(relay.ca).read_text("utf-8")
        transport |= {"requireTLS": True, "auth": {"user": USERNAME, "pass": PASSWORD}}
        transport["tls"] = {"ca": [ca]}
    else:
        transport["ignoreTLS"] = True
    envelope = {"from": SENDER, "to": RECIPIENTS, "use8BitMime": True}
    settings = {"module": NODEMAILER, "transport": transport, "content": CONTENT}
    return run("node", "-e", _NODE_PROGRAM, json.dumps({**settings, "envelope": envelope}))


#: What each program needs for a mail in the clear, and what for a login inside TLS.
_NEEDS = {
    by_smtplib: ((), ()),
    by_swaks: (["swaks"], ["swaks TLS", "swaks logins"]),
    by_curl: (["curl smtp"], ["curl smtp", "curl smtps"]),
    by_msmtp: (["msmtp"], ["msmtp TLS", "msmtp PLAIN"]),
    by_nodemailer: (["node nodemailer"], ["node nodemailer"]),
}


@pytest.mark.parametrize(
    ("send", "logs_in"),
    [
        pytest.param(send, logs_in, marks=needs(*both[logs_in]), id=f"{send.__name__}, {what}")
        for send, both in _NEEDS.items()
        for logs_in, what in enumerate(["in the clear", "with a login"])
    ],
)
def test_a_mail_arrives_as_it_was_sent(tmp_path, both, send, logs_in):
    relay, provider = both
    sent = send(relay, tmp_path, logs_in=logs_in)
    assert sent is None or sent.returncode == 0, sent.stdout

    mail = provider.mail()
    assert (mail.reverse_path, mail.recipients) == (SENDER, RECIPIENTS)
    header, _, body = mail.content.partition(b"\r\n\r\n")
    # swaks adds an empty line, nodemailer has no last one.
    assert body.decode().rstrip().split("\r\n") == BODY.rstrip().split("\n")
    assert (b" with ESMTPSA id " if logs_in else b" with ESMTP id ") in header
    assert provider.no_mail()
