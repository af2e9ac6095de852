"""Passwords: in turn, after a delay, as long for names that there are not."""

from __future__ import annotations

import attrs
import pytest
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.task import Clock

from multisendcon_plugin.page.delays import FREE
from multisendcon_plugin.page.passwords import (
    LONGEST,
    MOST,
    MOST_OF_ONE,
    Passwords,
    Remembered,
    SignInRefusedError,
)
from multisendcon_plugin.settings.admins import Role
from multisendcon_plugin.settings.password import PasswordHash
from tests.operations.desk import result
from tests.page.house import Later, admin
from tests.page.served import users

HERE, THERE = "192.0.2.1", "192.0.2.2"


class Gate:
    """Where passwords are said.

    :ivar users: who has one.
    """

    def __init__(self, *some, in_thread=maybeDeferred):
        self.users = users(*some) if some else None
        self.clock = Clock()
        self.thread = in_thread
        self.passwords = Passwords(lambda: self.users, self.clock, in_thread)

    def begin(self, name, password, address=HERE):
        return Deferred.fromCoroutine(self.passwords.whose(address, name, password))

    def ask(self, *said):
        return result(self.begin(*said))


def test_a_right_password():
    ann = admin("Ann")
    assert Gate(ann, admin("bob")).ask("ANN", "secret") is ann


@pytest.mark.parametrize(
    ("name", "password"),
    [("ann", ""), ("ann", "secret "), ("ann", "x"), ("eve", "secret"), ("", "secret")],
)
def test_a_wrong_one(name, password):
    assert Gate(admin("ann")).ask(name, password) is None


def test_nobody_without_a_password_signs_in_by_one():
    assert Gate(admin("ann", password=None), admin("bob")).ask("ann", "secret") is None
    assert Gate().ask("ann", "secret") is None


def test_what_is_longer_than_any_password_is_not_hashed():
    ann = admin("ann", password="x" * LONGEST)
    gate = Gate(ann)
    assert gate.ask("ann", "x" * (LONGEST + 1)) is None
    assert [len(each) for each in ann.password.asked] == [LONGEST]
    assert gate.ask("ann", "x" * LONGEST) is ann


def test_a_name_that_there_is_not_costs_what_one_of_the_others_does():
    costs = [14, 15, 16]
    some = [
        attrs.evolve(
            admin(f"u{cost}"), password=PasswordHash(salt=b"s" * 16, digest=b"d" * 32, cost=cost)
        )
        for cost in costs
    ]
    later = Later()
    gate = Gate(*some, admin("proxied", password=None), in_thread=later)

    def cost_of(name):
        gate.begin(name, "x", f"198.51.100.{len(asked)}")
        done, matches, _ = later.waiting.pop()
        asked.append(name)
        done.callback(False)
        return matches.__self__.cost

    asked = []
    names = [f"nobody{n}" for n in range(30)]
    found = {name: cost_of(name) for name in names}
    assert set(found.values()) == set(costs)
    # As with somebody who is there, it is always the same.
    assert all(cost_of(name.upper()) == cost for name, cost in found.items())
    assert cost_of("proxied") in costs


def test_one_is_checked_after_the_other():
    later = Later()
    ann = admin("ann")
    gate = Gate(ann, in_thread=later)
    first, second = gate.begin("ann", "x"), gate.begin("ann", "secret", THERE)
    assert len(later.waiting) == 1
    later.work()
    assert result(first) is None
    assert len(later.waiting) == 1
    later.work()
    assert result(second) is ann


def test_one_network_does_not_take_all_turns():
    later = Later()
    gate = Gate(admin("ann"), in_thread=later)
    for _ in range(MOST_OF_ONE):
        gate.begin("ann", "x", "2001:db8::1")
    with pytest.raises(SignInRefusedError) as refused:
        gate.ask("ann", "secret", "2001:db8::2")
    assert (refused.value.status, refused.value.headers) == (503, {"Retry-After": "2"})
    mine = gate.begin("ann", "secret", HERE)
    while later.waiting:
        later.work()
    assert result(mine).name == "ann"


