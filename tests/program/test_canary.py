"""The canary: each place into which a relay writes or says something is searched for a password.

Its providers repeat it in every reply; see `tests.canary`.
"""

from __future__ import annotations

import json
import os
import re
import smtplib
import socket
import socketserver
import stat
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from base64 import b64encode
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from multisendcon_plugin.settings.password import PasswordHash
from multisendcon_plugin.testing import Authority
from tests.canary import PASSWORD, PLAIN, ROLES, SAID, TOKEN, USERNAME, found
from tests.interop.programs import ROOT, free_port, until
from tests.interop.relay import Relay, account
from tests.web.live import Control

#: Roles whose providers are asked to take a mail in each of the ways of `SAID`.
OFTEN = ("taken", "unknown", "later", "refused")
#: Accounts in which our own code fails, with good providers.
BROKEN = ("broken", "broken login")
#: What shows of places without `PLAIN` that they were looked into.
MARKS = {
    "cmdline": "twistd",
    "environ": "PYTHONPATH=",
    "page.environ": "PATH=",
    "GET openapi.json": '"openapi"',
    "/healthz": '"ok"',
    "/readyz": '"ok"',
    **{
        f"POST accounts/{PLAIN}%20{name.replace(' ', '%20')}/test": "internal error"
        for name in BROKEN
    },
}


class Mockingbird(socketserver.StreamRequestHandler):
    """Takes an alarm, and answers with what it was asked."""

    def handle(self):
        asked = self.rfile.readline()
        length = 0
        while line := self.rfile.readline().strip().lower():
            if line.startswith(b"content-length:"):
                length = int(line.split()[1])
        self.server.taken.append(self.rfile.read(length))
        answers = (b"%b", b"HTTP/1.1 500 %b", b"HTTP/1.1 %b", b"HTTP/1.1 302 see\r\nLocation: %b")
        answer = answers[len(self.server.taken) % len(answers)]
        self.wfile.write(answer % asked.strip() + b"\r\n\r\n" + asked)


@contextmanager
def mockingbird():
    """Run one; return its server."""
    with socketserver.ThreadingTCPServer(("127.0.2.3", 0), Mockingbird) as server:
        server.taken = []
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


