"""The spool's disk fills up: new mail is put off, what is there is kept and goes out."""

from __future__ import annotations

import collections
import contextlib
import signal
import smtplib
import subprocess

import pytest

from tests.interop.programs import needs, until
from tests.interop.relay import Relay, account
from tests.interop.sink import Sink

pytestmark = needs("smtp-sink", "mount", "umount")

MIB = 1024 * 1024
CONTENT = b"Subject: large\r\n\r\n" + (b"x" * 510 + b"\r\n") * (MIB // 512)


@pytest.fixture
def small_disk(tmp_path):
    """Return a folder on a file system of 32 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", str(folder)]
    mounted = subprocess.run(mount, capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"a small file system cannot be mounted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


class Client:
    """Sends mails of a megabyte, each to a recipient of its own.

    :ivar taken: recipients whose mail got its 250.
    """

    def __init__(self, session):
        self.taken = []
        self._session = session
        self._sent = 0

    def send(self):
        """Send one, and return the code of the reply that ends it."""
        recipient = f"{self._sent}@customer.example"
        self._sent += 1
        try:
            self._session.sendmail("boss@sales.example", [recipient], CONTENT)
        except (smtplib.SMTPSenderRefused, smtplib.SMTPDataError) as error:
            return error.smtp_code
        self.taken.append(recipient)
        return 250


@pytest.fixture
def sink(tmp_path, start):
    return start(Sink(tmp_path))


@pytest.fixture
def relay(tmp_path, start, small_disk, sink):
    return start(Relay(tmp_path, account("Sink", sink.address, sink.port), spool="disk/spool"))


@pytest.fixture
def client(relay):
    with contextlib.closing(smtplib.SMTP(relay.address, relay.port, timeout=60)) as session:
        yield Client(session)


@contextlib.contextmanager
def standing_still(sink):
    """The provider does not answer any more."""
    sink.signal(signal.SIGSTOP)
    try:
        yield
    finally:
        sink.signal(signal.SIGCONT)


def all_arrived_once(client, relay, sink):
    until(lambda: sink.count() >= len(client.taken), "the mails arrive")
    relay.stop()
    assert collections.Counter(sink.recipients()) == dict.fromkeys(client.taken, 1)
    assert relay.waiting() == 0


def test_a_spool_that_is_full_of_mail_puts_off_more_until_some_has_left(client, relay, sink):
    with standing_still(sink):
        until(lambda: client.send() == 452, "the disk is full")
        assert len(client.taken) > 5
    until(lambda: client.send() == 250, "there is room again")

    all_arrived_once(client, relay, sink)


def test_a_disk_without_a_free_byte_loses_nothing_and_repeats_nothing(
    client, relay, sink, small_disk
):
    with standing_still(sink):
        assert [client.send() for _ in range(5)] == [250] * 5
        ballast = small_disk / "ballast"
        with contextlib.suppress(OSError), ballast.open("wb") as file:
            while True:
                file.write(bytes(4096))
                file.flush()
        assert client.send() == 452
    # Whether what came of them can be written now or only later: they must not be sent again.
    until(lambda: sink.count() == 5, "the mails leave although the disk is full")
    assert client.send() == 452
    ballast.unlink()
    until(lambda: client.send() == 250, "there is room again")

    all_arrived_once(client, relay, sink)
