"""What the tests' tools find out about a process and all that it has started."""

from __future__ import annotations

import os

import pytest

from tests.interop import processes
from tests.interop.processes import descendants, tree_seconds

TICK = 1 / os.sysconf("SC_CLK_TCK")


@pytest.fixture
def proc(tmp_path, monkeypatch):
    """A machine's ``/proc``, where nothing runs yet."""
    monkeypatch.setattr(processes, "PROC", tmp_path)
    return tmp_path


def add(proc, pid, parent, *, state="S", ticks=0, name="relay"):
    folder = proc / str(pid)
    folder.mkdir()
    before = "0 " * 9
    (folder / "stat").write_text(f"{pid} ({name}) {state} {parent} {before}{ticks} 0 0 0 20 0\n")
    return folder


def test_the_tree_is_found_whatever_the_order_and_the_names(proc):
    add(proc, 1, 0)
    add(proc, 30, 1, name="odd) S 1 (name")
    add(proc, 20, 30)
    add(proc, 10, 20)
    add(proc, 11, 1)
    assert descendants(30) == [10, 20]
    assert descendants(10) == descendants(99) == []


def test_what_ends_while_it_is_looked_at_is_no_fault(proc):
    add(proc, 10, 1, ticks=5)
    (add(proc, 11, 10, ticks=7) / "stat").unlink()
    assert descendants(10) == []
    assert tree_seconds(10) == 5 * TICK


def test_what_has_ended_lives_no_more_but_its_time_counts(proc):
    add(proc, 10, 1, ticks=5)
    add(proc, 11, 10, state="Z", ticks=7)
    assert descendants(10) == []
    assert tree_seconds(10) == 12 * TICK


def test_the_time_of_a_process_that_is_gone_is_not_taken_for_none(proc):
    with pytest.raises(ProcessLookupError):
        tree_seconds(10)
