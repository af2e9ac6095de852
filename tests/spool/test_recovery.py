"""A provider misbehaves for a while and recovers: every mail arrives, and no sender hears of it.

The real queue and the real relay, in memory, on one clock.
"""

from __future__ import annotations

import pytest

from multisendcon_plugin.mail.phase import Phase
from multisendcon_plugin.testing.misdeeds import (
    drip,
    drop,
    drop_at,
    endless,
    fake_tls,
    hang,
    inject,
    late,
    refuse,
    speak,
    stop_reading,
    strip,
    times,
)
from tests.evil_network import ADDRESS
from tests.evil_world import EvilWorld, at, network_now
from tests.queue_world import DAY, HOUR, SENDER
from tests.queues import logged

OTHER_ADDRESS = "192.0.2.2"
MAILS = 5


def send_mails(world):
    """Hand in mails, a minute apart."""
    for n in range(MAILS):
        world.mail(f"r{n}@far.example", subject=f"mail {n}")
        world.run(60)


def arrived(provider):
    """Return whose mails the provider acknowledged."""
    return sorted(mail.recipients[0] for mail in provider.mails)


EVERYBODY = [f"r{n}@far.example" for n in range(MAILS)]


@pytest.mark.parametrize("count", [1, 4])
@pytest.mark.parametrize(
    ("phase", "misdeed"),
    [
        (Phase.GREETING, hang),
        (Phase.GREETING, speak(b"HTTP/1.1 400 Bad Request\r\n")),
        (Phase.GREETING, refuse(554)),
        (Phase.EHLO, strip("STARTTLS")),
        (Phase.EHLO, endless()),
        (Phase.TLS, inject(b"250 AUTH PLAIN\r\n")),
        (Phase.TLS, fake_tls(b"")),
        (Phase.LOGIN, refuse(535)),
        (Phase.LOGIN, drip(60)),
        (Phase.MAIL, refuse(530)),
        (Phase.MAIL, late(1000)),
        (Phase.RCPT, refuse(421)),
        (Phase.RCPT, refuse(450)),
        (Phase.DATA, drop(reset=True)),
        (Phase.DATA, inject(b"250 2.0.0 queued\r\n")),
        (Phase.DATA, stop_reading),
        (Phase.CONTENT, drop_at(20)),
        (Phase.END, refuse(451)),
        (Phase.END, refuse(421)),
    ],
)
def test_a_provider_that_recovers_gets_each_mail_once(phase, misdeed, count):
    network = network_now()
    provider = network.provide({phase: times(count, misdeed)}, tls="fake")
    world = EvilWorld(at("A", ADDRESS), network=network)
    with logged() as log:
        send_mails(world)
        world.run(DAY)
    assert log.failures(Exception) == 0
    assert arrived(provider) == EVERYBODY
    assert {mail.reverse_path for mail in provider.mails} == {SENDER}  # no report of ours
    assert world.waiting == []
    assert b"s3cret" not in provider.clear


@pytest.mark.parametrize("misdeed", [hang, drop(), drop(10), speak(b"what\r\n"), endless()])
def test_a_mail_taken_without_a_word_is_sent_again(misdeed):
    network = network_now()
    provider = network.provide({Phase.END: times(2, misdeed)}, tls="fake")
    world = EvilWorld(at("A", ADDRESS), network=network)
    send_mails(world)
    world.run(DAY)
    assert arrived(provider) == EVERYBODY
    assert {mail.reverse_path for mail in provider.mails} == {SENDER}
    assert len(provider.unacknowledged) == 2  # what came twice, and nothing else
    assert world.waiting == []


def two_ways(script):
    """Return a world with an evil provider and a good one for the same mail, and both of them."""
    network = network_now()
    evil = network.provide(script, tls="fake")
    good = network.provide(address=OTHER_ADDRESS, tls="fake")
    return EvilWorld(at("A", ADDRESS), at("B", OTHER_ADDRESS), network=network), evil, good


@pytest.mark.parametrize(
    "script",
    [
        {Phase.GREETING: hang},
        {Phase.EHLO: strip("STARTTLS")},
        {Phase.LOGIN: refuse(535)},
        {Phase.DATA: drop()},
    ],
)
def test_while_an_account_is_at_fault_its_mail_takes_the_other(script):
    world, evil, good = two_ways(script)
    send_mails(world)
    world.run(600)
    assert evil.mails == []
    assert arrived(good) == EVERYBODY
    assert world.waiting == []


def test_what_may_have_arrived_by_one_account_does_not_take_the_other():
    world, evil, good = two_ways({Phase.END: drop()})
    world.mail("r0@far.example")
    world.run(HOUR)
    assert evil.unacknowledged
    assert good.sessions == []
    assert [delivery.account for delivery in world.waiting] == ["A"]
