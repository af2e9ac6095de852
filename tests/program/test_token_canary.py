"""The canary of logins by token: no place has a secret of theirs but the files that keep it.

Whoever gives the tokens out repeats in each refusal what it was told, and so does the mail server
with the first login of each session; see `tests.canary`.
"""

from __future__ import annotations

import json
import re
import smtplib
import socketserver
import subprocess
import sys
import threading
import urllib.request
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs, quote, urlencode, urlsplit

from cryptography.hazmat.primitives.asymmetric import rsa

from multisendcon_plugin.testing import Authority
from tests.canary import (
    ACCESS,
    CLIENT_SECRET,
    CODE,
    DEVICE_CODE,
    PLAIN,
    REFRESH,
    forms_of_token,
    found,
)
from tests.interop.programs import until
from tests.interop.relay import account
from tests.program.scene import Scene
from tests.web.live import Control

#: What is secret in a request for a token; some of it is another one each time.
SECRET_FIELDS = (
    *("client_secret", "client_assertion", "assertion", "refresh_token", "code", "code_verifier"),
    "device_code",
)
#: What shows of places that they were looked into.
MARKS = {
    "cmdline": "twistd",
    "environ": "PYTHONPATH=",
    "page.environ": "PATH=",
    "GET openapi.json": '"openapi"',
    "/healthz": '"ok"',
    "/readyz": '"ok"',
}
#: By whom the token is got, how, and what the provider answers: see `Songbird`.
ACCOUNTS = {
    "file": ("client_credentials", '{ file = "client_secret" }', "gives"),
    "command": ("client_credentials", '{ command = ["./tell"] }', "gives"),
    "env": ("client_credentials", '{ env = "CANARY_SECRET" }', "refuses"),
    "inline": ("client_credentials", json.dumps(CLIENT_SECRET), "fails"),
    "odd": ("client_credentials", json.dumps(CLIENT_SECRET), "nonsense"),
    "certificate": ("client_credentials", "", "refuses"),
    "device": ("device", json.dumps(CLIENT_SECRET), "gives"),
    "browser": ("authorization_code", json.dumps(CLIENT_SECRET), "gives"),
    "late": ("authorization_code", json.dumps(CLIENT_SECRET), "denies"),
}


