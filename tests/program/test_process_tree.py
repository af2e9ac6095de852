"""What the tests' tools find out about a process and all that it has started."""

from __future__ import annotations

import os

import pytest

from tests.endurance.footprint import Footprint
from tests.interop import processes
from tests.interop.processes import descendants, tree_seconds

TICK = 1 / os.sysconf("SC_CLK_TCK")


@pytest.fixture
def proc(tmp_path, monkeypatch):
    """A machine's ``/proc``, where nothing runs yet."""
    monkeypatch.setattr(processes, "PROC", tmp_path)
    return tmp_path


def add(proc, pid, parent, *, state="S", ticks=0, name="relay", now=0, most=0):
    folder = proc / str(pid)
    folder.mkdir()
    before = "0 " * 9
    (folder / "stat").write_text(f"{pid} ({name}) {state} {parent} {before}{ticks} 0 0 0 20 0\n")
    memory = f"VmHWM:\t{most * 1024:8} kB\nVmRSS:\t{now * 1024:8} kB\n" if now else ""
    (folder / "status").write_text(f"Name:\t{name}\n{memory}Threads:\t1\n")
    (folder / "clear_refs").touch()
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


def test_memory_and_its_peak_are_those_of_all_together(proc):
    add(proc, 10, 1, now=40, most=50)
    add(proc, 11, 10, now=30, most=70)
    add(proc, 12, 1, now=1000, most=1000)
    footprint = Footprint(10)
    assert (footprint.memory(), footprint.peak()) == (70, 120)


def test_a_block_has_the_peaks_and_the_time_of_all_together(proc):
    folders = [
        add(proc, 10, 1, now=40, most=40, ticks=5),
        add(proc, 11, 10, now=30, most=30, ticks=7),
    ]
    with Footprint(10) as footprint:
        assert [(each / "clear_refs").read_text() for each in folders] == ["5", "5"]
        add(proc, 12, 11, now=20, most=25, ticks=100)
    assert (footprint.figures.before, footprint.figures.growth) == (70, 25)
    assert footprint.figures.after == 90
    assert footprint.figures.cpu == pytest.approx(100 * TICK)


@pytest.mark.parametrize("gone", [("status", "clear_refs"), ("stat",)])
def test_memory_does_without_what_ends_meanwhile(proc, gone):
    add(proc, 10, 1, now=40, most=50)
    ending = add(proc, 11, 10, now=30, most=70)
    for name in gone:
        (ending / name).unlink()
        (ending / name).symlink_to("gone/with/it")
    with Footprint(10) as footprint:
        assert footprint.memory() == 40


def test_what_has_no_memory_any_more_has_none(proc):
    add(proc, 10, 1, now=40, most=50)
    add(proc, 11, 10)
    assert Footprint(10).peak() == 50


def test_the_memory_of_a_process_that_is_gone_is_not_taken_for_none(proc):
    add(proc, 10, 1, state="Z")
    add(proc, 11, 10, now=40, most=50)
    for gone in (10, 99):
        with pytest.raises(ProcessLookupError):
            Footprint(gone).memory()
