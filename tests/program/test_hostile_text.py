"""What strangers say reaches no terminal, line or format raw, wherever a relay shows it.

Servers, clients, mails and whoever gives out tokens say the text of `tests.hostile`.
"""

from __future__ import annotations

import json
import os
import re
import smtplib
import subprocess
import sys
import threading
import urllib.request
from base64 import b64encode
from contextlib import ExitStack, suppress

from prometheus_client.parser import text_string_to_metric_families

from multisendcon_plugin.settings.password import PasswordHash
from multisendcon_plugin.testing import Authority
from tests.hostile import FORGED, HOSTILE, IN_LINES, MARK, NAME, ROLES, acting
from tests.interop.programs import ROOT, free_port, until
from tests.interop.relay import Relay
from tests.web.live import Control

TOKENS = "tokens"
_CONFIGURATION = """
    [log]
    format = "{log}"
    [delivery]
    retry = ["30m"]
    [metrics]
    listen = ["tcp:port={metrics}:interface=127.0.2.2"]
    [alarm]
    command = ["{folder}/page"]
"""
_LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+0000 \[")


def account(role, port, **settings):
    """Return an account whose name has everything that a name may have."""
    settings |= {"name": f"{NAME} {role}", "server": "127.0.0.1", "port": port, "tls": "none"}
    settings |= {"senders": [f"{role}@home.example"], "fallback": []}
    lines = [f"{key} = {json.dumps(value)}" for key, value in settings.items()]
    return "\n".join(["[[account]]", *lines, ""])


class Scene:
    """A relay whose providers, clients and tokens are hostile, and all that it shows."""

    def __init__(self, folder, stack):
        self.folder = folder
        providers = stack.enter_context(
            subprocess.Popen(
                [sys.executable, "-m", "tests.hostile"],
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                stdout=subprocess.PIPE,
            )
        )
        stack.callback(providers.kill)
        self.ports = json.loads(providers.stdout.readline())
        page = folder / "page"
        page.write_text(f"#!/bin/sh\ncat >> {folder}/page.input\n")
        page.chmod(0o700)
        users = folder / "users"
        users.write_text(f"joe:{PasswordHash.of(b'secret', b'salt' * 4).text()}\n")
        users.chmod(0o600)
        certificate, key = Authority().server_pem("relay.example.com")
        (folder / "relay.pem").write_bytes(certificate + key)
        (folder / "relay.pem").chmod(0o600)
        self.settings = f'users = "{users}"\ntls_certificate = "{folder}/relay.pem"\n'
        self.metrics = free_port("127.0.2.2")
        self.relay = Relay(folder, self.configuration("text"), settings=self.settings)
        stack.enter_context(self.relay)

    def control(self):
        return Control(self.relay.spool)

    def configuration(self, log):
        text = _CONFIGURATION.format(log=log, metrics=self.metrics, folder=self.folder)
        text += "".join(account(role, self.ports[role], **self.more(role)) for role in ROLES)
        return text + account(TOKENS, self.ports["taken"]) + self.oauth2()

    def more(self, role):
        return {"username": "joe", "password": "secret"} if role == "login" else {}

    def oauth2(self):
        return f"""
            [account.oauth2]
            provider = "custom"
            grant = "client_credentials"
            client_id = "relay"
            client_secret = "secret"
            mailbox = "box@home.example"
            scope = "send"
            token_url = "http://127.0.0.1:{self.ports["endpoint"]}/"
        """

    def listen(self):
        """Keep what the stream of events says."""
        stream = self.control().ask("GET", "events")
        self.events = bytearray()

        def read():
            with suppress(OSError, ValueError):
                while line := stream.readline():
                    self.events.extend(line)

        threading.Thread(target=read, daemon=True).start()

    def send(self):
        """Hand mails in, with everything hostile that a client may say, and more."""
        encoded = b64encode(IN_LINES.encode()).decode()
        raw = HOSTILE.replace("\0", "").replace("\u2028", "").encode()
        with smtplib.SMTP(self.relay.address, self.relay.port, timeout=30) as client:
            client.ehlo("pc.example")
            for role in (*ROLES, TOKENS):
                content = (
                    b"From: =?utf-8?b?%b?= <%b@home.example>\r\nSubject: %b =?utf-8?b?%b?=\r\n"
                    b"Message-ID: <%b@home.example>\r\nX-Raw: %b\r\n\r\nhello\r\n"
                ) % (encoded.encode(), role.encode(), raw, encoded.encode(), raw, raw)
                client.sendmail(f"{role}@home.example", ["m4rker@far.example"], content)
        user = IN_LINES.replace("\0", "")
        refused = [
            f"EHLO {HOSTILE}",
            f"MAIL FROM:<{HOSTILE}@home.example>",
            f"{HOSTILE}",
            "AUTH PLAIN " + b64encode(f"\0{user}\0wrong".encode()).decode(),
            f'MAIL FROM:<"{MARK}"@nobody.example>',
        ]
        for line in refused:
            with smtplib.SMTP(self.relay.address, self.relay.port, timeout=30) as client:
                client.starttls()
                client.ehlo("pc.example")
                client.sock.sendall(line.encode() + b"\r\n")
                with suppress(smtplib.SMTPServerDisconnected):
                    client.getreply()

    def run(self, commands):
        """Return what commands print on both streams, which run at the same time."""
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "PYTHONIOENCODING": "utf-8",
            "MULTISENDCON_CONFIG": str(self.folder / "relay.toml"),
        }
        started = {
            words: subprocess.Popen(
                [sys.executable, "-m", "multisendcon_plugin", *words],
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
            for words in commands
        }
        return {
            words: process.communicate(timeout=60)[0].decode("utf-8")
            for words, process in started.items()
        }

    def get_metrics(self):
        with urllib.request.urlopen(f"http://127.0.2.2:{self.metrics}/metrics") as answer:
            return answer.read().decode("utf-8")

    def told_since(self, log):
        """Return the events of the log as JSON that are behind that as text."""
        *lines, _ = self.relay.log.read_text("utf-8").removeprefix(log).split("\n")
        return {json.loads(line)["event"] for line in lines}

    def settled(self):
        """Tell whether each mail has met its server."""
        states = {each["name"]: each["state"] for each in self.control().lines("accounts")}
        stories = self.control().lines("history")
        met = sum(any(event["event"] == "attempt" for event in each["events"]) for each in stories)
        return met == len(ROLES) + 1 and states[f"{NAME} {TOKENS}"] == "login"


def test_nothing_that_strangers_say_acts_on_who_reads_it(tmp_path):
    with ExitStack() as stack:
        scene = Scene(tmp_path, stack)
        scene.listen()
        scene.send()
        until(scene.settled, "all mails were tried")
        until((tmp_path / "page.input").exists, "an alarm has been told")
        ids = [row["id"] for row in scene.control().lines("queue")]
        check_commands(scene, ids)
        for path in ("status", "accounts", "queue", "history", *(f"queue/{each}" for each in ids)):
            text = scene.control().ask("GET", path).read().decode("utf-8")
            assert [json.loads(line) for line in text.removesuffix("\n").split("\n")], path
            assert MARK in text, path
            assert not {each for each in text if each < " "} - {"\n"}, path
        check_metrics(scene.get_metrics())
        scene.relay.stop()
        check_events(scene.events.decode("utf-8"))
        check_alarms((tmp_path / "page.input").read_text("utf-8"))
        log = scene.relay.log.read_text("utf-8")
        check_log(log)
        assert [line for line in log.splitlines() if not _LINE.match(line)] == []
        scene.relay.configure(scene.configuration("json"), settings=scene.settings)
        scene.relay.start()
        scene.send()
        wanted = {"account_faulted", "alarm_told", "token_refused", "command_refused"}
        until(lambda: wanted <= scene.told_since(log), "all of that has happened again")
        scene.relay.stop()
        log = scene.relay.log.read_text("utf-8").removeprefix(log)
        check_log(log)
        assert log.isascii()


def check_commands(scene, ids):
    """See what is printed for people, and for programs."""
    commands = [
        ("status",),
        ("account", "list"),
        ("queue", "list"),
        ("log",),
        ("explain", "later@home.example", "a@b.example"),
        ("account", "test", f"{NAME} login"),
        ("account", "test", f"{NAME} {TOKENS}"),
        *(("queue", "show", each) for each in ids[:2]),
    ]
    for words, text in scene.run(commands).items():
        assert acting(text) == set(), words
        assert MARK in text, words
        assert not [line for line in text.splitlines() if line.startswith(FORGED)], words
    for words, text in scene.run([(*words, "--json") for words in commands]).items():
        assert text.isascii(), words
        assert acting(text) == set(), words
        assert [json.loads(line) for line in text.splitlines()], words
        assert MARK in text, words


def check_metrics(text):
    """See that labels are names of accounts and words of ours only."""
    labels = {
        value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        for key, value in sample.labels.items()
        if key not in ("le", "quota")
    }
    accounts = {f"{NAME} {role}" for role in (*ROLES, TOKENS)}
    assert accounts <= labels
    assert all(re.fullmatch("[a-z0-9_]+", each) for each in labels - accounts)
    assert acting(text) == set()


def check_events(text):
    """See that each line is one of the stream's, and its data JSON."""
    assert MARK in text
    fields = {}
    for line in text.split("\n"):
        name, _, value = line.partition(":")
        fields.setdefault(name, []).append(value)
    assert fields.keys() <= {"id", "event", "data", "", "retry"}
    told = [json.loads(each) for each in fields["data"]]
    assert {each["event"] for each in told} >= {"accepted", "attempt", "account", "alarm"}
    assert {"command_refused", "login_refused", "token_refused"} <= {each["event"] for each in told}


def check_alarms(text):
    """See that each is one line of JSON, with what the servers said and the endpoint of tokens."""
    told = [json.loads(line) for line in text.splitlines()]
    assert {each["kind"] for each in told} >= {"login", "quota"}
    assert all(MARK in each["text"] for each in told)


def check_log(text):
    """See that each line is one of the log's, with nothing in it that acts."""
    assert acting(text) == set()
    assert MARK in text
    assert "Traceback" not in text
    assert [line for line in text.splitlines() if line.startswith(FORGED)] == []
