"""The tokens of an account: had before they are needed, once for all who ask, never too late."""

from __future__ import annotations

import json
import os
from pathlib import Path

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionRefusedError  # noqa: A004

from multisendcon_plugin import events
from multisendcon_plugin.interfaces.credentials import CredentialError
from multisendcon_plugin.logins import secret as secret_module
from multisendcon_plugin.logins.store import TokenFile
from multisendcon_plugin.logins.token import Identity, Token
from multisendcon_plugin.settings.oauth2 import Grant
from multisendcon_plugin.settings.secret import StoredSecret
from tests.logins.world import (
    CANARY,
    HOUR,
    NOW,
    Agent,
    Giver,
    Response,
    World,
    account,
    error,
    result,
)

PERSON = account(grant=Grant.AUTHORIZATION_CODE)
DEAD = (400, {"error": "invalid_grant"})


def signed_in(folder, life=HOUR, who=PERSON, **more):
    """Store a token, as `account login` does."""
    times = {"expires_at": NOW + life, "refreshed_at": NOW, "obtained_at": NOW, **more}
    given = {"access_token": "access0", "refresh_token": "refresh0", **times}
    TokenFile(str(folder), who.name, Identity.of(who.oauth2, who.sasl_user)).write(Token(**given))


def test_a_token_is_asked_for_when_a_session_needs_it_and_serves_the_next_ones(tmp_path):
    world = World(tmp_path, Giver())
    assert (world.agent.asked, world.reactor.getDelayedCalls()) == ([], [])
    assert [world.token() for _ in "abc"] == ["access1"] * 3
    [asked] = world.agent.asked
    assert asked == {
        "grant_type": "client_credentials",
        "client_id": "app",
        "client_secret": f"{CANARY}-secret",
        "scope": "mail offline_access",
    }
    credential = result(world.credentials.current())
    assert (credential.username, credential.is_token) == ("a@b.example", True)
    assert world.credentials is world.credentials


def test_sessions_that_ask_together_cost_one_request(tmp_path):
    answer = Deferred()
    agent = Giver()
    agent.broken = lambda: answer
    world = World(tmp_path, agent)
    asked = [world.credentials.current() for _ in range(20)]
    given_up = asked.pop()
    given_up.cancel()
    given_up.addErrback(lambda _: None)
    agent.broken = None
    answer.callback({"access_token": "one", "token_type": "Bearer", "expires_in": 3600})
    assert {result(each).secret for each in asked} == {"one"}
    assert len(agent.asked) == 1


def test_it_is_written_before_it_is_used(tmp_path):
    world = World(tmp_path, Giver())
    world.reactor.jobs = []
    asked = world.credentials.current()
    world.reactor.run_jobs()  # the form is made
    assert (not asked.called, len(world.agent.asked)) == (True, 1)
    world.reactor.run_jobs()
    [file] = Path(tmp_path, "tokens").iterdir()
    assert result(asked).secret == json.loads(file.read_bytes())["token"]["access_token"]
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)


def test_a_restart_goes_on_with_the_token_that_is_stored(tmp_path):
    world = World(tmp_path, Giver())
    world.token()
    world.restart()
    assert (world.token(), len(world.agent.asked)) == ("access1", 1)


@pytest.mark.parametrize(("life", "earliest", "latest"), [(3600, 2775, 2940), (60, 35, 40)])
def test_one_that_is_used_is_renewed_ahead_without_a_session(tmp_path, life, earliest, latest):
    world = World(tmp_path, Giver(life))
    world.token()
    world.token()
    world.reactor.pass_by(earliest - 1)
    assert len(world.agent.asked) == 1
    world.reactor.pass_by(latest - earliest + 2)
    assert len(world.agent.asked) == 2
    # Nobody has wanted the new one: nobody needs one after it.
    world.reactor.pass_by(2 * life)
    assert len(world.agent.asked) == 2
    assert world.token() == "access3"


def test_a_session_gets_one_that_lives_for_ten_minutes_and_one_to_log_in(tmp_path):
    world = World(tmp_path, Giver())
    world.token()
    world.reactor.advance(HOUR - 661)
    assert world.token() == "access1"
    world.reactor.advance(2)
    assert world.token() == "access2"


