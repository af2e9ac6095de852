"""An account that rests for want of a token, and has one again."""

from __future__ import annotations

import pytest

from multisendcon_plugin.events import TokenRefreshed
from multisendcon_plugin.mail.phase import Phase
from multisendcon_plugin.times import Time
from tests.queue_world import HOUR, World, account, closed, login_refused
from tests.queues import fault


def without_token(enhanced):
    """Return a server at which nobody can log in for want of a token."""
    lacking = fault(Phase.LOGIN, 0, enhanced, "there is no token to log in with")
    return lambda now: now.end(fault=lacking)


def refreshed(world, *, recovered=True, name="A"):
    world.events.publish(TokenRefreshed(name, Time(world.clock.seconds()), recovered=recovered))


def resting(server):
    """Return a world whose account has rested for hours, with some mails that have been tried."""
    world = World(account("A"), account("B", senders="nobody@home.example"))
    world.servers["A"] = server
    for _ in range(5):
        world.mail()
    world.run(3 * HOUR)
    world.servers.clear()
    return world


@pytest.mark.parametrize("enhanced", ["4.7.0", "5.7.8"])
def test_its_mail_goes_on_at_once_and_all_of_it(enhanced):
    world = resting(without_token(enhanced))
    refreshed(world)
    world.run(20)
    assert len(world.sent) == 5
    assert world.waiting == []


@pytest.mark.parametrize("enhanced", ["4.7.0", "5.7.8"])
def test_one_mail_at_a_time_finds_out_whether_the_token_is_good(enhanced):
    world = resting(without_token(enhanced))
    world.servers["A"] = login_refused
    tried = len(world.tries)
    refreshed(world)
    world.run(20)
    assert len(world.tries) == tried + 1
    # What is wrong with it now, another token does not cure.
    refreshed(world)
    world.run(20)
    assert len(world.tries) == tried + 1


@pytest.mark.parametrize("server", [closed, login_refused])
def test_an_account_with_another_fault_rests_on(server):
    world = resting(server)
    refreshed(world)
    world.run(20)
    assert world.sent == []


@pytest.mark.parametrize("event", [{"recovered": False}, {"name": "B"}])
def test_a_token_that_was_not_wanting_changes_nothing(event):
    world = resting(without_token("4.7.0"))
    refreshed(world, **event)
    world.run(20)
    assert world.sent == []


def test_an_account_that_is_paused_stays_so():
    world = resting(without_token("5.7.8"))
    world.queue.control.pause("A")
    world.run(5)
    refreshed(world)
    world.run(20)
    assert world.sent == []
    world.queue.control.resume("A")
    world.run(20)
    assert len(world.sent) == 5