class Scene:
    """A relay with accounts for all `ROLES`, and all places into which it writes."""

    def __init__(self, folder, stack):
        self.folder, self.stack = folder, stack
        self.places = {}
        authority = folder / "authority.pem"
        providers = stack.enter_context(
            subprocess.Popen(
                [sys.executable, "-m", "tests.canary", str(authority)],
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                stdout=subprocess.PIPE,
            )
        )
        stack.callback(providers.kill)
        self.ports = json.loads(providers.stdout.readline())
        self.hook = stack.enter_context(mockingbird())
        self.notified = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        self.notified.bind(str(folder / "notify"))
        self.notified.setblocking(False)
        self._write_secrets(authority)
        self.metrics_port = free_port("127.0.2.2")
        self.relay = Relay(folder, self.configuration(), settings=self.settings())
        self.relay.environment = {
            "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent / "broken_relay"), str(ROOT)]),
            "NOTIFY_SOCKET": str(folder / "notify"),
            "CANARY": PASSWORD,
            "PLAIN": PLAIN,
        }

    def _write_secrets(self, authority):
        (self.folder / "password").write_text(PASSWORD)
        (self.folder / "password").chmod(0o600)
        self._script("tell", "env > tell.environ; echo $CANARY >&2; cat password")
        self._script("page", "env >> page.environ; cat >> page.input; cat page.environ; exit 1")
        self.hash = PasswordHash.of(PASSWORD.encode(), b"salt" * 4).text()
        (self.folder / "users").write_text(f"{USERNAME}:{self.hash}\n")
        (self.folder / "users").chmod(0o600)
        certificate, self.key = Authority().server_pem("client.example")
        (self.folder / "client.pem").write_bytes(certificate)
        (self.folder / "client.key").write_bytes(self.key)
        (self.folder / "client.key").chmod(0o600)
        self.authority = authority

    def _script(self, name, text):
        script = self.folder / name
        script.write_text(f"#!/bin/sh\ncd {self.folder}\n{text}\n")
        script.chmod(stat.S_IRWXU)

    def settings(self):
        return f"""
            users = "{self.folder}/users"
            tls_certificate = "{self.folder}/client.pem"
            tls_key = "{self.folder}/client.key"
        """

    def configuration(self, log="text", more=""):
        """Return the rest of the configuration."""
        passwords = {
            "taken": '{ file = "password" }',
            "unknown": '{ env = "CANARY" }',
            "later": '{ command = ["./tell"] }',
        }
        plain = json.dumps(PASSWORD, ensure_ascii=False)
        common = {
            "username": f'"{USERNAME}"',
            "tls": '"starttls"',
            "tls_ca": f'"{self.authority}"',
        }
        accounts = "".join(
            account(
                f"{PLAIN} {role}",
                "127.0.0.1",
                self.ports.get(role, self.ports["taken"]),
                **common,
                password=passwords.get(role, plain),
                senders=f'"{role.replace(" ", "-")}@home.example"',
                max_mails_per_connection="1",
                archive="true",
                fallback="[]",
                tls_client_certificate='"client.pem"',
                tls_client_key='"client.key"',
            )
            for role in (*ROLES, *BROKEN)
        )
        return f"""
            [log]
            format = "{log}"
            [archive]
            path = "{self.folder}/archive"
            [metrics]
            listen = ["tcp:port={self.metrics_port}:interface=127.0.2.2"]
            [alarm]
            command = ["{self.folder}/page"]
            webhook = "http://127.0.2.3:{self.hook.server_address[1]}/{TOKEN}?key={TOKEN}"
            [ndr]
            server = "127.0.0.1"
            port = {self.ports["mail"]}
            username = "{USERNAME}"
            password = {plain}
            tls = "starttls"
            tls_ca = "{self.authority}"
            {more}
            {accounts}
        """

    # What is done.

    def send(self):
        """Hand mails in."""
        with smtplib.SMTP(self.relay.address, self.relay.port, timeout=30) as client:
            client.starttls()
            client.ehlo()
            for password in ("wrong", PASSWORD):
                response = b64encode(f"\0{USERNAME}\0{password}".encode()).decode()
                client.docmd("AUTH PLAIN", response)
            for role in (*ROLES, *BROKEN):
                for _ in range(len(SAID) if role in OFTEN else 1):
                    sender = f"{role.replace(' ', '-')}@home.example"
                    content = f"From: {sender}\r\nSubject: {PLAIN}\r\n\r\nhello\r\n"
                    client.sendmail(sender, ["one@far.example"], content)

    def listen(self):
        """Keep what the stream of events says."""
        stream = Control(self.relay.spool).ask("GET", "events")
        said = self.places["events"] = bytearray()

        def read():
            with suppress(OSError, ValueError):
                while line := stream.readline():
                    said.extend(line)

        threading.Thread(target=read, daemon=True).start()

    def ask(self, method, path, body=None):
        """Keep what the API says to something."""
        answer = Control(self.relay.spool).ask(method, path, body)
        octets = answer.read()
        name = re.sub("/[0-9A-Z]{10}", "/ID", f"{method} {path}")
        self.places[name] = self.places.get(name, b"") + b"%d " % answer.status + octets
        return answer.status, octets

    def run(self, *lines):
        """Keep what commands print, which run at the same time."""
        processes = {
            line: subprocess.Popen(
                [sys.executable, "-m", "multisendcon_plugin", *line.split("|")],
                env={
                    **os.environ,
                    "PYTHONPATH": str(ROOT),
                    "MULTISENDCON_CONFIG": str(self.folder / "relay.toml"),
                    "CANARY": PASSWORD,
                },
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
            for line in lines
        }
        for line, process in processes.items():
            self.places[line] = process.communicate(timeout=60)[0]

    def get(self, path):
        """Keep what the server of the metrics says."""
        try:
            with urllib.request.urlopen(f"http://127.0.2.2:{self.metrics_port}{path}") as answer:
                self.places[path] = answer.read()
        except urllib.error.HTTPError as error:
            self.places[path] = error.read()

    def read_files(self):
        """Keep what is in all files that the relay, or whom it starts, has written."""
        for name in ("spool", "archive"):
            for path in (self.folder / name).rglob("*"):
                if path.is_file() and path.name not in ("spool.spare", "spool.lock"):
                    text = str(path.relative_to(self.folder)).encode() + path.read_bytes()
                    place = name if name == "archive" else path.name
                    self.places[place] = self.places.get(place, b"") + text
        for name in ("tell.environ", "page.environ", "page.input"):
            self.places[name] = (self.folder / name).read_bytes()
        self.places["log"] = self.relay.log.read_bytes()
        self.places["webhook"] = b"\n".join(self.hook.taken)
        with suppress(BlockingIOError):
            while True:
                told = self.places.get("sd_notify", b"")
                self.places["sd_notify"] = told + self.notified.recv(65536) + b"\n"

    def read_processes(self):
        """Keep as what the processes run that the relay has started, and what it runs as itself."""
        for pid in self.relay.children():
            with suppress(FileNotFoundError):
                for name in ("cmdline", "environ"):
                    said = Path(f"/proc/{pid}/{name}").read_bytes()
                    self.places[name] = self.places.get(name, b"") + said
        itself = Path(f"/proc/{self.relay.process.pid}/cmdline").read_bytes()
        self.places["cmdline"] = self.places.get("cmdline", b"") + itself

    def reload_badly(self):
        """Keep which faults configurations have in which the password stands at a wrong place."""
        text = json.dumps(PASSWORD, ensure_ascii=False)
        for bad in (
            f"[alarm]\nwebhook = 'htp://{PLAIN}.example/{TOKEN}'",
            f"[alarm]\nwebhook = 'http://joe:{TOKEN}@{PLAIN}.example/'",
            *(
                account(f"{PLAIN} bad", "127.0.0.1", 25, username='"joe"', password=password)
                for password in (
                    f"[{text}]",
                    f"{{ file = {text}, env = {text} }}",
                    f"{{ text = {text} }}",
                    '{ command = ["./fail"] }',
                    '{ file = "client.key" }\ntls_client_certificate = "client.key"',
                    f'{text[:-1]}\\n"',
                    f"{text}\npasword = {text}",
                    f"{text} {text}",
                )
            ),
        ):
            self.relay.configure(self.configuration() + bad, settings=self.settings())
            status, _ = self.ask("POST", "reload")
            assert status == 409, bad
        (self.folder / "users.bad").write_text(f"{PLAIN}:{PASSWORD}\n{self.hash}\n")
        settings = self.settings().replace("/users", "/users.bad")
        self.relay.configure(self.configuration(), settings=settings)
        assert self.ask("POST", "reload")[0] == 409
        self.run("reload", "check")


def test_a_password_is_in_no_place_into_which_the_relay_writes(tmp_path):
    with ExitStack() as stack:
        scene = Scene(tmp_path, stack)
        relay = stack.enter_context(scene.relay)
        scene.listen()
        scene.send()
        # Each session says it in another way.
        for role in (*ROLES, *BROKEN):
            path = f"accounts/{PLAIN}%20{role.replace(' ', '%20')}/test"
            for _ in range(1 if role in (*OFTEN, *BROKEN) else 3):
                scene.ask("POST", path, {"from": "a@home.example", "to": "b@far.example"})
        until(lambda: b'"failed"' in scene.ask("GET", "history")[1], "mails have failed")
        scene._script("fail", f"echo {PLAIN} $CANARY >&2; exit 1")
        scene.read_processes()
        scene.reload_badly()
        scene.relay.configure(scene.configuration(), settings=scene.settings())
        assert scene.ask("POST", "reload")[0] == 200
        for path in ("status", "accounts", "queue", "history", "openapi.json"):
            scene.ask("GET", path)
        for path in ("/metrics", "/healthz", "/readyz"):
            scene.get(path)
        rows = Control(relay.spool).lines("queue")
        for row in rows[:20]:
            scene.ask("GET", f"queue/{row['id']}")
            scene.ask("GET", f"queue/{row['id']}/explain")
        scene.ask(
            "POST", "explain", {"sender": "taken@home.example", "recipients": ["a@b.example"]}
        )
        scene.run(
            "status",
            "account|list",
            f"account|test|{PLAIN} login",
            "queue|list",
            f"queue|show|{rows[0]['id']}",
            "log",
            "explain|taken@home.example|a@b.example",
        )
        scene.relay.configure(scene.configuration("json"), settings=scene.settings())
        until((tmp_path / "page.input").exists, "an alarm has been told")
        relay.stop()
        text_log = relay.log.read_bytes()
        relay.start()
        scene.ask("POST", f"accounts/{PLAIN}%20broken%20login/test", {})
        scene.ask("POST", f"accounts/{PLAIN}%20login/probe")
        relay.stop()
        scene.read_files()
        scene.places["text log"] = text_log
    secrets = [scene.hash.encode(), *scene.key.splitlines()[1:-1]]
    told = {place: found(said) for place, said in scene.places.items()}
    assert {place: forms for place, forms in told.items() if forms} == {}
    assert [place for place, said in scene.places.items() if any(s in said for s in secrets)] == []
    # All of them were looked into, while there was something in them.
    marks = {place: MARKS.get(place, PLAIN).encode() for place in scene.places}
    assert [place for place, mark in marks.items() if mark not in scene.places[place]] == []
    for happened in (b"m4rker: at MAIL", b"m4rker: at the login", b"Traceback", b"webhook at 127"):
        assert happened in scene.places["text log"]
    assert b'"event": "account_faulted"' in scene.places["log"].replace(text_log, b"").lower()