def test_an_idle_refresh_token_is_used_every_few_days(tmp_path):
    signed_in(tmp_path)
    world = World(tmp_path, Giver(refresh=True), PERSON)
    world.reactor.pass_by(12 * 86400, 600)
    assert 4 <= len(world.agent.asked) <= 6
    assert world.agent.asked[-1]["refresh_token"] == f"refresh{len(world.agent.asked) - 1}"


@pytest.mark.parametrize("rotates", [True, False])
def test_a_refresh_token_is_kept_until_there_is_another_one(tmp_path, rotates):
    signed_in(tmp_path, life=-1)
    agent = Giver(refresh=rotates)
    world = World(tmp_path, agent, PERSON)
    world.token()
    world.restart()
    world.reactor.advance(HOUR)
    world.token()
    used = [each["refresh_token"] for each in agent.asked]
    assert used == ["refresh0", "refresh1" if rotates else "refresh0"]


# Refusals by servers.


def test_all_who_were_refused_the_same_token_cost_one_request(tmp_path):
    world = World(tmp_path, Giver())
    refused = result(world.credentials.current())
    answers = [world.credentials.after_refusal(refused) for _ in range(20)]
    assert {result(each).secret for each in answers} == {"access2"}
    assert len(world.agent.asked) == 2


def test_one_that_is_refused_as_well_is_given_again_and_no_other_asked_for(tmp_path):
    world = World(tmp_path, Giver())
    first = result(world.credentials.current())
    second = result(world.credentials.after_refusal(first))
    for _ in range(50):
        assert result(world.credentials.after_refusal(second)) == second
        assert result(world.credentials.current()) == second
    assert len(world.agent.asked) == 2
    # Later it may be about that token again: it was revoked, or a right was added.
    world.reactor.advance(601)
    assert result(world.credentials.after_refusal(second)).secret == "access3"


def test_one_that_has_worked_is_replaced_when_it_is_refused_later_but_not_by_turns(tmp_path):
    world = World(tmp_path, Giver())
    second = result(world.credentials.after_refusal(result(world.credentials.current())))
    world.credentials.tried(second, True)
    world.reactor.advance(9)
    assert result(world.credentials.after_refusal(second)) == second
    world.reactor.advance(2)
    third = result(world.credentials.after_refusal(second))
    assert third.secret == "access3"
    # That one has not worked: nothing follows.
    world.reactor.advance(500)
    for _ in range(10):
        world.credentials.tried(third, False)
        assert result(world.credentials.after_refusal(third)) == third
    assert len(world.agent.asked) == 3


def test_a_refused_token_is_not_given_again_while_there_is_no_other(tmp_path):
    world = World(tmp_path, Giver())
    refused = result(world.credentials.current())
    world.agent.broken = (503, b"")
    for asked in (world.credentials.after_refusal(refused), world.credentials.current()):
        assert not error(asked).needs_admin


# A provider that is down.


def test_a_provider_that_is_down_for_an_hour_is_no_dead_token(tmp_path):
    signed_in(tmp_path)
    world = World(tmp_path, Giver(refresh=True), PERSON)
    world.token()
    world.agent.broken = ConnectionRefusedError()
    # The token that is there is used until its end.
    world.reactor.pass_by(HOUR - 5)
    assert world.token() == "access0"
    world.reactor.pass_by(10)
    for _ in range(100):  # a mail each
        trouble = world.trouble()
        assert not trouble.needs_admin
        assert "login.example cannot be reached" in str(trouble)
        assert "asked again in" in str(trouble)
    world.reactor.pass_by(HOUR)
    # Five minutes and their jitter at most, since it was renewed ahead.
    assert 10 < len(world.agent.asked) < 30
    world.agent.broken = None
    world.reactor.pass_by(376)
    assert world.token() == "access1"
    refused, well = world.told
    assert (type(refused), refused.needs_login) == (events.TokenRefused, False)
    assert (type(well), well.recovered) == (events.TokenRefreshed, True)


