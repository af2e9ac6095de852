"""The program as an admin runs it: the real `twistd`, in a folder that is not the project's."""

from __future__ import annotations

import json
import os
import select
import signal
import smtplib
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from twisted.internet.defer import Deferred
from twisted.internet.protocol import ProcessProtocol
from twisted.internet.threads import deferToThread
from twisted.scripts.twistd import ServerOptions

from multisendcon_plugin.events import Publisher
from multisendcon_plugin.spool import SqliteSpool
from multisendcon_plugin.spool.folder import Lock, make_folder
from multisendcon_plugin.testing import Authority
from tests.interop.processes import descendants
from tests.interop.programs import until
from tests.live_relay import CONTENT, RECIPIENT, SENDER, LiveRelayTestCase, account
from tests.reactors import QueueReactor

PROJECT = Path(__file__).parents[2]
TWISTD = (
    sys.executable,
    "-c",
    "import sys; sys.argv[0] = 'twistd'; from twisted.scripts.twistd import run; run()",
)
ENVIRONMENT = os.environ | {"PYTHONPATH": str(PROJECT)}


def twistd(folder, *arguments):
    """Run it to its end."""
    return subprocess.run(  # noqa: PLW1510 -- the tests look at the status
        [*TWISTD, *arguments],
        cwd=folder,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=120,
    )


def write(folder, listen="tcp:port=0:interface=127.0.0.1", *accounts, name="relay.toml"):
    text = f'[master_relay]\nlisten = ["{listen}"]\nhostname = "relay.example"\n'
    text += 'proxies = ["127.0.0.1"]\n'
    text += '[spool]\npath = "spool"\n'
    (folder / name).write_text(text + "".join(accounts or [account("A", server="127.0.0.9")]))


def assert_ended_with(result, text):
    assert result.returncode == 1
    assert text in result.stderr
    assert "Traceback" not in result.stdout + result.stderr


# What keeps it from starting.


@pytest.mark.parametrize("mode", [(), ("-n",)], ids=["daemon", "foreground"])
def test_all_faults_of_a_configuration_are_told_at_once(tmp_path, mode):
    (tmp_path / "bad.toml").write_text(
        '[master_relay]\nlissten = 3\n[[account]]\nname = "A"\nserver = "a"\nport = "x"\n'
    )
    result = twistd(tmp_path, *mode, "multisendcon", "--config=bad.toml")
    assert_ended_with(result, "bad.toml, line 2, [master_relay], lissten: unknown key")
    assert "bad.toml, line 6" in result.stderr
    assert result.stderr.startswith("multisendcon: ")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad.toml"]


def test_a_missing_file_is_told(tmp_path):
    result = twistd(tmp_path, "-n", "multisendcon", "--config=missing.toml")
    assert_ended_with(result, "missing.toml: cannot be read: No such file or directory")


@pytest.mark.parametrize("options", [(), ("--demo", "--config=relay.toml")], ids=["none", "both"])
def test_without_one_of_its_options_the_usage_is_told(tmp_path, options):
    write(tmp_path)
    result = twistd(tmp_path, "-n", "multisendcon", *options)
    assert result.returncode == 1
    assert "--config=FILE, or --demo" in result.stdout
    assert "Relays mail through one of many SMTP accounts" in result.stdout
    assert "Traceback" not in result.stdout + result.stderr


@pytest.mark.parametrize("mode", [(), ("-n",)], ids=["daemon", "foreground"])
def test_a_taken_port_is_told(tmp_path, mode):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        description = f"tcp:port={taken.getsockname()[1]}:interface=127.0.0.1"
        write(tmp_path, description)
        result = twistd(tmp_path, *mode, "multisendcon", "--config=relay.toml")
    assert_ended_with(result, f"cannot listen on {description}: Address already in use")
    assert not (tmp_path / "twistd.pid").exists()


@pytest.mark.parametrize("mode", [(), ("-n",)], ids=["daemon", "foreground"])
def test_a_spool_in_use_is_told(tmp_path, mode):
    write(tmp_path)
    make_folder(tmp_path / "spool")
    lock = Lock(tmp_path / "spool")
    try:
        result = twistd(tmp_path, *mode, "multisendcon", "--config=relay.toml")
    finally:
        lock.release()
    assert_ended_with(result, f"in use by another process (pid {os.getpid()})")
    assert not (tmp_path / "twistd.pid").exists()