class Songbird(BaseHTTPRequestHandler):
    """Gives tokens out, or says what it was told."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        form = {name: values[0] for name, values in parse_qs(body).items()}
        self.server.told.append(form)
        status, answer = getattr(self, self.path.strip("/"))(form, body)
        octets = answer.encode() if isinstance(answer, str) else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(octets)))
        self.end_headers()
        self.wfile.write(octets)

    def gives(self, _form, _body):
        number = len(self.server.told)
        return 200, {
            "access_token": f"{ACCESS}{number}",
            "refresh_token": f"{REFRESH}{number}",
            "expires_in": 3600,
        }

    def refuses(self, form, body):
        said = f"{PLAIN} {body} {json.dumps(form)} {' '.join(form.values())}"
        return 401, {"error": "invalid_client", "error_description": said}

    def denies(self, form, _body):
        said = f"{PLAIN} {' '.join(map(quote, form.values()))}"
        return 400, {"error": "invalid_grant", "error_description": said}

    def fails(self, form, body):
        return 503, f"{body} {form}"

    def nonsense(self, form, _body):
        return 200, {"access_token": f"{ACCESS}\n", "token_type": form["client_secret"]}

    def devices(self, _form, _body):
        return 200, {
            "device_code": DEVICE_CODE,
            "user_code": "WDJB",
            "verification_uri": "https://device.example",
            "interval": 1,
            "expires_in": 60,
        }

    def log_message(self, *_):
        """Print nothing."""


@contextmanager
def songbird():
    """Run one; return its server."""
    with socketserver.ThreadingTCPServer(("127.0.2.4", 0), Songbird) as server:
        server.told = []
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


class TokenScene(Scene):
    """A relay whose accounts log in by tokens."""

    def __init__(self, folder, stack):
        self.bird = stack.enter_context(songbird())
        super().__init__(folder, stack)
        # No account here has its password from there.
        del self.relay.environment["CANARY"]
        (folder / "client_secret").write_text(CLIENT_SECRET)
        (folder / "client_secret").chmod(0o600)
        self._script("tell", "env > tell.environ; cat client_secret")
        certificate, key = Authority().server_pem(
            "app.example", key=rsa.generate_private_key(65537, 2048)
        )
        (folder / "app.pem").write_bytes(certificate + key)
        (folder / "app.pem").chmod(0o600)
        self.app_key = key

    def configuration(self, log="text", more=""):
        return super().configuration(log, more, "".join(map(self._account, ACCOUNTS)))

    def _account(self, name):
        grant, secret, answer = ACCOUNTS[name]
        host, port = self.bird.server_address
        url = f"http://{host}:{port}"
        proof = f"client_secret = {secret}" if secret else 'client_certificate = "app.pem"'
        return f"""
            {
            account(
                f"{PLAIN} {name}",
                "127.0.0.1",
                self.ports["bearer"],
                tls='"starttls"',
                tls_ca=f'"{self.authority}"',
                username=f'"{name}@home.example"',
                senders=f'"{name}@home.example"',
                fallback="[]",
                archive="true",
                max_mails_per_connection="1",
            )
        }
            [account.oauth2]
            provider = "custom"
            grant = "{grant}"
            client_id = "app"
            {proof}
            token_url = "{url}/{answer}"
            device_url = "{url}/devices"
            authorize_url = "{url}/authorize"
            scope = "mail offline_access"
        """

    def send(self):
        """Hand mails in."""
        with smtplib.SMTP(self.relay.address, self.relay.port, timeout=30) as client:
            for name in ACCOUNTS:
                for _ in range(4):
                    sender = f"{name}@home.example"
                    content = f"From: {sender}\r\nSubject: {PLAIN}\r\n\r\nhello\r\n"
                    client.sendmail(sender, ["one@far.example"], content)

    def sign_in(self, name, status=0):
        """Sign in with the command, by a browser if it wants one; keep what it prints."""
        with subprocess.Popen(
            [sys.executable, "-m", "multisendcon_plugin", "account", "login", f"{PLAIN} {name}"],
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        ) as process:
            said = bytearray()
            for line in process.stdout:
                said += line
                if re.match(rb"http\S+redirect_uri", line):
                    browse(line.decode().strip())
        self.places[f"account login {name}"] = bytes(said)
        assert process.returncode == status, said


def browse(url):
    """Let somebody sign in at once, and send the browser back."""
    query = parse_qs(urlsplit(url).query)
    back = urlencode({"code": CODE, "state": query["state"][0]})
    urllib.request.urlopen(f"{query['redirect_uri'][0]}/?{back}").close()


def test_a_secret_of_a_login_by_token_is_in_no_place_but_its_file(tmp_path, monkeypatch):
    monkeypatch.setenv("CANARY_SECRET", CLIENT_SECRET)
    with ExitStack() as stack:
        scene = TokenScene(tmp_path, stack)
        relay = stack.enter_context(scene.relay)
        scene.listen()
        scene.sign_in("device")
        scene.sign_in("browser")
        scene.send()
        until(
            lambda: scene.ask("GET", "history")[1].count(b'"delivered"') >= 12,
            "the good ones have delivered theirs",
        )
        until(scene.all_found_out, "the others have found out")
        for name in ACCOUNTS:
            scene.ask("POST", f"accounts/{PLAIN}%20{name}/test", {})
            scene.ask("POST", f"accounts/{PLAIN}%20{name}/probe")
        scene.read_processes()
        for path in ("status", "accounts", "queue", "history", "openapi.json"):
            scene.ask("GET", path)
        for path in ("/metrics", "/healthz", "/readyz"):
            scene.get(path)
        row = Control(relay.spool).lines("queue")[0]
        scene.ask("GET", f"queue/{row['id']}")
        scene.run(
            "check",
            "status",
            "account|list",
            *(f"account|test|{PLAIN} {name}" for name in ("file", "env", "inline")),
            *(f"account|login|{PLAIN} {name}|--print-setup" for name in ("env", "device")),
            "queue|list",
            "log",
            "explain|env@home.example|a@b.example",
        )
        scene.relay.configure(scene.configuration("json"), settings=scene.settings())
        until((tmp_path / "page.input").exists, "an alarm has been told")
        relay.stop()
        text_log = relay.log.read_bytes()
        relay.start()
        scene.send()
        until(scene.all_found_out, "they have found out again")
        relay.stop()
        scene.read_files()
        scene.places["text log"] = text_log
    told = {form[name] for form in scene.bird.told for name in SECRET_FIELDS if name in form}
    used = {name for form in scene.bird.told for name in form}
    assert used >= {*SECRET_FIELDS} - {"assertion"}
    lines = {line.lower() for line in scene.app_key.splitlines()[1:-1]}
    forms = {form for secret in told for form in forms_of_token(secret)} | lines
    kept = b"".join(path.read_bytes() for path in (tmp_path / "spool" / "tokens").iterdir())
    assert found(kept), "what is kept is found"
    seen = {place: found(said) + found(said, forms) for place, said in scene.places.items()}
    assert {place: forms for place, forms in seen.items() if forms} == {}
    marks = {place: MARKS.get(place, PLAIN).encode() for place in scene.places}
    assert [place for place, mark in marks.items() if mark not in scene.places[place]] == []