def test_a_pause_that_the_provider_demands_is_kept(tmp_path):
    world = World(tmp_path, Giver())
    world.agent.broken = lambda: Response(429, b"{}", {"Retry-After": ["900"]})
    world.trouble()
    world.reactor.pass_by(899)
    world.trouble()
    assert len(world.agent.asked) == 1
    world.reactor.pass_by(230)
    assert len(world.agent.asked) == 2


def test_a_provider_that_hangs_is_given_up_after_a_while(tmp_path):
    world = World(tmp_path, Giver())
    hangs = Deferred()
    world.agent.broken = lambda: hangs
    asked = world.credentials.current()
    world.reactor.advance(29)
    assert not asked.called
    world.reactor.advance(2)
    assert "login.example gives no answer within 30 s" in str(error(asked))


# Until somebody does something.


def test_a_dead_token_is_an_alarm_and_no_more_requests(tmp_path):
    signed_in(tmp_path, life=-1)
    world = World(tmp_path, Giver(refresh=True), PERSON)
    world.agent.broken = DEAD
    for _ in range(10):
        trouble = world.trouble()
        assert trouble.needs_admin
        assert "invalid_grant" in str(trouble)
        world.reactor.pass_by(HOUR, 60)
    assert len(world.agent.asked) == 1
    [told] = world.told
    assert told.needs_login
    assert world.standing.needs_admin
    assert world.standing.unused_since == NOW


def test_somebody_signs_in_beside_the_relay_that_runs(tmp_path):
    world = World(tmp_path, Giver(refresh=True), PERSON)
    [told] = world.told
    assert (type(told), told.needs_login) == (events.TokenRefused, True)
    assert "nobody has signed in" in str(world.trouble())
    signed_in(tmp_path)
    assert (world.token(), world.agent.asked) == ("access0", [])
    assert world.standing.trouble == ""
    # And again, by which another one takes its place although it is good.
    signed_in(tmp_path, access_token="again")
    assert world.token() == "again"


@pytest.mark.parametrize("trouble", [None, DEAD, (503, b"")])
def test_that_somebody_has_signed_in_is_noticed_though_no_session_asks(tmp_path, trouble):
    if trouble:
        signed_in(tmp_path, life=-1)
    agent = Giver(refresh=True)
    agent.broken = trouble
    world = World(tmp_path, agent, PERSON)
    world.trouble()
    world.reactor.pass_by(60)
    asked = len(agent.asked)
    signed_in(tmp_path, access_token="by-hand")
    world.reactor.pass_by(11)
    refused, refreshed = world.told
    assert (type(refused), type(refreshed)) == (events.TokenRefused, events.TokenRefreshed)
    assert refreshed.recovered
    assert (world.token(), len(agent.asked)) == ("by-hand", asked)


def test_a_file_that_cannot_be_believed_is_looked_at_again(tmp_path):
    signed_in(tmp_path)
    [path] = Path(tmp_path, "tokens").iterdir()
    path.chmod(0o644)
    world = World(tmp_path, Giver(refresh=True), PERSON)
    for _ in range(2):
        trouble = world.trouble()
        assert trouble.needs_admin
        assert "run chmod 600 on it" in str(trouble)
    assert len(world.told) == 1
    path.chmod(0o600)
    assert world.token() == "access0"


def test_a_file_of_no_use_is_no_trouble_where_nobody_signs_in(tmp_path):
    folder = tmp_path / "tokens"
    folder.mkdir(mode=0o700)
    (folder / "A.json").write_text("{")
    world = World(tmp_path, Giver())
    assert [world.token() for _ in "ab"] == ["access1"] * 2
    world.restart()
    assert world.token() == "access1"


def test_many_accounts_ask_at_once(tmp_path):
    many = [account(f"A{n}", client_id=f"app{n}") for n in range(100)]
    world = World(tmp_path, Giver(), *many)
    tokens = {result(world.logins.of(each).current()).secret for each in many for _ in "ab"}
    assert (len(tokens), len(world.agent.asked)) == (100, 100)
    for each in many:
        world.logins.of(each).current()
    world.reactor.pass_by(HOUR)
    times = {call.getTime() for call in world.reactor.getDelayedCalls()}
    assert (len(world.agent.asked), times) == (200, set())
    assert len(list(Path(tmp_path, "tokens").iterdir())) == 100


