"""The login at an account's server: the password that is used."""

from __future__ import annotations

import base64

import pytest

from multisendcon_plugin.attempt import Verdict
from multisendcon_plugin.errors import ConfigurationError
from multisendcon_plugin.failure import Action
from multisendcon_plugin.secret import StoredSecret
from tests.queues import logged
from tests.relays import Server, Way, login, verdicts


class Place:
    """A place where a password is kept.

    :ivar kept: the password, or what keeps it from being read.
    """

    def __init__(self, kept):
        self.kept = kept
        self.asked = 0
        self.secret = StoredSecret(kept, self.read)

    def read(self):
        self.asked += 1
        if isinstance(self.kept, Exception):
            raise self.kept
        return self.kept


def plain(password, username="sales"):
    return b"AUTH PLAIN " + base64.b64encode(f"\0{username}\0{password}".encode())


def passwords(server):
    """Return the passwords that a server was told by PLAIN."""
    lines = [line.split(b" ")[2] for line in server.lines if line.startswith(b"AUTH PLAIN")]
    return [base64.b64decode(line).split(b"\0")[2].decode() for line in lines]


def only(password):
    """Return the answer of a server that takes this password only."""
    return lambda line: "235 welcome" if line == plain(password) else "535 5.7.8 wrong"


# The password.


def test_a_stored_password_is_read_for_each_login_and_not_for_each_mail():
    place = Place("old")
    servers = Server("AUTH PLAIN"), Server("AUTH PLAIN")
    way = Way(*servers, **login(password=place.secret), max_mails_per_connection=3)
    for _ in range(3):
        way.send()
    assert place.asked == 1
    place.kept = "new"
    way.send()
    assert place.asked == 2
    assert [passwords(server) for server in servers] == [["old"], ["new"]]


def test_a_password_that_was_changed_after_a_refusal_is_used_the_next_time():
    place = Place("old")
    way = Way(
        *[Server("AUTH PLAIN", AUTH=only("new")) for _ in "ab"], **login(password=place.secret)
    )
    assert way.send().fault.action is Action.ALARM
    place.kept = "new"
    assert verdicts(way.send()) == [Verdict.DELIVERED]


def test_without_a_login_no_password_is_read():
    place = Place("old")
    Way(Server("AUTH PLAIN"), password=place.secret).send()
    assert place.asked == 0


def test_a_password_that_cannot_be_read_again_is_the_one_before_which_is_told_once():
    place = Place("first")
    servers = [Server("AUTH PLAIN") for _ in "abcdef"]
    way = Way(*servers, **login(password=place.secret), max_mails_per_connection=1)
    gone, empty = ConfigurationError(["the file is gone"]), ConfigurationError(["it is empty"])
    with logged() as log:
        for kept in (gone, gone, "second", empty, empty, gone):
            place.kept = kept
            assert verdicts(way.send()) == [Verdict.DELIVERED]
            way.network.advance(10)
    assert [passwords(server) for server in servers] == [
        *([["first"]] * 2),
        *([["second"]] * 4),
    ]
    start = "account Sales: its password cannot be read again, so the one before is used: "
    assert log.texts() == [
        start + "the file is gone",
        start + "it is empty",
        start + "the file is gone",
    ]


@pytest.mark.parametrize("said", ["535 5.7.8 {}", "421 4.7.0 {}", "{}"])
def test_a_server_that_repeats_a_password_read_anew_brings_it_nowhere(said):
    place = Place("old-c4nary")
    place.kept = "new-c4nary"

    def echo(line):
        return said.format(f"{line.decode()} {place.kept}")

    way = Way(Server("AUTH PLAIN", AUTH=echo), **login(password=place.secret))
    attempt = way.send()
    shown = f"{attempt} {attempt.fault} {way.factory.account} {place.secret}"
    for secret in ("c4nary", base64.b64encode(b"\0sales\0new-c4nary").decode()):
        assert secret not in shown