@pytest.mark.parametrize("mode", [(), ("-n",)], ids=["daemon", "foreground"])
def test_a_damaged_spool_is_told_and_left_as_it_is(tmp_path, mode):
    write(tmp_path)
    make_folder(tmp_path / "spool")
    file = tmp_path / "spool" / "spool.db"
    file.write_bytes(b"garbage" * 1000)
    result = twistd(tmp_path, *mode, "multisendcon", "--config=relay.toml")
    assert_ended_with(result, "the database is damaged: file is not a database; it is left")
    assert file.read_bytes() == b"garbage" * 1000
    assert not (tmp_path / "twistd.pid").exists()


def test_what_is_found_out_after_the_fork_is_told_to_the_one_who_waits_and_to_the_log(tmp_path):
    write(tmp_path, "unix:address=missing/socket")
    result = twistd(tmp_path, "multisendcon", "--config=relay.toml")
    assert result.returncode == 1
    assert "ListenError: cannot listen on unix:address=missing/socket" in result.stderr
    log = (tmp_path / "twistd.log").read_text()
    assert "the relay cannot start: cannot listen on unix:address=missing/socket" in log
    # The one who waits may be told before the daemon has ended.
    until(lambda: not (tmp_path / "twistd.pid").exists(), "the daemon ends")


def test_in_the_foreground_it_is_told_without_a_traceback(tmp_path):
    write(tmp_path, "unix:address=missing/socket")
    result = twistd(tmp_path, "-n", "multisendcon", "--config=relay.toml")
    assert result.returncode == 1
    assert "multisendcon: cannot listen on unix:address=missing/socket" in (
        result.stdout + result.stderr
    )
    assert "Traceback" not in result.stdout + result.stderr


# The daemon.


@pytest.fixture
def daemon(tmp_path):
    """Start a daemon that listens on a port which is kept free for it; end it after the test."""
    with socket.socket() as reserved:
        # Bound, but deaf: nobody else gets the port, and the relay still may listen on it.
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        reserved.bind(("127.0.0.1", 0))
        port = reserved.getsockname()[1]
        write(tmp_path, f"tcp:port={port}:interface=127.0.0.1")
        result = twistd(tmp_path, "--pidfile=relay.pid", "multisendcon", "--config=relay.toml")
        assert result.returncode == 0, result.stderr
        daemon = Daemon(port, int((tmp_path / "relay.pid").read_text()))
        try:
            yield daemon
        finally:
            daemon.end()


class Daemon:
    def __init__(self, port, pid):
        self.port = port
        self.pid = pid
        self._process = os.pidfd_open(pid)

    def end(self):
        """Ask it to end, and wait until it has."""
        if self._process is None:
            return
        signal.pidfd_send_signal(self._process, signal.SIGTERM)
        ended, _, _ = select.select([self._process], [], [], 60)
        if not ended:
            signal.pidfd_send_signal(self._process, signal.SIGKILL)
        os.close(self._process)
        self._process = None
        assert ended


def test_a_daemon_serves_when_its_start_has_returned_and_ends_in_good_order(tmp_path, daemon):
    with smtplib.SMTP("127.0.0.1", daemon.port, timeout=60) as client:
        client.sendmail(SENDER, [RECIPIENT], CONTENT)
    daemon.end()
    assert not (tmp_path / "relay.pid").exists()
    assert "Traceback" not in (tmp_path / "twistd.log").read_text()
    reactor = QueueReactor()
    spool = SqliteSpool(str(tmp_path / "spool"), reactor, events=Publisher())
    spool.open()
    assert spool.clean
    assert reactor.wait(spool.lanes())["A", ""].mails == 1
    reactor.wait(spool.close())


@pytest.mark.parametrize("pid_file", ["relay.pid", "second.pid"])
def test_a_second_start_fails_before_it_becomes_a_daemon(tmp_path, daemon, pid_file):
    result = twistd(tmp_path, f"--pidfile={pid_file}", "multisendcon", "--config=relay.toml")
    assert_ended_with(result, "Address already in use")
    write(tmp_path, name="elsewhere.toml")
    result = twistd(tmp_path, f"--pidfile={pid_file}", "multisendcon", "--config=elsewhere.toml")
    assert_ended_with(result, "the spool is in use by another process")
    assert not (tmp_path / "second.pid").exists()
    assert int((tmp_path / "relay.pid").read_text()) == daemon.pid


# The log as JSON.