def test_one_that_is_switched_off_is_no_trouble(tmp_path):
    world = World(tmp_path, Giver(), attrs.evolve(PERSON, enabled=False))
    assert world.standing.trouble == ""
    assert world.told == []


def test_who_signs_in_while_the_provider_is_asked_counts(tmp_path):
    signed_in(tmp_path, life=-1)
    world = World(tmp_path, Giver(refresh=True), PERSON)
    answer = Deferred()
    world.agent.broken = lambda: answer
    asked = world.credentials.current()
    signed_in(tmp_path, access_token="by-hand")
    answer.callback({"access_token": "late", "expires_in": 3600, "refresh_token": "late"})
    assert result(asked).secret == "by-hand"
    world.restart()
    assert world.token() == "by-hand"


def test_a_probe_has_the_provider_asked_again(tmp_path):
    signed_in(tmp_path, life=-1)
    world = World(tmp_path, Giver(refresh=True), PERSON)
    world.agent.broken = DEAD
    world.trouble()
    world.agent.broken = None
    world.trouble()
    world.logins.probe(PERSON)
    assert world.token() == "access1"


@pytest.mark.parametrize(
    ("said", "wanted"), [([], "access1"), ([False], "access2"), ([False, True], "access1")]
)
def test_a_probe_has_another_token_asked_for_if_this_one_was_refused(tmp_path, said, wanted):
    world = World(tmp_path, Giver())
    credential = result(world.credentials.current())
    for worked in said:
        world.credentials.tried(credential, worked)
    for _ in "ab":
        world.logins.probe(world.accounts[0])
        assert world.token() == wanted


def test_a_token_that_was_just_signed_in_for_is_not_replaced_at_once(tmp_path):
    """As `account login` does: it stores the token, then has the relay probe the account."""
    world = World(tmp_path, Giver(refresh=True), PERSON)
    world.reactor.jobs = []
    signed_in(tmp_path)
    world.logins.probe(PERSON)
    wanted = world.credentials.current()
    world.reactor.advance(0.1)  # the provider might be asked again now, had nobody signed in
    while world.reactor.jobs:
        world.reactor.run_jobs()
    assert result(wanted).secret == "access0"
    assert world.agent.asked == []


class Place:
    """Keeps a secret."""

    def __init__(self, kept):
        self.kept = kept
        self.secret = StoredSecret(kept, lambda: self.kept, path="/secret")


def needs(secret):
    """Return what a provider does that takes one secret."""

    def give(form):
        if form["client_secret"] != secret:
            return 401, {"error": "invalid_client", "error_description": "AADSTS7000215: wrong"}
        return {"access_token": "good", "expires_in": 3600}

    return give


def test_another_secret_in_its_file_is_used(tmp_path):
    place = Place("old")
    world = World(tmp_path, Agent(needs("new")), account(client_secret=place.secret))
    for _ in range(3):
        trouble = world.trouble()
        assert trouble.needs_admin
        assert "AADSTS7000215: wrong" in str(trouble)
    assert len(world.agent.asked) == 1
    place.kept = "new"
    assert world.token() == "good"


@pytest.mark.parametrize("answer", [DEAD, (503, b"")])
def test_a_program_is_not_run_for_what_is_not_about_its_secret(tmp_path, answer, monkeypatch):
    ran = []
    monkeypatch.setattr(secret_module, "Thread", lambda **_: ran.append(1))
    secret = StoredSecret("old", lambda: "new", slow=True)
    World(tmp_path, Agent(answer), account(client_secret=secret)).trouble()
    assert ran == []


def test_a_program_tells_another_secret_after_a_refusal(tmp_path, monkeypatch):
    class NoThread:
        def __init__(self, target, args, daemon):
            self.start = lambda: target(*args)

    monkeypatch.setattr(secret_module, "Thread", NoThread)
    secret = StoredSecret("old", lambda: "new", slow=True)
    world = World(tmp_path, Agent(needs("new")), account(client_secret=secret))
    assert world.token() == "good"
    assert [each["client_secret"] for each in world.agent.asked] == ["old", "new"]


