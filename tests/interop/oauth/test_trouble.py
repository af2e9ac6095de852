"""Tokens that run out, are revoked, or cannot be had or kept: mail waits, and leaves in the end."""

from __future__ import annotations

import collections
import json
import sys

import pytest

from tests.interop.oauth import dies_at_disk
from tests.interop.oauth.openid import REFUSED
from tests.interop.oauth.world import CODE, NEEDED, SECRET, Way, World
from tests.interop.programs import until
from tests.interop.relay import Relay

pytestmark = NEEDED

SALES = Way(name="sales", by=SECRET)
#: Each of whose mails needs a session, and so a token.
EAGER = Way(name="sales", by=SECRET, settings={"max_mails_per_connection": 1})
PERSON = Way(name="joe", by=CODE, settings={"max_mails_per_connection": 1})


@pytest.fixture
def world(open_folder, start):
    """Return a function that starts a world with some ways."""
    return lambda *ways, **more: start(World(open_folder, *ways, **more))


def recipients(prefix, count):
    return [f"{prefix}-{number}@customer.example" for number in range(count)]


def nothing_is_lost_or_doubled(world, expected):
    until(lambda: not world.relay.waiting(), "nothing waits")
    assert collections.Counter(world.behind.taken) == dict.fromkeys(expected, 1)
    assert world.behind.taken


def test_mail_goes_on_while_one_token_after_the_other_runs_out(world):
    world = world(EAGER)
    world.openid.set(lifetime=3)
    sent = []
    while world.openid.granted().total() < 4:
        sent.append(f"{len(sent)}@customer.example")
        world.deliver("sales", sent[-1])
    nothing_is_lost_or_doubled(world, sent)
    assert world.server.refusals() == []
    assert len(world.server.logins()) == len(sent) > 10


def test_a_revoked_token_costs_one_request_and_one_more_session(world):
    world = world(EAGER)
    world.deliver("sales", "a@customer.example")
    assert world.openid.revoke("access") == 1
    world.deliver("sales", *recipients("after", 5))
    nothing_is_lost_or_doubled(world, ["a@customer.example", *recipients("after", 5)])
    assert world.openid.granted() == {"client_credentials": 2}
    # Those who had begun with the old one.
    assert 1 <= len(world.server.refusals()) <= 5
    assert len(world.server.logins()) == 6
    assert world.state("sales")["state"] == "ok"


def test_a_hundred_accounts_cost_a_hundred_requests(world):
    ways = [Way(name=f"n{number}", by=SECRET, number=number) for number in range(100)]
    world = world(*ways)
    mails = [(way.name, f"{n}@{way.name}.customer.example") for way in ways for n in range(3)]
    world.hand_in(*mails)
    world.arrived(*(recipient for _, recipient in mails), timeout=120)
    nothing_is_lost_or_doubled(world, [recipient for _, recipient in mails])
    assert world.openid.requests("/token") == len(ways)
    assert {user for user, _ in world.server.logins()} == {way.mailbox for way in ways}


def is_told(world, text):
    until(lambda: text in world.relay.log.read_text(), f"the log says: {text}")


@pytest.mark.parametrize("fault", [REFUSED, 503, 429])
def test_a_provider_that_is_down_is_no_dead_token(world, fault):
    world = world(EAGER)
    world.deliver("sales", "a@customer.example")
    world.openid.set(fault=fault)
    # What is there is used.
    world.deliver("sales", "b@customer.example")
    world.openid.revoke("access")
    world.hand_in(("sales", "c@customer.example"))
    is_told(world, "<c@customer.example> deferred by account sales")
    assert world.state("sales")["state"] == "resting"
    assert world.state("sales")["login"]["trouble"]
    world.openid.set(fault=None)
    # More than once: an attempt that has ended is still in hand for a moment.
    until(
        lambda: "c@customer.example" in world.behind.taken or world.probe("sales"),
        "the mail leaves when somebody asks for it",
    )
    nothing_is_lost_or_doubled(world, [f"{name}@customer.example" for name in "abc"])
    assert world.state("sales")["state"] == "ok"


