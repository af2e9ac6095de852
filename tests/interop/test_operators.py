"""Operators work on the queue of a relay in a process of its own; its providers count."""

from __future__ import annotations

import collections
import contextlib
import json
import random
import threading
from types import SimpleNamespace

import pytest

from multisendcon_plugin.spool import rows
from multisendcon_plugin.spool.database import open_database
from tests.benchmarks.growth import fill
from tests.endurance import operators
from tests.interop.clients import Clients
from tests.interop.operators import Office, Work
from tests.interop.programs import until

ALL = {"account": "Sales"}


@pytest.fixture
def office(tmp_path, start):
    return start(Office(tmp_path))


def number(recipient):
    return int(recipient.partition("@")[0])


def own_sender(recipient):
    return f"{number(recipient)}@sales.example"


def test_held_deleted_moved_released_each_mail_ends_once_where_it_should(office):
    office.start()
    office.operator.account("Sales", "pause")
    recipients = office.hand_in(1000, own_sender)
    change = office.operator.change
    held, ids = change("hold", filter=ALL)
    assert (held, len(set(ids))) == (1000, 1000)
    office.operator.account("Sales", "resume")
    waiting = office.operator.rows()
    assert {row["state"] for row in waiting} == {"held"}
    gone = waiting[::2]
    assert change("delete", ids=[row["id"] for row in gone], notify=True)[0] == 500
    assert change("move", filter={"state": "held", **ALL}, to_account="Shop")[0] == 500
    assert change("retry", filter={"state": "held"})[0] == 0, "it leaves held ones alone"
    assert office.taken() == {}
    assert change("release", filter={"state": "held"})[0] == 500
    office.drained()
    deleted = {row["recipients"][0]["address"] for row in gone}
    assert office.sales.taken == []
    assert collections.Counter(office.shop.taken) == dict.fromkeys(set(recipients) - deleted, 1)
    assert collections.Counter(office.reports.taken) == dict.fromkeys(map(own_sender, deleted), 1)