def test_another_secret_in_the_settings_keeps_the_credentials(tmp_path):
    world = World(tmp_path, Agent(needs("new")), account(client_secret="old"))
    kept = world.credentials
    world.trouble()
    world.logins.reconfigure([account(client_secret="new")])
    assert result(kept.current()).secret == "good"
    assert world.logins.of(account(client_secret="new")) is kept


def test_another_application_does_not_get_the_token(tmp_path):
    world = World(tmp_path, Giver())
    before = world.credentials
    world.token()
    world.accounts = (account(client_id="other"),)
    before.current()
    assert len(world.reactor.getDelayedCalls()) == 1
    world.logins.reconfigure(world.accounts)
    assert world.reactor.getDelayedCalls() == []
    assert world.credentials is not before
    assert world.token() == "access2"
    # Who still has the old ones goes on with what is there.
    assert result(before.current()).secret == "access1"


def test_a_renamed_account_takes_its_token_along(tmp_path):
    signed_in(tmp_path)
    other = account("B", grant=Grant.AUTHORIZATION_CODE)
    world = World(tmp_path, Giver(), other)
    assert world.token() == "access0"
    assert [path.name for path in Path(tmp_path, "tokens").iterdir()] == ["B.json"]


@pytest.mark.parametrize("changed", [{"name": "B"}, {"authorize_url": "https://other.example/"}])
def test_no_refresh_token_is_used_twice_when_an_account_changes_meanwhile(tmp_path, changed):
    signed_in(tmp_path, life=-1)
    world = World(tmp_path, Giver(refresh=True), PERSON)
    answer = Deferred()
    world.agent.broken = lambda: answer
    world.credentials.current()
    world.agent.broken = None
    world.accounts = (account(grant=Grant.AUTHORIZATION_CODE, **changed),)
    world.logins.reconfigure(world.accounts)
    asked = world.credentials.current()
    answer.callback({"access_token": "last", "expires_in": 3600, "refresh_token": "last"})
    assert result(asked).secret == "last"
    world.reactor.pass_by(HOUR)
    assert [each["refresh_token"] for each in world.agent.asked] == ["refresh0", "last"]


def test_a_request_that_hangs_holds_up_its_successor_for_a_moment_only(tmp_path):
    signed_in(tmp_path, life=-1)
    world = World(tmp_path, Giver(refresh=True), PERSON)
    world.agent.broken = Deferred
    world.credentials.current()
    world.agent.broken = None
    world.accounts = (account("B", grant=Grant.AUTHORIZATION_CODE),)
    world.logins.reconfigure(world.accounts)
    asked = world.credentials.current()
    world.reactor.advance(5)
    assert result(asked).secret == "access1"


def test_one_that_is_still_there_keeps_its_token(tmp_path):
    signed_in(tmp_path)
    world = World(tmp_path, Giver(), account("B", grant=Grant.AUTHORIZATION_CODE), PERSON)
    assert "nobody has signed in" in str(world.trouble())


# The disk.


@pytest.fixture
def full_disk(monkeypatch):
    """Return what makes the disk full, or not."""
    real = os.fsync

    def fill(full):
        def fsync(descriptor):
            if full:
                raise OSError(28, "No space left on device")
            real(descriptor)

        monkeypatch.setattr(os, "fsync", fsync)

    return fill


def test_a_token_that_cannot_be_written_is_used_and_written_later(tmp_path, full_disk):
    signed_in(tmp_path, life=-1)
    world = World(tmp_path, Giver(refresh=True), PERSON)
    full_disk(True)
    assert world.token() == "access1"
    world.reactor.pass_by(HOUR)
    assert world.token() == "access2"
    assert [each["refresh_token"] for each in world.agent.asked] == ["refresh0", "refresh1"]
    told = [each for each in world.told if isinstance(each, events.TokenNotStored)]
    assert len(told) == 1
    assert "No space left on device" in told[0].error
    assert [path.suffix for path in Path(tmp_path, "tokens").iterdir()] == [".json"]
    full_disk(False)
    world.reactor.pass_by(31)
    assert isinstance(world.told[-1], events.TokenStored)
    assert len(world.agent.asked) == 2
    world.restart()
    assert world.token() == "access2"


# The end.