def test_the_line_is_not_endless_and_ends():
    later = Later()
    gate = Gate(admin("ann"), in_thread=later)
    waiting = [gate.begin("ann", "secret", f"198.51.100.{n}") for n in range(MOST)]
    with pytest.raises(SignInRefusedError):
        gate.ask("ann", "secret")
    for _ in waiting:
        later.work()
    assert all(result(each) for each in waiting)
    mine = gate.begin("ann", "secret")
    later.work()
    assert result(mine)
    assert not gate.passwords._in_line


def test_a_check_that_fails_gives_its_turn_back():
    def broken(function, *arguments):
        raise MemoryError

    gate = Gate(admin("ann"), in_thread=broken)
    for _ in range(MOST_OF_ONE + 1):
        with pytest.raises(MemoryError):
            gate.ask("ann", "secret")


def test_wrong_passwords_at_the_same_time_are_delayed_as_others_are():
    later = Later()
    gate = Gate(admin("ann"), in_thread=later)
    for _ in range(FREE - 1):
        wrong = gate.begin("ann", "x")
        later.work()
        assert result(wrong) is None
    last, right = gate.begin("ann", "x"), gate.begin("ann", "secret")
    later.work()
    assert result(last) is None
    with pytest.raises(SignInRefusedError, match="too many wrong passwords: try again in 1 s"):
        result(right)
    assert not later.waiting


def test_the_delay_grows_and_is_the_address_s_own():
    gate = Gate(admin("ann"))
    for _ in range(FREE):
        gate.ask("ann", "x")
    for seconds in (1, 2, 4, 8):
        with pytest.raises(SignInRefusedError) as refused:
            gate.ask("ann", "secret")
        assert refused.value.headers == {"Retry-After": str(seconds)}
        assert gate.ask("ann", "secret", THERE)
        gate.clock.advance(seconds)
        gate.ask("ann", "x")
    gate.clock.advance(16)
    assert gate.ask("ann", "secret")
    assert gate.ask("ann", "x") is None
    assert gate.ask("ann", "secret")


@pytest.mark.parametrize("now", [(), ("other",), ("role",)])
def test_who_gets_another_password_or_role_meanwhile_is_asked_again(now):
    later = Later()
    gate = Gate(admin("ann"), in_thread=later)
    asked = gate.begin("ann", "secret")
    others = {"other": admin("ann", password="new"), "role": admin("ann", Role.VIEW)}
    gate.users = users(*[others[each] for each in now])
    later.work()
    assert result(asked) is None


# Those of programs.


def test_a_right_password_is_remembered_for_a_while():
    remembered, ann = Remembered(), admin("ann")
    assert remembered.keep(HERE, "ann", "secret", ann, 100.0)
    assert remembered.find(HERE, "ann", "secret", 100 + Remembered.CHECKED - 1) is ann
    assert remembered.find(HERE, "ann", "secret", 100 + Remembered.CHECKED) is None


@pytest.mark.parametrize(
    "said",
    [(THERE, "ann", "secret"), (HERE, "an", "nsecret"), (HERE, "ann", "Secret"), (HERE, "ann", "")],
)
def test_nothing_else_is_taken_for_it(said):
    remembered = Remembered()
    remembered.keep(HERE, "ann", "secret", admin("ann"), 0.0)
    assert remembered.find(*said, 0.0) is None


def test_it_is_news_once_in_a_long_time():
    remembered, ann = Remembered(), admin("ann")
    times = [0.0, 400.0, Remembered.TOLD - 1, Remembered.TOLD, Remembered.TOLD + 400]
    news = [remembered.keep(HERE, "ann", "secret", ann, now) for now in times]
    assert news == [True, False, False, True, False]
    assert remembered.keep(HERE, "ann", "secret", admin("ann", Role.VIEW), times[-1])


def test_the_password_is_nowhere():
    remembered = Remembered()
    remembered.keep(HERE, "ann", "secret", admin("ann", password=None), 0.0)
    assert "secret" not in repr(vars(remembered))


def test_no_more_than_some_are_remembered():
    remembered = Remembered()
    for n in range(Remembered.MOST + 1):
        remembered.keep(HERE, "ann", str(n), admin("ann"), 0.0)
    assert len(remembered._known) == Remembered.MOST
    assert remembered.find(HERE, "ann", "0", 0.0) is None
    assert remembered.find(HERE, "ann", "1", 0.0)
