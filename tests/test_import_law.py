"""The import law: a room knows only rooms that stand above it in the table.

Read from the syntax trees, so that imports inside functions and for type checkers count as well.
"""

from __future__ import annotations

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = "multisendcon_plugin"
ROOT = Path(__file__).parent.parent / PACKAGE

#: From top to bottom.  Rooms of one line do not know each other.
LAW = (
    # Values and rules; pure.
    ("errors", "dsn", "reply", "phase", "tokens", "backoff", "password", "secret", "numbering"),
    ("address", "envelope", "failure", "hostname", "fullness", "escaping", "ciphers"),
    ("masks", "message", "display_name"),
    ("account", "attempt", "plain", "mailboxes"),
    ("header",),
    ("identity", "completion"),
    ("configuration", "registry", "diagnosis", "telling"),
    ("settle", "ndr"),
    # Where the rooms meet.
    ("interfaces", "outlet", "stamp"),
    ("edge", "spool", "queue", "relay"),
    # Those who introduce them to each other, or run them.
    ("clock", "descriptors", "listening", "log", "resolver", "signals", "twisted_mail"),
    ("front",),
    ("service", "preflight", "testing"),
    ("",),  # the package itself: the names for embedding
    ("demo", "admin"),
    ("tap", "__main__"),
)
PURE = {room for line in LAW[:8] for room in line}
#: Read files, for the rest of their room.
IMPURE_MODULES = {
    "configuration.file",
    "configuration.permissions",
    "configuration.warnings",
    "hostname",
}
#: What knows the time, the machine or the network, or is not the same twice.
WORLD = {
    *("OpenSSL", "asyncio", "datetime", "fcntl", "os", "pathlib", "random", "secrets", "select"),
    *("shutil", "socket", "sqlite3", "ssl", "subprocess", "sys", "tempfile", "threading", "time"),
    *("twisted", "uuid", "zope"),
}
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
    wrong = {each for each in imported(name) if each[1:].partition(".")[0] in WORLD}
    assert wrong == set()


def test_a_module_that_says_it_is_pure_is_pure():
    said = {
        name
        for name, path in MODULES.items()
        if "Pure" in (ast.get_docstring(ast.parse(path.read_text())) or "")
    }
    assert "queue.agenda" in said
    wrong = {
        (name, each)
        for name in said
        for each in imported(name)
        if each[1:].partition(".")[0] in WORLD
    }
    assert wrong == set()


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
