"""The import law: a room knows only rooms that stand above it in the table.

Read from the syntax trees, so that imports inside functions and for type checkers count as well.
"""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = "multisendcon_plugin"
ROOT = Path(__file__).parents[2] / PACKAGE

DOCUMENT = (ROOT.parent / "docs" / "INTERNALS.rst").read_text("utf-8")


def law():
    """Return the rooms from top to bottom, as the table says; the package's own name is empty."""
    _, _, rest = DOCUMENT.partition("\nThe rooms\n=")
    table, _, _ = rest.partition("``mail``, ``settings``")
    rows = re.findall(r"^``([\w ]+)``", table, re.MULTILINE)
    return tuple(tuple(row.replace(PACKAGE, "").split() or ("",)) for row in rows)


def named_in(beginning):
    """Return what the paragraph below the table names, in the sentence that begins so."""
    sentence = DOCUMENT.partition(beginning)[2].partition(".")[0]
    return {name.replace("/", ".") for name in re.findall(r"``([\w/]+)``", sentence)}


LAW = law()
PURE = {"errors", "mail"} | named_in("\n``mail``, ")
#: Look at this machine, for the rest of their room.
IMPURE_MODULES = named_in("no disk.  Only")
#: What knows the time, the machine or the network, or is not the same twice.
WORLD = {
    *("OpenSSL", "asyncio", "fcntl", "os", "pathlib", "random", "secrets", "select"),
    *("shutil", "socket", "sqlite3", "ssl", "subprocess", "sys", "tempfile", "threading", "time"),
    *("twisted", "uuid", "zope"),
}
#: What of ``datetime`` asks the clock; its types are values like others.
CLOCK = {"now", "today", "utcnow"}
#: Everybody else is given a reactor.
MAY_IMPORT_THE_REACTOR = {"tap", "admin", "__main__"}
PROGRAMS = {"front.__main__"}


def modules():
    """Return all modules by name; the name of the package itself is empty."""
    found = {}
    for path in ROOT.rglob("*.py"):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(part for part in parts if part != "__init__")] = path
    return found


MODULES = modules()


def is_package(name):
    return MODULES[name].name == "__init__.py"


def imported(name):
    """Yield what a module imports: names of modules, ours without the name of the package."""
    for node in ast.walk(ast.parse(MODULES[name].read_text())):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield shortened(alias.name)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                around = name.split(".") if name else []
                around = around[: len(around) - node.level + is_package(name)]
                base = ".".join([PACKAGE, *around, *([base] if base else [])])
            for alias in node.names:
                submodule = shortened(f"{base}.{alias.name}")
                yield submodule if is_module(submodule) else shortened(base)


def shortened(absolute):
    """Return the name of a module of ours without the package, of another one with a mark."""
    if absolute == PACKAGE:
        return ""
    ours = absolute.removeprefix(f"{PACKAGE}.")
    return ours if ours != absolute else f"@{absolute}"


def is_module(name):
    return name in MODULES or name == "@twisted.internet.reactor"


def ours(name):
    return {each for each in imported(name) if not each.startswith("@")}


def world_of(name):
    """Return what a module knows of the world."""
    names = {each[1:] for each in imported(name) if each.startswith("@")}
    world = {each for each in names if each.partition(".")[0] in WORLD}
    if "datetime" in names:
        nodes = ast.walk(ast.parse(MODULES[name].read_text()))
        asked = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
        world |= {f"datetime's {each}" for each in asked & CLOCK}
    return world


def room(name):
    return name.partition(".")[0]


LINES = {each: number for number, line in enumerate(LAW) for each in line}


def test_every_room_has_its_place_in_the_table():
    assert {room(name) for name in MODULES} == set(LINES)
    assert len(LINES) == sum(len(line) for line in LAW)


@pytest.mark.parametrize("name", sorted(MODULES))
def test_a_module_imports_only_from_rooms_above_its_own(name):
    own = room(name)
    wrong = {each for each in ours(name) if room(each) != own and LINES[room(each)] >= LINES[own]}
    assert wrong == set()


@pytest.mark.parametrize(
    "name", sorted(name for name in MODULES if room(name) in PURE and name not in IMPURE_MODULES)
)
def test_a_pure_module_knows_nothing_of_the_world(name):
    assert world_of(name) == set()


def test_a_module_that_says_it_is_pure_is_pure():
    said = {
        name
        for name, path in MODULES.items()
        if "Pure" in (ast.get_docstring(ast.parse(path.read_text())) or "")
    }
    assert "queue.agenda" in said
    assert {(name, each) for name in said for each in world_of(name)} == set()


def test_what_is_of_the_world_is_seen():
    assert "time" in world_of("daemon.clock")
    assert world_of("settings.oauth2") == set()


def test_a_date_is_a_value_and_the_day_of_today_is_not(tmp_path, monkeypatch):
    module = tmp_path / "module.py"
    monkeypatch.setitem(MODULES, "module", module)
    module.write_text("import datetime\n\nDAY = datetime.date(2027, 5, 1)\n")
    assert world_of("module") == set()
    module.write_text("from datetime import date\n\nDAY = date.today()\n")
    assert world_of("module") == {"datetime's today"}


@pytest.mark.parametrize("name", sorted(MODULES))
def test_only_the_programs_import_the_reactor(name):
    if room(name) not in MAY_IMPORT_THE_REACTOR and name not in PROGRAMS:
        assert "@twisted.internet.reactor" not in set(imported(name))


def test_the_reactor_is_seen_where_it_is_imported():
    assert "@twisted.internet.reactor" in set(imported("tap"))


def test_no_module_imports_itself_in_a_circle():
    try:
        TopologicalSorter({name: ours(name) for name in MODULES}).prepare()
    except CycleError as error:
        pytest.fail(" <- ".join(error.args[1]))


HEAVY = ("twisted.internet.reactor", "twisted.mail.smtp", "sqlite3", "OpenSSL")


def loaded_by(statement):
    """Return which of the heavy modules a fresh interpreter loads for a statement."""
    code = f"import sys; {statement}; print(*({set(HEAVY)} & sys.modules.keys()))"
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT.parent
    ).stdout.split()


@pytest.mark.parametrize(
    "statement", [f"import {PACKAGE}", f"from {PACKAGE} import Envelope, SpoolError, Reply"]
)
def test_importing_the_package_starts_no_relay(statement):
    assert loaded_by(statement) == []


def test_the_relay_is_loaded_when_it_is_asked_for():
    assert set(loaded_by(f"from {PACKAGE} import RelayService")) >= set(HEAVY[1:])


def test_every_public_name_is_there():
    package = importlib.import_module(PACKAGE)
    assert {name for name in package.__all__ if getattr(package, name) is None} == set()
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        package.nothing  # noqa: B018 -- asked for
