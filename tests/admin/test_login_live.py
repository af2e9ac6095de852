"""`multisendcon account login` as a program, with a provider on loopback."""

from __future__ import annotations

import json
import signal
import stat
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import pytest

CODE, DEVICE_CODE = "c0de-canary", "device-canary"
ACCESS, REFRESH = "access-canary", "refresh-canary"
CANARIES = (CODE, DEVICE_CODE, ACCESS, REFRESH, "secret-canary")
CONFIGURATION = """
[spool]
path = "spool"

[[account]]
name = "Sales"
server = "smtp.example"
port = 587
username = "sales@example.com"
[account.oauth2]
provider = "custom"
grant = "{grant}"
client_id = "relay"
client_secret = {{ file = "secret" }}
token_url = "http://127.0.0.1:{port}/token"
authorize_url = "http://127.0.0.1:{port}/authorize"
device_url = "http://127.0.0.1:{port}/device"
scope = "smtp offline_access"
"""


class Provider:
    """Gives out a token for the right code, and for a device at the second question.

    :ivar asked: the forms that were posted, by path.
    """

    def __init__(self):
        self.asked = []

    def answer(self, path, form):
        self.asked.append((path, form))
        if path == "/device":
            return 200, {
                "device_code": DEVICE_CODE,
                "user_code": "ABCD-EFGH",
                "verification_uri": "https://login.example/device",
                "expires_in": 600,
                "interval": 1,
            }
        if form.get("device_code") == DEVICE_CODE and len(self.asked) == 2:
            return 400, {"error": "authorization_pending"}
        if DEVICE_CODE in form.values() or form.get("code") == CODE:
            return 200, {
                "access_token": ACCESS,
                "token_type": "Bearer",
                "expires_in": 3600,
                "refresh_token": REFRESH,
            }
        return 400, {"error": "invalid_grant", "error_description": f"no such code {form}"}


@pytest.fixture
def provider():
    """Return a provider, and the port on which it listens."""
    provider = Provider()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            status, value = provider.answer(self.path, dict(parse_qsl(body)))
            octets = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(octets)))
            self.end_headers()
            self.wfile.write(octets)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    provider.port = server.server_address[1]
    yield provider
    server.shutdown()
    thread.join()
    server.server_close()


class Terminal:
    """A command that runs.

    :ivar said: on its standard error, as far as it was read.
    """

    def __init__(self, process):
        self.process = process
        self.said = ""

    def until(self, word):
        """Read up to the line with a word, and return that."""
        for line in self.process.stderr:
            self.said += line
            if word in line:
                return line.strip()
        pytest.fail(f"it has ended without {word!r}: {self.said}")

    def type(self, line):
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()

    def end(self):
        """Return the exit status, and what it has printed."""
        out, rest = self.process.communicate(timeout=60)
        self.said += rest
        return self.process.returncode, out


@pytest.fixture
def command(tmp_path, provider):
    """Return what begins to sign in by a grant."""

    @contextmanager
    def begin(grant="authorization_code"):
        (tmp_path / "spool").mkdir(mode=0o700)
        (tmp_path / "secret").write_text("secret-canary")
        path = tmp_path / "multisendcon.toml"
        path.write_text(CONFIGURATION.format(grant=grant, port=provider.port))
        line = ["account", "login", "Sales", "--json", f"--config={path}"]
        with subprocess.Popen(
            [sys.executable, "-m", "multisendcon_plugin", *line],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                yield Terminal(process)
            finally:
                process.kill()

    return begin


def browse(url, **query):
    """Return the status with which the browser's page is answered."""
    try:
        with urllib.request.urlopen(f"{url}/?{urlencode(query)}", timeout=60) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def assert_stored(tmp_path, terminal):
    """It is stored for its owner alone, and told to nobody."""
    status, out = terminal.end()
    assert (status, terminal.said.splitlines()[-1]) == (
        0,
        "No relay runs; it will use the token when it is started.",
    )
    told = json.loads(out)
    assert (told["account"], told["mailbox"]) == ("Sales", "sales@example.com")
    (path,) = (tmp_path / "spool" / "tokens").iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    stored = path.read_text()
    assert ACCESS in stored
    assert REFRESH in stored
    assert not [each for each in CANARIES if each in out + terminal.said]


def test_a_browser_of_this_machine(tmp_path, provider, command):
    with command() as terminal:
        url = urlsplit(terminal.until("/authorize?"))
        asked = {name: values[0] for name, values in parse_qs(url.query).items()}
        assert asked["code_challenge_method"] == "S256"
        redirect, state = asked["redirect_uri"], asked["state"]
        assert urlsplit(redirect).hostname == "127.0.0.1"
        # Whoever does not know the state has not come from there.
        assert browse(redirect, code="of somebody else", state="x") == 400
        terminal.until("It goes on waiting.")
        assert browse(redirect, code=CODE, state=state) == 200
        assert_stored(tmp_path, terminal)
    ((path, form),) = provider.asked
    assert (path, form["code"], form["redirect_uri"]) == ("/token", CODE, redirect)
    assert form["client_secret"] == "secret-canary"


def test_a_browser_elsewhere(tmp_path, provider, command):
    with command() as terminal:
        url = urlsplit(terminal.until("/authorize?"))
        asked = {name: values[0] for name, values in parse_qs(url.query).items()}
        terminal.until("paste it here")
        terminal.type("https://login.example/somewhere")
        terminal.until("That is not the address of the page at the end")
        query = urlencode({"code": CODE, "state": asked["state"]})
        terminal.type(f"{asked['redirect_uri']}/?{query}")
        assert_stored(tmp_path, terminal)
    assert len(provider.asked) == 1


def test_a_device(tmp_path, provider, command):
    with command("device") as terminal:
        terminal.until("https://login.example/device in a browser anywhere, and enter ABCD-EFGH")
        assert_stored(tmp_path, terminal)
    assert [path for path, _ in provider.asked] == ["/device", "/token", "/token"]


def test_a_code_that_the_provider_does_not_know(tmp_path, command):
    with command() as terminal:
        url = urlsplit(terminal.until("/authorize?"))
        asked = {name: values[0] for name, values in parse_qs(url.query).items()}
        wrong = f"{CODE}-but-another"
        assert browse(asked["redirect_uri"], code=wrong, state=asked["state"]) == 400
        assert terminal.end() == (1, "")
    assert "refuses a token: invalid_grant" in terminal.said
    assert not [each for each in (*CANARIES, wrong) if each in terminal.said]
    assert not list((tmp_path / "spool").iterdir())


@pytest.mark.parametrize("grant", ["authorization_code", "device"])
def test_ctrl_c_gives_up(tmp_path, command, grant):
    with command(grant) as terminal:
        terminal.until("Ctrl-C gives up.")
        terminal.process.send_signal(signal.SIGINT)
        status, out = terminal.end()
    assert (status, out) == (130, "")
    assert "Traceback" not in terminal.said
    assert not list((tmp_path / "spool").iterdir())
