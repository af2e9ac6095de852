"""A relay with secrets that sing, and all places into which it writes or says something.

Its providers repeat the secrets in every reply; see `tests.canary`.
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
from contextlib import contextmanager, suppress
from pathlib import Path

from multisendcon_plugin.settings.password import PasswordHash
from multisendcon_plugin.testing import Authority
from tests.canary import PASSWORD, PLAIN, ROLES, SAID, TOKEN, USERNAME
from tests.interop.programs import ROOT, free_port
from tests.interop.relay import Relay, account
from tests.web.live import Control

#: Roles whose providers are asked to take a mail in each of the ways of `SAID`.
OFTEN = ("taken", "unknown", "later", "refused")
#: Accounts in which our own code fails, with good providers.
BROKEN = ("broken", "broken login")


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

    def configuration(self, log="text", more="", accounts=None):
        """Return the rest of the configuration.

        :param accounts: others than those for all `ROLES`.
        """
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
        accounts = accounts or "".join(
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

    def environment(self):
        """Return that of commands."""
        return {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "MULTISENDCON_CONFIG": str(self.folder / "relay.toml"),
            "CANARY": PASSWORD,
        }

    def run(self, *lines):
        """Keep what commands print, which run at the same time."""
        processes = {
            line: subprocess.Popen(
                [sys.executable, "-m", "multisendcon_plugin", *line.split("|")],
                env=self.environment(),
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
            for line in lines
        }
        for line, process in processes.items():
            self.places[line] = process.communicate(timeout=60)[0]

    def all_found_out(self):
        """Each account has delivered mail, or has a fault."""
        _, octets = self.ask("GET", "accounts")
        accounts = [json.loads(line) for line in octets.splitlines()]
        asked = [each for each in accounts if each["name"].startswith(PLAIN)]
        return all(each["fault"] or each["delivered"] for each in asked)

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
                # Those of tokens are where they are to be.
                if path.parent.name == "tokens":
                    continue
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
