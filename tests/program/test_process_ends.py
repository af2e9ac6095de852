"""The tests' programs end with the processes that they have started."""

from __future__ import annotations

import os
import signal
import socket
import sys

import pytest

from tests.interop.processes import has_ended
from tests.interop.programs import Program, until
from tests.interop.relay import Relay, account

#: Starts a child, whose input ends with the life of its parent.
PARENT = """
import signal, subprocess, sys
child = subprocess.Popen([sys.executable, "-c", sys.argv[1]], stdin=subprocess.PIPE)
signal.pause()
"""
CHILD = """
import pathlib, sys
pathlib.Path("lives").touch()
sys.stdin.read()
"""
LEAVES = CHILD + 'pathlib.Path("farewell").touch()\n'
STAYS = CHILD + "import signal\nsignal.pause()\n"


class Family(Program):
    def __init__(self, folder, child):
        super().__init__("family", folder)
        self._child = child

    def command(self):
        return [sys.executable, "-c", PARENT, self._child]

    def start(self):
        super().start()
        until((self.folder / "lives").exists, "the child lives")


@pytest.fixture(params=["kill", "stop"])
def end(request):
    return getattr(Family, request.param)


@pytest.fixture
def family(tmp_path, request):
    with Family(tmp_path, request.param) as family:
        yield family


@pytest.fixture
def child(family):
    """Return the child, as a descriptor that stays its own when it has ended."""
    [pid] = family.children()
    descriptor = os.pidfd_open(pid)
    yield descriptor
    os.close(descriptor)


@pytest.mark.parametrize("family", [LEAVES], indirect=True, ids=["child"])
def test_the_end_of_a_program_is_that_of_its_children(family, child, end):
    end(family)
    assert has_ended(child)
    assert (family.folder / "farewell").exists()
    assert family.children() == []


@pytest.mark.parametrize("family", [STAYS], indirect=True, ids=["child"])
def test_a_child_that_lives_on_is_told_and_killed(family, child, end):
    family.farewell = 0.0
    with pytest.raises(TimeoutError, match=r"live on for more than 0\.0 s"):
        end(family)
    assert has_ended(child)


@pytest.mark.parametrize("family", [STAYS], indirect=True, ids=["child"])
def test_a_child_that_is_killed_is_no_child_any_more(family):
    [child] = family.children()
    os.kill(child, signal.SIGKILL)
    until(lambda: not family.children(), "the child has ended")
    assert family.process.poll() is None


@pytest.mark.parametrize("family", [LEAVES], indirect=True, ids=["child"])
def test_a_program_that_has_ended_can_be_ended_again(family):
    family.kill()
    assert family.children() == []
    assert family.stop() == -signal.SIGKILL


def test_a_relay_does_not_start_beside_one_that_would_answer_in_its_place(tmp_path):
    relay = Relay(tmp_path, account("A", "127.0.2.31", 1))
    with (
        socket.create_server((relay.address, relay.port)),
        pytest.raises(OSError, match="Address already in use"),
    ):
        relay.start()
    assert relay.process is None