def test_a_request_under_way_at_the_stop_may_end(tmp_path):
    signed_in(tmp_path, life=-1)
    world = World(tmp_path, Giver(refresh=True), PERSON)
    answer = Deferred()
    world.agent.broken = lambda: answer
    asked = world.credentials.current()
    stopped = world.logins.stopService()
    assert not stopped.called
    answer.callback({"access_token": "last", "expires_in": 3600, "refresh_token": "last"})
    assert stopped.called
    assert result(asked).secret == "last"
    assert world.reactor.getDelayedCalls() == []
    world.restart()
    assert world.token() == "last"


@pytest.mark.parametrize("full", [True, False])
def test_a_token_that_is_in_memory_only_is_written_at_the_stop_if_that_can_be(
    tmp_path, full_disk, full
):
    signed_in(tmp_path, life=-1)
    world = World(tmp_path, Giver(refresh=True), PERSON)
    full_disk(True)
    world.token()
    full_disk(full)
    world.reactor.jobs = []
    stopped = world.logins.stopService()
    assert not stopped.called
    world.reactor.run_jobs()
    assert stopped.called
    assert world.reactor.getDelayedCalls() == []
    world.reactor.jobs = None
    full_disk(False)
    world.restart()
    assert world.token() == ("access2" if full else "access1")


def test_one_that_hangs_at_the_stop_is_given_up(tmp_path):
    world = World(tmp_path, Giver())
    hangs = Deferred()
    world.agent.broken = lambda: hangs
    asked = world.credentials.current()
    stopped = world.logins.stopService()
    world.reactor.advance(5)
    assert stopped.called
    assert not error(asked).needs_admin
    assert world.reactor.getDelayedCalls() == []
    assert not world.trouble().needs_admin
    assert len(world.agent.asked) == 1


# Clocks.


def test_a_wall_clock_that_is_set_back_makes_no_token_live_longer(tmp_path):
    world = World(tmp_path, Giver())
    world.token()
    world.reactor.set_by = -86400
    world.reactor.advance(HOUR - 659)
    assert world.token() == "access2"
    world.reactor.pass_by(2 * HOUR)
    assert len(world.agent.asked) == 2


def test_a_machine_that_has_slept_asks_for_another_token(tmp_path):
    world = World(tmp_path, Giver())
    world.token()
    world.reactor.set_by = HOUR - 659
    assert world.token() == "access2"
    assert len(world.agent.asked) == 2


@settings(max_examples=60, deadline=None)
@given(
    life=st.integers(1, 7200),
    steps=st.lists(
        st.tuples(st.floats(0, 1000), st.sampled_from(["ask", "refuse", "down", "up"])),
        max_size=40,
    ),
)
def test_whatever_happens_no_session_gets_one_that_has_run_out(tmp_path_factory, life, steps):
    world = World(tmp_path_factory.mktemp("spool"), Giver(life))
    ends = {}
    for pause, what in steps:
        world.reactor.pass_by(pause, 1)
        asked_before = len(world.agent.asked)
        now = world.reactor.seconds()
        world.agent.broken = {"down": (503, b""), "up": None}.get(what, world.agent.broken)
        found = []
        credentials = world.credentials
        credentials.current().addBoth(found.append)
        if what == "refuse" and hasattr(found[0], "secret"):
            credentials.after_refusal(found.pop()).addBoth(found.append)
        [last] = found
        if hasattr(last, "secret"):
            end = ends.setdefault(last.secret, now + life)
            assert end > now
        else:
            assert isinstance(last.value, CredentialError)
            assert not last.value.needs_admin
        assert len(world.agent.asked) - asked_before <= 2
        assert world.agent.most_under_way <= 1


@pytest.mark.parametrize("enabled", [True, False])
def test_a_token_is_looked_after_only_if_its_account_is_enabled(tmp_path, enabled):
    who = attrs.evolve(PERSON, enabled=enabled)
    signed_in(tmp_path, who=who)
    giver = Giver(refresh=True)
    world = World(tmp_path, giver, who)
    assert world.standing.trouble == ""  # who looks at it does not have it looked after
    world.reactor.advance(30 * 24 * HOUR)
    assert bool(giver.asked) is enabled