def test_beside_mail_that_comes_and_goes_what_was_deleted_never_arrives(tmp_path, start):
    office = start(Office(tmp_path, delay=0.005))
    office.start()
    change = office.operator.change
    deleted, moved = set(), 0
    recipients = (f"{n}@customer.example" for n in range(2000))
    clients = Clients(office.relay, recipients, sessions=2, sender_of=own_sender)
    with clients:
        for turn in range(1, 6):
            clients.wait_for(150 * turn)
            _, held = change("hold", filter=ALL)
            waiting = {row["id"]: row["recipients"][0]["address"] for row in office.operator.rows()}
            assert set(held) <= waiting.keys(), "what is held does not leave"
            taken = office.taken()
            assert not [each for each in held if waiting[each] in taken]
            mine = held[: len(held) // 3]
            count, gone = change("delete", ids=mine, notify=True)
            assert count == len(mine)
            deleted |= {waiting[each] for each in gone}
            count, _ = change("move", ids=held[len(held) // 3 : len(held) // 2], to_account="Shop")
            moved += count
            change("release", filter={"state": "held"})
    office.drained()
    assert len(deleted) > 20
    assert len(office.shop.taken) == moved
    assert office.taken() == dict.fromkeys(clients.acknowledged - deleted, 1)
    assert collections.Counter(office.reports.taken) == dict.fromkeys(map(own_sender, deleted), 1)


def one_of_two(recipient):
    return f"{number(recipient) % 2}@sales.example"


def both(office, *lines):
    """Let two operators give commands at once; return how many deliveries each has changed."""
    commands = [office.command("queue", *line.split(), "--json") for line in lines]
    counts = []
    for each in commands:
        said, _ = each.communicate(timeout=60)
        # Nothing is left for the one who comes too late.
        assert each.returncode in (0, 3), said
        counts.append(json.loads(said)["changed"] if each.returncode == 0 else 0)
    return counts


def test_two_operators_at_once_change_each_delivery_once(office):
    office.start()
    operator = office.operator
    operator.account("Sales", "pause")
    operator.account("Shop", "pause")
    recipients = office.hand_in(1000, one_of_two)
    assert sum(both(office, "hold --account Sales", "hold --sender 0@sales.example")) == 1000
    released, moved = both(
        office, "release --state held", "move --sender 0@sales.example --to-account Shop"
    )
    assert (released, moved) == (1000, 500)
    assert collections.Counter(row["account"] for row in operator.rows()) == {
        "Sales": 500,
        "Shop": 500,
    }
    deleted, moved = both(
        office,
        "delete --sender 1@sales.example --yes --notify",
        "move --account Sales --to-account Shop",
    )
    assert deleted == 500
    assert moved <= 500
    left = [row["account"] for row in operator.rows() if row["sender"]]
    assert left == ["Shop"] * 500
    operator.account("Shop", "resume")
    operator.account("Sales", "resume")
    office.drained()
    kept = [each for each in recipients if number(each) % 2 == 0]
    assert collections.Counter(office.shop.taken) == dict.fromkeys(kept, 1)
    assert office.reports.taken == ["1@sales.example"] * 500


def test_two_who_delete_the_same_make_one_report_for_each(office):
    office.start()
    office.operator.account("Sales", "pause")
    office.hand_in(600, one_of_two)
    counts = {}

    def delete(name, **chosen):
        counts[name], _ = office.operator.change("delete", filter=chosen, notify=True)

    hands = [
        threading.Thread(target=delete, args=("account",), kwargs=ALL),
        threading.Thread(target=delete, args=("older",), kwargs={"older_than": "0s"}),
    ]
    for each in hands:
        each.start()
    for each in hands:
        each.join()
    office.drained()
    assert sum(counts.values()) == 600
    assert collections.Counter(office.reports.taken) == {
        "0@sales.example": 300,
        "1@sales.example": 300,
    }
    assert office.taken() == {}


WAITING = 2000
ACCOUNTS = ("Sales", "Shop", "[ndr]")


def wait_in_spool(office):
    """Let mails wait for Sales, which is paused; return their recipients by id.

    All accounts are: what is on its way at a kill may be sent twice.
    """
    fill(office.relay.spool, WAITING, 1)
    with contextlib.closing(open_database(office.relay.spool / "spool.db")) as database:
        database.execute("UPDATE delivery SET account = 'Sales'")
        for name in ACCOUNTS:
            rows.pause(database, name, 0.0)
    office.start()
    return {row["id"]: row["recipients"][0]["address"] for row in office.operator.rows()}


def goes_on(office):
    for name in ACCOUNTS:
        office.operator.account(name, "resume")
    office.drained()


@pytest.mark.parametrize("action", ["hold", "move", "delete"])
def test_killed_in_the_middle_it_has_done_what_it_has_answered_and_loses_nothing(office, action):
    addresses = wait_in_spool(office)
    chance = random.Random(action)
    more = {"move": {"to_account": "Shop"}, "delete": {"notify": True}}.get(action, {})
    done, left = set(), list(addresses)
    for _ in range(2):
        pieces = [left[at : at + 300] for at in range(0, len(left), 300)]
        changes = [
            lambda piece=piece: office.operator.change(action, ids=piece, **more)[1]
            for piece in pieces
        ]
        with Work(changes) as work:
            work.wait_for(chance.randrange(3))
            office.kill_all()
        done.update(*work.answered)
        office.start()
        waiting = {row["id"]: row for row in office.operator.rows() if row["sender"]}
        if action == "delete":
            assert not done & waiting.keys(), "it does not come back"
        else:
            assert waiting.keys() == addresses.keys(), "nothing is lost"
            field, value = {"hold": ("state", "held"), "move": ("account", "Shop")}[action]
            assert {waiting[each][field] for each in done} <= {value}
        left = [each for each in left if each not in done and each in waiting]
    assert done
    if action == "hold":
        assert office.operator.change("release", filter={"state": "held"})[0] >= len(done)
    goes_on(office)
    taken = office.taken()
    assert set(taken.values()) == {1}
    reports = len(office.reports.taken)
    assert len(taken) + reports == WAITING, "each mail is delivered or reported"
    if action == "delete":
        assert not {addresses[each] for each in done} & taken.keys()
    else:
        assert reports == 0


def test_killed_in_the_middle_of_a_reload_its_mail_is_in_one_account_or_the_other(office):
    wait_in_spool(office)
    for name, gone in (("Shop", {"sales": False}), ("Sales", {"shop": False})):
        office.relay.configure(office.configuration(**gone))
        question = f"SELECT count(*) FROM delivery WHERE account = '{name}'"
        with Work([lambda: office.operator.ask("POST", "reload", {})]):
            until(lambda question=question: office.relay.value(question), "some is moved")
            office.kill_all()
        office.start()
        until(
            lambda question=question: office.relay.value(question) == WAITING,
            "it goes on where it was",
        )
    office.relay.configure(office.configuration())
    office.operator.ask("POST", "reload", {})
    goes_on(office)
    assert len(office.taken()) == WAITING
    assert set(office.taken().values()) == {1}
    assert office.reports.taken == []


def test_whatever_operators_do_beside_load_nothing_is_lost_doubled_or_sent_against_their_word(
    tmp_path,
):
    assert list(operators.run(tmp_path, SimpleNamespace(times=40, seed=18))) == []
