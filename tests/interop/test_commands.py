"""Each command for a relay that runs, at one in a process of its own: its exact exit status."""

from __future__ import annotations

import os
import shlex
import smtplib

import pytest

from multisendcon_plugin.admin.command import main
from tests.admin.test_connection import NOBODY, run_as
from tests.interop.operators import NOWHERE, Office
from tests.interop.programs import until
from tests.interop.relay import account

GOOD, REFUSED, USAGE, NOTHING, UNREACHABLE = range(5)

#: {id} is one of two mails that wait for Sales.
LINES = [
    ("check", GOOD),
    ("status", GOOD),
    ("status --json", GOOD),
    ("queue list", GOOD),
    ("queue list --json --limit 1", GOOD),
    ("queue list --limit 0", USAGE),
    ("queue list --account Sales --state resting --older-than 0s", GOOD),
    ("queue list --account sales", NOTHING),
    ("queue list --recipient nobody@far.example", NOTHING),
    ("queue list --state asleep", USAGE),
    ("queue list --older-than soon", USAGE),
    ("queue show {id}", GOOD),
    ("queue show {id} --json", GOOD),
    ("queue show 1M8H24WAAA", NOTHING),
    ("queue show no-id", NOTHING),
    ("queue show", USAGE),
    ("queue hold", USAGE),
    ("queue hold {id} --account Sales", USAGE),
    ("queue hold 1M8H24WAAA", NOTHING),
    ("queue hold {id} 1M8H24WAAA --dry-run", NOTHING),
    ("queue hold --account Nobody", NOTHING),
    ("queue hold {id} --dry-run", GOOD),
    ("queue list --state held", NOTHING),
    ("queue hold {id}", GOOD),
    ("queue list --state held", GOOD),
    ("queue retry {id}", GOOD),
    ("queue retry", USAGE),
    ("queue retry --older-than 1h", NOTHING),
    ("queue release --state held --json", GOOD),
    ("queue release --state held", NOTHING),
    ("queue release", USAGE),
    ("queue move {id}", USAGE),
    ("queue move --to-account Lab", USAGE),
    ("queue move {id} --to-account Nobody", NOTHING),
    ("queue move {id} --to-account Lab", REFUSED),
    ("queue move {id} --to-account Old --force", REFUSED),
    ("queue move {id} --to-account Lab --force --dry-run", GOOD),
    ("queue move {id} --to-account Lab --force", GOOD),
    ("queue list --account Lab", GOOD),
    ("queue move {id} --to-account Sales", GOOD),
    ("queue delete {id}", USAGE),
    ("queue delete --yes", USAGE),
    ("queue delete {id} --dry-run", GOOD),
    ("queue delete --sender <> --yes", NOTHING),
    ("queue delete {id} --yes --notify", GOOD),
    ("queue delete {id} --yes --notify", NOTHING),
    ("account list", GOOD),
    ("account list --json", GOOD),
    ("account test Shop", GOOD),
    ("account test Shop --to reader@far.example", USAGE),  # from nobody
    ("account test Shop --to reader@far.example --from boss@shop.example --json", GOOD),
    ("account test Shop --to nonsense", USAGE),
    ("account test Dead", REFUSED),
    ("account test Nobody", NOTHING),
    ("account test", USAGE),
    ("account pause Shop", GOOD),
    ("account probe Shop", REFUSED),
    ("account resume Shop", GOOD),
    ("account probe Shop", REFUSED),
    ("account probe Old", REFUSED),
    ("account pause Nobody", NOTHING),
    ("account resume Nobody", NOTHING),
    ("account probe Nobody", NOTHING),
    ("explain boss@sales.example reader@far.example", GOOD),
    ("explain <> reader@far.example --json", REFUSED),
    ("explain boss@sales.example reader@far.example other@far.example", GOOD),
    ("explain boss@nowhere.example reader@far.example", REFUSED),
    ("explain boss@sales.example nonsense", USAGE),
    ("explain boss@sales.example reader@far.example --message nothing.eml", USAGE),
    ("log", GOOD),
    ("log --id {id} --json", GOOD),
    ("log --sender boss@sales.example --since 1h --limit 1", GOOD),
    ("log --until 1h", NOTHING),
    ("log --recipient nobody@far.example", NOTHING),
    ("log --id 1M8H24WAAA", NOTHING),
    ("log --since soon", USAGE),
    ("log --follow --until 1h", USAGE),
    ("reload", GOOD),
    ("reload --now", USAGE),
    ("nonsense", USAGE),
]

