"""The commands that answer without a relay, from what it has left."""

from __future__ import annotations

import json
import os

import pytest

from multisendcon_plugin.events import Publisher
from multisendcon_plugin.mail.envelope import Client, Envelope
from multisendcon_plugin.mail.message import Parcel, Recipient
from multisendcon_plugin.spool import SqliteSpool
from tests.admin.test_connection import NOBODY, run_as
from tests.queues import commit
from tests.reactors import QueueReactor

HEADER = b"From: Boss <boss@sales.example.com>\r\nSubject: Offer\r\n"


def recipient(address):
    return Recipient(address=address, reason="every sender")


@pytest.fixture
def spool(folder):
    """Return the folder of a relay that has stopped with two mails."""
    reactor = QueueReactor()
    spool = SqliteSpool(str(folder), reactor, events=Publisher())
    spool.open()
    for n, (account, destination) in enumerate([("Sales", ""), ("Bulk", "x.example")]):
        draft = spool.draft()
        draft.write(HEADER + b"\r\nHello")
        envelope = Envelope(
            reverse_path="boss@sales.example.com",
            recipients=(f"anna{n}@x.example",),
            client=Client("192.0.2.25", "joe", "exchange", "TLSv1.3"),
            subject="Offer",
        )
        to = (recipient(f"anna{n}@x.example"),)
        parcels = (Parcel(account=account, destination=destination, recipients=to),)
        [delivery] = reactor.wait(commit(spool, draft, envelope, len(HEADER), parcels))
    reactor.wait(spool.hold([delivery.number]))
    reactor.wait(spool.close())
    return folder


def without_notice(ended, folder):
    assert ended.err == f"multisendcon: no relay runs here; this is what its spool says: {folder}\n"
    return ended.out


def test_list(run, spool):
    ended = run("queue", "list")
    assert ended.status == 0
    _, first, second = without_notice(ended, spool).splitlines()
    assert first.split()[1:3] == ["Sales", "waiting"]
    assert "<anna0@x.example>" in first
    assert second.split()[1:4] == ["Bulk", "(x.example)", "held"]


@pytest.mark.parametrize(
    ("chosen", "found"),
    [
        ((), ["Sales", "Bulk"]),
        (("--limit=1",), ["Sales"]),
        (("--state=held",), ["Bulk"]),
        (("--state=waiting",), ["Sales"]),
        (("--account=Bulk",), ["Bulk"]),
        (("--recipient=ANNA0@x.example",), ["Sales"]),
        (("--sender=boss@sales.example.com", "--older-than=0s"), ["Sales", "Bulk"]),
    ],
)
def test_list_has_the_filters_of_a_relay(run, spool, chosen, found):
    ended = run("queue", "list", "--json", *chosen)
    rows = [json.loads(line) for line in without_notice(ended, spool).splitlines()]
    assert [row["account"] for row in rows] == found
    assert {row["subject"] for row in rows} == {"Offer"}


@pytest.mark.parametrize("chosen", ["--state=active", "--account=Nobody", "--older-than=3000d"])
def test_nothing_found(run, spool, chosen):
    ended = run("queue", "list", chosen)
    assert (ended.status, ended.out) == (3, "")


def test_show(run, spool):
    [row] = map(json.loads, run("queue", "list", "--json", "--limit=1").out.splitlines())
    ended = run("queue", "show", row["id"])
    shown = without_notice(ended, spool)
    assert "from 192.0.2.25 (HELO exchange, user joe, TLSv1.3)" in shown
    assert "by Sales: waiting" in shown
    assert "  | Subject: Offer" in shown
    assert run("queue", "show", "1M8H24WHW2").status == 3


def test_status(run, spool):
    told = without_notice(run("status"), spool).splitlines()
    assert told[0].startswith("1 delivery waits, the oldest for ")
    assert told[0].endswith("; 1 held")
    assert "the relay does not run" in told[-1]
    status = json.loads(run("status", "--json").out)
    assert status["started"] is None
    assert status["accepting"] is False
    accounts = {each["name"]: (each["type"], each["waiting"]) for each in status["accounts"]}
    assert accounts == {"Sales": ("smtp", 1), "Bulk": ("direct", 0)}


def test_log_without_a_history(run, spool):
    ended = run("log")
    assert (ended.status, ended.out) == (1, "")
    assert "there is no history here; see keep in [history]" in ended.err


@pytest.mark.parametrize("command", ["queue list", "queue show A", "status", "log"])
def test_no_spool(run, folder, command):
    folder.rmdir()
    ended = run(*command.split())
    assert (ended.status, ended.out) == (4, "")
    told = f"multisendcon: {folder}: no relay runs with this spool, and no mail is in it; name the"
    assert ended.err.startswith(told)


@pytest.mark.parametrize(
    "command", ["queue hold A", "queue delete A --yes", "reload", "account list", "log --follow"]
)
def test_what_needs_a_relay(run, spool, command):
    ended = run(*command.split())
    assert (ended.status, ended.out) == (4, "")
    assert f"{spool}/control.sock: no relay runs with this spool" in ended.err


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize("command", ["queue list", "status"])
def test_no_right_to_the_spool(tmp_path, spool, command):
    for path in (tmp_path, *tmp_path.parents[:-2]):
        path.chmod(0o755)
    os.chown(spool, 1, 1)
    spool.chmod(0o711)  # that there is no socket may be seen
    ended = run_as(NOBODY, *command.split(), "-c", str(tmp_path / "multisendcon.toml"))
    assert (ended.status, ended.out) == (4, "")
    assert (
        "spool.db: there is no right to read it; it belongs to root: run the command" in ended.err
    )
