"""The history of a relay in a process of its own, which is killed, or finds its file damaged."""

from __future__ import annotations

import os
import smtplib

import pytest

from multisendcon_plugin.history import Search, stories
from tests.interop.programs import needs, until
from tests.interop.relay import Relay, account
from tests.interop.sink import Sink

pytestmark = needs("smtp-sink")

SENDER = "boss@sales.example"


@pytest.fixture
def sink(tmp_path):
    with Sink(tmp_path) as sink:
        yield sink


@pytest.fixture
def relay(tmp_path, sink):
    with Relay(tmp_path, account("A", sink.address, sink.port)) as relay:
        yield relay


def send(relay, *recipients):
    with smtplib.SMTP(relay.address, relay.port, timeout=60) as client:
        for each in recipients:
            client.sendmail(SENDER, each, f"Subject: to {each}\r\n\r\nhello\r\n")


def told(relay, **said):
    """Return what the history says of each mail, beside the relay or after it."""
    found = stories(relay.spool / "history.db", Search(**said))
    return {each.recipients[0]: [event.event.value for event in each.events] for each in found}


WHOLE = ["accepted", "attempt", "delivered", "ended"]


def test_what_was_written_before_a_kill_is_there_after_it(relay, sink):
    send(relay, "a@x.example", "b@x.example")
    until(lambda: list(told(relay).values()) == [WHOLE, WHOLE], "it is written")
    relay.kill()
    assert told(relay) == {"a@x.example": WHOLE, "b@x.example": WHOLE}
    relay.start()
    send(relay, "c@x.example")
    until(lambda: told(relay, recipient="c@x.example") == {"c@x.example": WHOLE}, "it goes on")
    relay.stop()
    assert len(told(relay)) == 3
    assert not list(relay.spool.glob("history.db-*"))


def test_a_stop_writes_what_has_happened(relay, sink):
    send(relay, *(f"{n}@x.example" for n in range(20)))
    until(lambda: sink.count() == 20 and not relay.waiting(), "all is delivered")
    relay.stop()
    assert list(told(relay).values()) == 20 * [WHOLE]


@pytest.mark.parametrize("rest", [b"x" * 8192, b""])
def test_a_file_that_is_damaged_beside_the_relay_costs_no_mail(relay, sink, rest):
    send(relay, "a@x.example")
    until(lambda: told(relay), "it is written")
    relay.stop()
    (relay.spool / "history.db").write_bytes(rest)
    relay.start()
    send(relay, "b@x.example")
    until(lambda: told(relay) == {"b@x.example": WHOLE}, "it begins anew")
    until(lambda: sink.count() == 2, "all is delivered")
    assert bool(list(relay.spool.glob("history*damaged*"))) == bool(rest)


def test_a_file_that_is_damaged_while_the_relay_runs_costs_no_mail(relay, sink):
    send(relay, "a@x.example")
    until(lambda: told(relay), "it is written")
    for name in ("history.db", "history.db-wal"):
        # In place: to make it shorter first would be another damage.
        with (relay.spool / name).open("r+b") as file:
            file.write(os.urandom((relay.spool / name).stat().st_size))
    until(lambda: "history begins anew" in relay.log.read_text(), "it is told")
    assert list(relay.spool.glob("history*damaged*"))
    send(relay, "b@x.example")
    until(lambda: told(relay) == {"b@x.example": WHOLE}, "it goes on")
    assert sink.count() == 2