def test_a_refresh_token_that_is_revoked_needs_somebody(world, open_folder):
    alarms = open_folder / "alarms"
    told = ["/bin/sh", "-c", f"cat >> '{alarms}'"]
    world = world(PERSON, more=f"[alarm]\ncommand = {json.dumps(told)}\n")
    world.sign_in("joe")
    world.deliver("joe", "a@customer.example")
    world.openid.revoke("refresh")
    world.openid.revoke("access")
    world.hand_in(("joe", "b@customer.example"))
    until(lambda: world.state("joe")["state"] == "login", "somebody has to sign in")
    until(lambda: alarms.exists() and alarms.read_text(), "there is an alarm")
    alarm = json.loads(alarms.read_text().splitlines()[0])
    assert (alarm["kind"], alarm["account"], alarm["over"]) == ("login", "joe", False)
    assert "multisendcon account login joe" in alarm["text"]
    assert world.relay.waiting() == 2
    world.sign_in("joe")
    world.arrived("b@customer.example")
    nothing_is_lost_or_doubled(world, ["a@customer.example", "b@customer.example"])
    until(lambda: '"over":true' in alarms.read_text().replace(" ", ""), "the alarm is over")


def test_each_refresh_token_is_on_the_disk_when_the_next_one_is_needed(world):
    """The provider takes each once, and revokes all when one comes twice."""
    world = world(PERSON)
    world.openid.set(lifetime=3)
    world.sign_in("joe")
    seen = [world.stored("joe")["refresh_token"]]
    sent = []
    for restart in (False, True, False):
        if restart:
            world.relay.stop()
            world.relay.start()
        while world.stored("joe")["refresh_token"] == seen[-1]:
            sent.append(f"{len(sent)}@customer.example")
            world.deliver("joe", sent[-1])
        seen.append(world.stored("joe")["refresh_token"])
    nothing_is_lost_or_doubled(world, sent)
    assert len(set(seen)) == 4
    assert world.openid.denied() == []


class DiesAtDisk(Relay):
    """A relay whose process dies on the way of a token to the disk, where `at` says."""

    @property
    def at(self):
        return self.folder / "dies-at"

    def command(self):
        _, *options = super().command()
        wrapper = [sys.executable, "-m", "tests.interop.oauth.dies_at_disk"]
        return [*wrapper, str(self.at), *options]

    def dies_at(self, step):
        self.at.write_text(step)


@pytest.mark.parametrize("step", dies_at_disk.STEPS)
def test_kill_9_between_the_answer_and_the_disk_costs_no_mail(world, step):
    world = world(PERSON, relay=DiesAtDisk)
    world.openid.set(forgiving=True)  # as Microsoft does, and Google does not replace it
    world.sign_in("joe")
    world.deliver("joe", "a@customer.example")
    before, refreshed = world.stored("joe"), world.openid.granted()["refresh_token"]
    world.openid.revoke("access")
    world.relay.dies_at(step)
    world.hand_in(("joe", "b@customer.example"))
    world.relay.process.wait(30)
    assert world.openid.granted()["refresh_token"] == refreshed + 1
    # All that is there is whole: the old one or the new one.
    assert (world.stored("joe") == before) == (step != "folder")
    world.relay.start()
    world.arrived("b@customer.example")
    nothing_is_lost_or_doubled(world, ["a@customer.example", "b@customer.example"])
    assert world.openid.denied() == []
    assert [file.name for file in (world.relay.spool / "tokens").iterdir()] == ["joe.json"]


def test_a_strict_provider_needs_somebody_when_its_answer_was_lost(world):
    world = world(PERSON, relay=DiesAtDisk)
    world.sign_in("joe")
    world.openid.revoke("access")
    world.relay.dies_at("rename")
    world.hand_in(("joe", "a@customer.example"))
    world.relay.process.wait(30)
    world.relay.start()
    until((world.relay.spool / "control.sock").exists, "the control socket is there")
    until(lambda: world.state("joe")["state"] == "login", "somebody has to sign in")
    world.sign_in("joe")
    world.arrived("a@customer.example")
    nothing_is_lost_or_doubled(world, ["a@customer.example"])
