"""The relay as process 1, as in a container that is started again after a crash."""

from __future__ import annotations

import os
import signal

import pytest

from tests.interop.processes import descendants
from tests.interop.programs import needs, program, python_program, run
from tests.interop.relay import Relay, account

pytestmark = needs("unshare --kill-child")
#: A process tree of its own, which ends with unshare(1).
_UNSHARE = ("unshare", "--pid", "--fork", "--mount-proc", "--kill-child")


class Container(Relay):
    """A relay that is process 1; options are twistd's."""

    options = ("-n",)

    def command(self):
        *_, name, configuration = super().command()
        twistd = [python_program("twistd"), *self.options, name, configuration]
        return [program(_UNSHARE[0]), *_UNSHARE[1:], *twistd]

    @property
    def first(self):
        return descendants(self.process.pid)[0]


@pytest.fixture
def container(tmp_path):
    tried = run(*_UNSHARE, "true")
    if tried.returncode:
        pytest.skip(f"there are no namespaces for processes here: {tried.stdout.strip()}")
    return Container(tmp_path, account("A", "127.0.0.9", 25))


def test_after_a_crash_it_starts_again(container):
    with container:
        os.kill(container.first, signal.SIGKILL)
        container.process.wait()
        assert not (container.folder / "twistd.pid").exists()
        container.start()


def test_a_pid_file_that_an_older_version_has_left_is_no_hindrance(container):
    (container.folder / "twistd.pid").write_text("1")
    with container:
        assert container.process.poll() is None


def test_a_pid_file_that_is_asked_for_is_one(container):
    container.options = ("-n", "--pidfile=relay.pid")
    (container.folder / "relay.pid").write_text("1")
    with pytest.raises(RuntimeError, match="Another twistd server is running, PID 1"), container:
        pass