#: What reads the spool of a relay that does not run.
LOOKING = [
    ("status", GOOD),
    ("queue list", GOOD),
    ("queue list --account Nobody", NOTHING),
    ("queue show {left}", GOOD),
    ("queue show {id}", NOTHING),
    ("log", GOOD),
    ("log --id {id}", GOOD),
    ("log --recipient nobody@far.example", NOTHING),
]
DOING = [
    "queue hold {left}",
    "queue release {left}",
    "queue retry --account Sales",
    "queue delete {left} --yes",
    "queue move {left} --to-account Lab",
    "account list",
    "account test Shop",
    "account pause Shop",
    "account resume Shop",
    "account probe Shop",
    "log --follow",
    "reload",
]


@pytest.fixture
def office(tmp_path, start):
    office = start(Office(tmp_path))
    shop = (office.shop.address, office.shop.port)
    office.relay.configure(
        account("Sales", *NOWHERE, senders='"*@sales.example"')
        + account("Lab", *NOWHERE, senders='"*@lab.example"')
        + account("Dead", *NOWHERE, senders='"*@dead.example"')
        + account("Shop", *shop, senders='"*@shop.example"')
        + account("Old", *shop, enabled="false"),
    )
    office.start()
    return office


def waits(office):
    """Let two mails wait; return their ids."""
    with smtplib.SMTP(office.relay.address, office.relay.port, timeout=60) as client:
        for each in ("one@far.example", "two@far.example"):
            client.sendmail("boss@sales.example", each, "Subject: x\r\n\r\nhello\r\n")
    office.operator.account("Sales", "pause")
    until(lambda: {row["state"] for row in office.operator.rows()} == {"resting"}, "they wait")
    return [row["id"] for row in office.operator.rows()]


def ended(office, line):
    """Run a command; return its exit status."""
    config = str(office.relay.folder / "relay.toml")
    try:
        return main([*shlex.split(line.replace("<>", "'<>'")), "--config", config])
    except SystemExit as usage:
        return usage.code


def unexpected(office, lines, **ids):
    """Return the lines that end in another way."""
    found = [(line, expected, ended(office, line.format(**ids))) for line, expected in lines]
    return [each for each in found if each[1] != each[2]]


def test_each_command_ends_with_its_status(office, capfd):
    mail, left = waits(office)
    assert unexpected(office, LINES, id=mail) == []
    office.relay.configure("[nonsense]\n")
    assert ended(office, "reload") == REFUSED
    assert ended(office, "status") == GOOD, "what does not need the rest of the file"
    for end in (office.relay.kill, office.relay.stop):
        end()
        assert unexpected(office, LOOKING, id=mail, left=left) == []
        nobody = [(line, UNREACHABLE) for line in DOING]
        assert unexpected(office, nobody, left=left) == []
        office.relay.configure(office.configuration(sales=NOWHERE))
        office.start()
    capfd.readouterr()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize("running", [True, False])
def test_another_user_of_the_system_has_no_right(office, tmp_path, running):
    _, left = waits(office)
    for path in (tmp_path, *tmp_path.parents[:-2]):
        path.chmod(0o755)
    if not running:
        office.relay.stop()
    for line in [line for line, _ in LOOKING] + DOING:
        words = line.format(id=left, left=left).split()
        told = run_as(NOBODY, *words, "--config", str(tmp_path / "relay.toml"))
        assert (told.status, told.out) == (UNREACHABLE, ""), line
        assert "there is no right to" in told.err, line
