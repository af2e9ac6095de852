"""The programs that the tests run: how they are found, started, waited for, and ended."""

from __future__ import annotations

import functools
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.interop.processes import all_end, descendants

ROOT = Path(__file__).parents[2]
#: Where Debian installs it.
NODEMAILER = "/usr/share/nodejs/nodemailer"
#: Where ``.ci/run`` unpacks what Debian does not install beside Postfix, or would start.
UNPACKED = ROOT / ".mail-servers"
#: Where it installs npm's packages, and node looks for them.
PACKAGES = ROOT / "node_modules"
#: Debian keeps mail servers where only root looks for programs.
_SEARCHED = os.pathsep.join(
    [
        os.environ.get("PATH", os.defpath),
        "/usr/sbin",
        "/sbin",
        f"{UNPACKED}/usr/sbin",
        f"{UNPACKED}/usr/bin",
    ]
)


#: Before Node 20, what it needs of cryptography is not there.
_IMPORT = (
    f"import('{PACKAGES}/oidc-provider/lib/index.js')"
    ".then(() => console.log(globalThis.crypto ? 'imported' : 'node is too old'))"
)
#: What some builds of a program lack: with which arguments it tells, and what it then says.
_FEATURES = {
    "swaks TLS": (["--support"], r"^=== TLS supported"),
    "swaks logins": (["--support"], r"^=== Basic AUTH supported"),
    "swaks CRAM-MD5": (["--support"], r"^=== AUTH CRAM-MD5 supported"),
    "curl smtp": (["--version"], r"^Protocols:.* smtp\b"),
    "curl smtps": (["--version"], r"^Protocols:.* smtps\b"),
    "msmtp TLS": (["--version"], r"^TLS/SSL library: (?!none)"),
    "msmtp PLAIN": (["--version"], r"^Supported authentication methods:\s.*\bplain\b"),
    "node nodemailer": (["--eval", f"require('{NODEMAILER}')"], r"\A\Z"),
    "smtpd OpenSMTPD": (["-h"], r"^version: OpenSMTPD"),
    "unshare --kill-child": (["--help"], r"--kill-child\b"),
    "node oidc-provider": (["--eval", _IMPORT], r"^imported$"),
    "node axe-core": (["--eval", f"require('{PACKAGES}/axe-core')"], r"\A\Z"),
}


def needs(*names):
    """Skip tests whose programs are missing; in CI they are to be there, and the tests fail.

    :param names: of programs, or of what some builds of them lack: "curl smtps".
    """
    missing = list(filter(None, map(_missing, names)))
    return pytest.mark.skipif(
        bool(missing) and "CI" not in os.environ,
        reason=f"not installed: {', '.join(dict.fromkeys(missing))}",
    )


def _missing(name):
    """Return what is missing, or None."""
    base, _, feature = name.partition(" ")
    if shutil.which(base, path=_SEARCHED) is None:
        return base
    if not feature:
        return None
    arguments, present = _FEATURES[name]
    text = said(base, *arguments)
    if re.search(present, text, re.MULTILINE):
        return None
    required = re.search(f"{feature} not available: requires (.+)", text)
    return f"{required[1]} for {name}" if required else name


@functools.cache
def said(name, *arguments):
    """Return what a program says; it is run once."""
    return run(name, *arguments).stdout


def program(name):
    """Return the path of a program."""
    path = shutil.which(name, path=_SEARCHED)
    if path is None:
        raise FileNotFoundError(f"{name} is not installed")
    return path


def run(name, *arguments, text=None, timeout=60):
    """Run a program to its end; what it says on both streams is in `stdout`."""
    return subprocess.run(
        [program(name), *map(str, arguments)],
        input=text,
        stdin=subprocess.DEVNULL if text is None else None,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=timeout,
        check=False,
    )


def free_port(interface):
    """Return a port on which nobody listens, for programs that do not choose one themselves."""
    with socket.socket() as probe:
        probe.bind((interface, 0))
        return probe.getsockname()[1]


def until(happened, what, timeout=60.0):
    """Wait for something that other processes do; return what `happened` returns."""
    deadline = time.monotonic() + timeout
    while not (result := happened()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"within {timeout:.0f} s it did not happen that {what}")
        time.sleep(0.02)
    return result


class Program:
    """A program that runs beside a test; it ends with the block that it was started in.

    :param folder: where it runs, and where `log` is.
    :ivar environment: variables that are set for it.
    """

    #: Seconds after its end within which the processes that it has started have to end as well.
    farewell = 10.0

    def __init__(self, name, folder):
        self.folder = Path(folder)
        self.environment = {"PYTHONPATH": str(ROOT)}
        self.log = self.folder / f"{name}.log"
        self.process = None

    def command(self):
        raise NotImplementedError

    def start(self):
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command(),
                cwd=self.folder,
                env={**os.environ, **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def listens_at(self, address, *, greets=False):
        """Wait until it takes connections; of one that greets, until it has greeted a client."""

        def connected():
            if self.process.poll() is not None:
                raise RuntimeError(f"it ended at once:\n{self.last_words()}")
            try:
                with socket.create_connection(address, timeout=60) as client:
                    return not greets or client.recv(1)
            except ConnectionError:
                # Also a reset: the relay listens for a moment to see whether it could.
                return False

        until(connected, f"a program listens at {address}")

    def last_words(self):
        """Return the end of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-20:])

    def signal(self, number):
        self.process.send_signal(number)

    def children(self):
        """Return the pids of the processes that it has started, and that these have."""
        return descendants(self.process.pid) if self.process.poll() is None else []

    def kill(self):
        """End it without a warning; its children have to notice by themselves.

        :raise TimeoutError: they do not; they are killed then.
        """
        with all_end(self.children(), self.farewell):
            self.process.kill()
            self.process.wait()

    def stop(self, timeout=30):
        """Ask it to end, and return its exit status.

        :raise TimeoutError: it has left children behind; they are killed then.
        """
        with all_end(self.children(), self.farewell):
            self.process.terminate()
            return self.process.wait(timeout)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.kill()


def python_program(name):
    """Return a program that came with this Python's packages."""
    return str(Path(sys.executable).with_name(name))
