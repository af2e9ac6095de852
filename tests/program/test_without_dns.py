"""What starts, starts without asking the network for anything, so a dead DNS delays nobody."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from multisendcon_plugin import twisted_mail
from tests.interop.processes import descendants
from tests.interop.programs import python_program
from tests.interop.relay import Relay, account

ROOT = Path(__file__).parents[2]

#: Python runs it at the start of each process.  Who asks the DNS is noted, and fails.
NO_DNS = """
import socket
from ipaddress import ip_address

def _is_address(host):
    try:
        return bool(ip_address(host))
    except ValueError:
        return False

def _ask(name):
    allowed = getattr(socket, name)
    def ask(*arguments, **more):
        if name == "getaddrinfo" and _is_address(arguments[0]):
            return allowed(*arguments, **more)
        with open({asked!r}, "a") as file:
            print(name, *arguments, file=file)
        raise RuntimeError(f"{{name}} is called")
    setattr(socket, name, ask)

for name in (
    "getaddrinfo", "getfqdn", "gethostbyaddr", "gethostbyname", "gethostbyname_ex", "getnameinfo"
):
    _ask(name)

with open({started!r}, "a") as file:
    print("a process", file=file)
"""


class World:
    """Processes that cannot ask the DNS.

    :ivar environment: with which they start.
    """

    def __init__(self, folder):
        self._asked, self._started = folder / "asked", folder / "started"
        code = folder / "code"
        code.mkdir()
        text = NO_DNS.format(asked=str(self._asked), started=str(self._started))
        (code / "sitecustomize.py").write_text(text)
        self.environment = {"PYTHONPATH": os.pathsep.join([str(code), str(ROOT)])}

    def asked(self):
        return self._asked.read_text().splitlines() if self._asked.exists() else []

    def started(self):
        return len(self._started.read_text().splitlines())

    def run(self, folder, *command):
        return subprocess.run(
            command,
            cwd=folder,
            env=os.environ | self.environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def test_it_would_be_noticed(tmp_path, world):
    result = world.run(tmp_path, sys.executable, "-c", "import socket; socket.getfqdn()")
    assert "getfqdn is called" in result.stderr
    assert world.asked() == ["getfqdn"]


def imports_twisted_mail(path):
    """Tell whether a module imports something of Twisted's mail package."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and not node.level:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        if any(f"{name}.".startswith("twisted.mail.") for name in names):
            return True
    return False


def rooms_with_twisted_mail():
    """Return the packages at the top, and modules, that import it: a package is imported first."""
    package = ROOT / "multisendcon_plugin"
    modules = [path.relative_to(ROOT) for path in package.rglob("*.py")]
    return sorted(
        {".".join(path.with_suffix("").parts[:2]) for path in modules if imports_twisted_mail(path)}
    )


def test_all_that_import_twisted_mail_are_found():
    assert {
        f"multisendcon_plugin.{name}" for name in ("edge", "relay", "testing", "twisted_mail")
    } <= set(rooms_with_twisted_mail())


@pytest.mark.parametrize(
    "module",
    [
        "multisendcon_plugin",
        "multisendcon_plugin.front.program",
        "multisendcon_plugin.tap",
        *rooms_with_twisted_mail(),
    ],
)
def test_an_import_asks_for_nothing(tmp_path, world, module):
    result = world.run(tmp_path, sys.executable, "-c", f"import {module}")
    assert (result.returncode, result.stderr, world.asked()) == (0, "", [])


@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "--config=relay.toml"),
        ("explain", "--config=relay.toml", "a@b.example", "c@d.example"),
        ("--version",),
    ],
)
def test_the_command_line_asks_for_nothing(tmp_path, world, arguments):
    # No name for this machine, and one for the server that would have to be looked up.
    (tmp_path / "relay.toml").write_text('[[account]]\nname = "A"\nserver = "smtp.a.example"\n')
    command = (sys.executable, "-m", "multisendcon_plugin", *arguments)
    result = world.run(tmp_path, *command)
    assert (result.returncode, world.asked()) == (0, []), result.stderr


def test_no_process_of_the_relay_asks_for_anything(tmp_path, world):
    relay = Relay(tmp_path, account("A", "192.0.2.1", 25))
    relay.environment = world.environment
    with relay:
        processes = 1 + len(descendants(relay.process.pid))
    # The first one starts anew under the name of twistd.
    assert world.started() >= processes
    assert world.asked() == []
    assert "Traceback" not in relay.log.read_text()


def test_the_demonstration_asks_for_nothing(tmp_path, world):
    with subprocess.Popen(
        [python_program("twistd"), "-n", "multisendcon", "--demo"],
        cwd=tmp_path,
        env=os.environ | world.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            assert any("Ctrl-C ends" in line for line in process.stdout)
        finally:
            process.terminate()
    assert world.asked() == []


def test_the_name_that_twisted_is_given_is_ascii(monkeypatch):
    monkeypatch.setattr(twisted_mail, "own_hostname", lambda: "büro")
    assert twisted_mail._ascii_hostname() == "localhost"
    monkeypatch.setattr(twisted_mail, "own_hostname", lambda: "buero")
    assert twisted_mail._ascii_hostname() == "buero"