@pytest.mark.parametrize("log_file", [None, "relay.log"], ids=["standard output", "file"])
def test_every_line_of_the_log_is_an_object(tmp_path, log_file):
    with socket.socket() as reserved:
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        reserved.bind(("127.0.0.1", 0))
        port = reserved.getsockname()[1]
        listen = f"tcp:port={port}:interface=127.0.0.1"
        write(tmp_path, listen, '[log]\nformat = "json"\n', account("A", server="127.0.0.9"))
        where = [f"--logfile={log_file}"] if log_file else []
        process = subprocess.Popen(
            [*TWISTD, "-n", *where, "multisendcon", "--config=relay.toml"],
            cwd=tmp_path,
            env=ENVIRONMENT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        try:
            until(lambda: accepts(port), "the relay listens")
            with smtplib.SMTP("127.0.0.1", port, timeout=60) as client:
                client.sendmail(SENDER, [RECIPIENT], CONTENT)
        finally:
            process.terminate()
            said, _ = process.communicate(timeout=60)
    if log_file:
        assert said == b""
        said = (tmp_path / log_file).read_bytes()
    read = [json.loads(line) for line in said.splitlines()]
    assert {"message", "mail_accepted"} <= {each["event"] for each in read}
    assert all({"time", "time_at", "level", "event", "text"} <= each.keys() for each in read)


def accepts(port):
    """Tell whether somebody listens on a port."""
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def test_a_faulty_configuration_is_told_as_text_whatever_it_says_of_the_log(tmp_path):
    write(tmp_path, "tcp:port=0", '[log]\nformat = "json"\nbad = 1\n')
    result = twistd(tmp_path, "-n", "multisendcon", "--config=relay.toml")
    assert_ended_with(result, "[log], bad: unknown key")


# The PID file.


@pytest.mark.parametrize(
    ("arguments", "pid_file"),
    [
        (["-n"], ""),
        (["-n", "--pidfile="], ""),
        (["-n", "--pidfile=relay.pid"], "/srv/relay/relay.pid"),
        (["-n", "--pidfile=/run/twistd.pid"], "/run/twistd.pid"),
        (["--nodaemon", "--logfile=-"], ""),
        ([], "/srv/relay/twistd.pid"),
        (["--pidfile=relay.pid"], "/srv/relay/relay.pid"),
        (["--pidfile="], ""),
    ],
)
def test_in_the_foreground_there_is_a_pid_file_only_if_it_is_named(
    monkeypatch, arguments, pid_file
):
    monkeypatch.setattr(os.path, "abspath", lambda path: os.path.join("/srv/relay", path))  # noqa: PTH118
    options = ServerOptions()
    options.parseOptions([*arguments, "multisendcon", "--demo"])
    assert options["pidfile"] == pid_file


# With a socket from systemd.

#: What systemd does: the socket is descriptor 3, and the environment says for whom.
HAND_OVER = """
import os, sys
fd = int(sys.argv[1])
if fd != 3:
    os.dup2(fd, 3)
os.set_inheritable(3, True)
os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1", "LISTEN_FDNAMES": "smtp"}
os.execv(sys.argv[2], sys.argv[2:])
"""


@pytest.mark.parametrize(
    ("listen", "header"),
    [
        ("systemd:domain=INET:index=0", b""),
        ("systemd:domain=INET:name=smtp", b""),
        ("haproxy:systemd:domain=INET:name=smtp", b"PROXY TCP4 127.0.0.1 127.0.0.1 4711 25\r\n"),
    ],
)
def test_a_socket_from_systemd(tmp_path, listen, header):
    write(tmp_path, listen)
    command = [*TWISTD, "-n", "--pidfile=", "multisendcon", "--config=relay.toml"]
    with socket.create_server(("127.0.0.1", 0)) as activated, (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", HAND_OVER, str(activated.fileno()), *command],
            cwd=tmp_path,
            env=ENVIRONMENT,
            pass_fds=[activated.fileno()],
            stdout=log,
            stderr=log,
        )
        try:
            # The socket listens already: nothing has to be waited for.
            with socket.create_connection(activated.getsockname(), timeout=60) as client:
                client.sendall(header)
                greeting = client.recv(1000)
        finally:
            process.terminate()
            process.wait(60)
    assert greeting == b"220 relay.example ESMTP ready\r\n", (tmp_path / "log").read_text()


def test_without_a_socket_from_systemd_the_start_fails(tmp_path):
    write(tmp_path, "systemd:domain=INET:name=smtp")
    result = twistd(tmp_path, "-n", "multisendcon", "--config=relay.toml")
    assert result.returncode == 1
    assert "systemd passed no such socket" in result.stdout + result.stderr


# Certificates.


@pytest.mark.parametrize("mode", [(), ("-n",)], ids=["daemon", "foreground"])
@pytest.mark.parametrize("where", ["tls_certificate", "ssl"])
def test_a_certificate_that_openssl_does_not_take_is_told(tmp_path, mode, where):
    short = rsa.generate_private_key(65537, 1024)
    pem = b"".join(Authority().server_pem("relay.example", key=short))
    (tmp_path / "relay.pem").write_bytes(pem)
    if where == "ssl":
        write(tmp_path, "ssl:port=0:interface=127.0.0.1:privateKey=relay.pem")
    else:
        write(tmp_path)
        path = tmp_path / "relay.toml"
        key = '[master_relay]\ntls_certificate = "relay.pem"'
        path.write_text(path.read_text().replace("[master_relay]", key))
    result = twistd(tmp_path, *mode, "multisendcon", "--config=relay.toml")
    assert_ended_with(result, "relay.pem: ee key too small")


# In the foreground.


class Foreground(ProcessProtocol):
    """`twistd -n` beside the test.

    :ivar listens: fires with its port.
    :ivar ended: fires when it has ended, with the signal or the status.
    """

    def __init__(self):
        self.output = ""
        self.listens = Deferred()
        self.ended = Deferred()
        self._awaited = []

    def said(self, text):
        """Return what fires when it has said something."""
        heard = Deferred()
        self._awaited.append((text, heard))
        self.childDataReceived(1, b"")
        return heard

    def childDataReceived(self, childFD, data):
        self.output += data.decode()
        _, found, rest = self.output.partition("RelayESMTPFactory starting on ")
        if found and "\n" in rest and not self.listens.called:
            self.listens.callback(int(rest.split()[0]))
        for awaited in [each for each in self._awaited if each[0] in self.output]:
            self._awaited.remove(awaited)
            awaited[1].callback(None)

    def processEnded(self, reason):
        self.ended.callback((reason.value.signal, reason.value.exitCode))

    def end(self):
        if self.transport.pid:
            self.transport.signalProcess("KILL")
            return self.ended
        return None


class InTheForeground(LiveRelayTestCase):
    def twistd(self, path):
        """Start it, with one account."""
        provider = self.provider()
        write(self.folder, "tcp:port=0:interface=127.0.0.1", account("A", provider))
        process = Foreground()
        self.reactor.spawnProcess(
            process,
            TWISTD[0],
            [*TWISTD, "-n", "multisendcon", f"--config={self.folder}/relay.toml"],
            env=ENVIRONMENT,
            path=str(path),
        )
        self.addCleanup(process.end)
        return process, provider

    async def test_what_stands_in_the_working_directory_does_not_keep_it_from_starting(self):
        # As a crash leaves it; this process is there.
        (self.folder / "twistd.pid").write_text(str(os.getpid()))
        process, _ = self.twistd(self.folder)
        await process.listens
        process.transport.signalProcess("TERM")
        await process.ended
        assert (self.folder / "twistd.pid").read_text() == str(os.getpid())

    async def test_it_starts_in_a_working_directory_where_nobody_can_write(self):
        process, provider = self.twistd("/proc")
        await deferToThread(_send, await process.listens)
        [mail] = await provider.wait_for(1)
        assert mail.content.endswith(CONTENT)

    async def test_sighup_ends_no_process(self):
        process, provider = self.twistd(self.folder)
        # Also now: it listens, but its reactor does not run yet.
        port = await process.listens
        process.transport.signalProcess("HUP")
        await process.said("the configuration was")  # reloaded, or not yet
        await deferToThread(_send, port)
        processes = [process.transport.pid, *descendants(process.transport.pid)]
        for pid in processes:
            os.kill(pid, signal.SIGHUP)
        await process.said("the configuration was reloaded: no account was")
        await deferToThread(_send, port)
        await provider.wait_for(2)
        assert [process.transport.pid, *descendants(process.transport.pid)] == processes
        assert "#critical" not in process.output

    async def test_mail_goes_through_and_sigterm_ends_it_in_good_order(self):
        process, provider = self.twistd(self.folder)
        port = await process.listens
        await deferToThread(_send, port)
        [mail] = await provider.wait_for(1)
        assert mail.content.endswith(CONTENT)
        process.transport.signalProcess("TERM")
        # twistd ends by the signal that it was sent.
        assert await process.ended == (signal.SIGTERM, None)
        assert "Traceback" not in process.output
        spool = SqliteSpool(f"{self.folder}/spool", self.reactor, events=Publisher())
        spool.open()
        self.addCleanup(spool.close)
        assert spool.clean
        assert await spool.lanes() == {}


def _send(port):
    with smtplib.SMTP("127.0.0.1", port, timeout=30) as client:
        client.sendmail(SENDER, [RECIPIENT], CONTENT)
