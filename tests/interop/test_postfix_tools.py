"""Postfix's smtp-source and smtp-sink on either side of the relay."""

from __future__ import annotations

import collections

import pytest

from tests.interop.programs import needs, run, until
from tests.interop.relay import Relay, account
from tests.interop.sink import Sink

pytestmark = needs("smtp-source", "smtp-sink")


@pytest.mark.parametrize("sessions_last", [True, False])
def test_two_thousand_mails_over_twenty_sessions_arrive_exactly_once(
    tmp_path, start, sessions_last
):
    sink = start(Sink(tmp_path))
    relay = start(Relay(tmp_path, account("Sink", sink.address, sink.port, max_connections=20)))

    sent = run(
        "smtp-source",
        *(["-d"] if sessions_last else []),
        *("-s", 20, "-m", 2000, "-l", 4096),
        *("-N", "-f", "boss@sales.example", "-t", "@customer.example"),
        f"inet:{relay.address}:{relay.port}",
    )
    assert sent.returncode == 0, sent.stdout
    until(lambda: sink.count() >= 2000, "2,000 mails arrive")
    relay.stop()

    arrived = collections.Counter(sink.recipients())
    assert arrived == {f"{number}@customer.example": 1 for number in range(1, 2001)}
    assert relay.waiting() == 0


def test_the_sender_chooses_the_way_and_each_mail_is_traced(tmp_path, start):
    (tmp_path / "sales").mkdir()
    sales = start(Sink(tmp_path / "sales"))
    others = start(Sink(tmp_path))
    relay = start(
        Relay(
            tmp_path,
            account("Sales", sales.address, sales.port, senders='"*@sales.example"')
            + account("Others", others.address, others.port),
        )
    )

    for sender in ("a@sales.example", "b@dev.example"):
        target = f"inet:{relay.address}:{relay.port}"
        arguments = ("-m", 50, "-s", 5, "-N", "-f", sender, "-t", f"-{sender}", target)
        assert run("smtp-source", *arguments).returncode == 0
    until(lambda: sales.count() == others.count() == 50, "both sinks get their mails")
    relay.stop()

    assert set(sales.recipients()) == {f"{number}-a@sales.example" for number in range(1, 51)}
    assert set(others.recipients()) == {f"{number}-b@dev.example" for number in range(1, 51)}
    for file in others.mails.iterdir():
        assert "by relay.example.com with SMTP id " in file.read_text()
