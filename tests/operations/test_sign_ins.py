"""Somebody signs in for an account from afar, with a provider in memory."""

from __future__ import annotations

from urllib.parse import parse_qs, urlencode, urlsplit

import attrs
import pytest
from twisted.internet.defer import Deferred

from multisendcon_plugin.errors import AccountNotFoundError
from multisendcon_plugin.operations.errors import BadRequestError, NotFoundError, RefusedError
from multisendcon_plugin.operations.sign_ins import PATIENCE, SignInState, SignInStep
from multisendcon_plugin.settings.oauth2 import Grant, Provider
from tests.logins import world
from tests.logins.test_sign_in import CODE, PENDING, TOKEN
from tests.operations.desk import Desk
from tests.queue_world import account as plain_account
from tests.queues import logged

NOBODY = (400, {"error": "access_denied"})
UNUSABLE = (400, {"error": "invalid_grant"})


class Admin:
    """Somebody before the page, and the provider of an account."""

    def __init__(self, folder, account, *answers):
        self.tokens = world.World(folder, world.Agent(*answers), account, starts=False)
        self.reactor = self.tokens.reactor
        self.probed = []
        self.desk = Desk(
            [account, plain_account("Plain")],
            sign_ins=self.tokens.logins,
            log_in_anew=self.probed.append,
        )
        self.desk.clock.rightNow = self.reactor.seconds()
        self.sign_ins = self.desk.operations.sign_ins

    def begin(self, name="A", redirected=None):
        step = SignInStep(redirected=redirected)
        return self.desk.ask(self.sign_ins.begin_sign_in(name, step))

    def look(self, name="A"):
        return self.desk.ask(self.sign_ins.sign_in(name))

    def pass_by(self, seconds):
        self.reactor.pass_by(seconds)
        self.desk.clock.advance(seconds)

    def token(self):
        """Return the token that another session would find."""
        self.tokens.restart()
        return self.tokens.token()


def device(folder, *answers):
    return Admin(folder, world.account(grant=Grant.DEVICE), CODE, *answers)


def browser(folder, *answers, **keys):
    account = world.account(grant=Grant.AUTHORIZATION_CODE, **keys)
    return Admin(folder, account, *(answers or (TOKEN,)))


def page(told, **query):
    """Return the address at which the browser of who has signed in ends."""
    (state,) = parse_qs(urlsplit(told.url).query)["state"]
    return f"{told.redirect}?{urlencode({'code': 'c', 'state': state, **query})}"


def test_nobody_has_begun(tmp_path):
    told = device(tmp_path).look()
    assert (told.state, told.grant, told.url, told.until) == (SignInState.NONE, "device", "", None)
    assert told.command == "multisendcon account login A"


def test_by_a_code(tmp_path):
    admin = device(tmp_path, PENDING, TOKEN)
    told = admin.begin()
    assert (told.state, told.url, told.user_code) == (
        SignInState.WAITING,
        "https://login.example/go",
        "AB-CD",
    )
    assert (told.username, told.mailbox) == ("a@b.example", "a@b.example")
    assert told.until == admin.reactor.seconds() + 900
    assert told.redirect == ""
    admin.pass_by(6)
    assert admin.look() == told
    admin.pass_by(6)
    done = admin.look()
    assert (done.state, done.until) == (SignInState.DONE, None)
    assert done.valid_until == pytest.approx(admin.reactor.seconds() + 3600, abs=5)
    assert [each.name for each in admin.probed] == ["A"]
    assert admin.desk.queue.told == [("probe", "A")]
    assert admin.token() == "a"


def test_who_says_no_is_told_and_may_begin_anew(tmp_path):
    admin = device(tmp_path, NOBODY, CODE, TOKEN)
    admin.begin()
    admin.pass_by(6)
    told = admin.look()
    assert (told.state, told.until) == (SignInState.FAILED, None)
    assert told.trouble.endswith("; try it again, or multisendcon account login A")
    assert admin.probed == []
    assert admin.begin().state is SignInState.WAITING
    admin.pass_by(6)
    assert admin.look().state is SignInState.DONE


def test_a_code_runs_out(tmp_path):
    admin = device(tmp_path, PENDING)
    admin.begin()
    admin.pass_by(901)
    told = admin.look()
    assert (told.state, told.trouble[:39]) == (
        SignInState.FAILED,
        "nobody has entered the code in time; be",
    )


def test_another_one_takes_the_place_of_the_first(tmp_path):
    admin = device(tmp_path, PENDING, {**CODE, "user_code": "EF-GH"}, PENDING)
    admin.begin()
    admin.pass_by(6)
    assert admin.begin().user_code == "EF-GH"
    assert len(admin.reactor.getDelayedCalls()) == 1


def test_a_provider_that_gives_no_code_is_told(tmp_path):
    admin = Admin(tmp_path, world.account(grant=Grant.DEVICE), NOBODY)
    with pytest.raises(RefusedError, match=r"nobody can sign in for A: .*access_denied"):
        admin.begin()
    assert admin.look().state is SignInState.NONE


def test_a_relay_that_stops_waits_for_nobody(tmp_path):
    admin = device(tmp_path, PENDING)
    admin.begin()
    admin.sign_ins.stop()
    assert admin.reactor.getDelayedCalls() == []


def test_by_a_browser_whose_last_address_is_brought_back(tmp_path):
    admin = browser(tmp_path)
    told = admin.begin()
    assert told.url.startswith("https://login.example/authorize?")
    assert (told.redirect, told.user_code) == ("http://127.0.0.1:65535/", "")
    assert told.until == admin.reactor.seconds() + PATIENCE
    assert admin.begin(redirected=page(told)).state is SignInState.DONE
    assert admin.desk.queue.told == [("probe", "A")]
    assert admin.token() == "a"


def test_microsoft_sends_a_browser_to_a_name(tmp_path):
    admin = browser(tmp_path, provider=Provider.MICROSOFT)
    assert admin.begin().redirect == "http://localhost:65535/"


def test_another_address_may_be_tried_again(tmp_path):
    admin = browser(tmp_path)
    told = admin.begin()
    for wrong in ("", "https://mail.example", page(told, state="other")):
        with pytest.raises(BadRequestError, match=r"redirected: .*paste the whole address"):
            admin.begin(redirected=wrong)
    assert admin.look() == told
    assert admin.begin(redirected=page(told)).state is SignInState.DONE


def test_an_address_that_says_no_ends_it(tmp_path):
    admin = browser(tmp_path)
    told = admin.begin()
    ended = admin.begin(redirected=page(told, error="access_denied"))
    assert (ended.state, "access_denied" in ended.trouble) == (SignInState.FAILED, True)


def test_a_code_that_is_of_no_use_ends_it(tmp_path):
    admin = browser(tmp_path, UNUSABLE)
    ended = admin.begin(redirected=page(admin.begin()))
    assert (ended.state, "invalid_grant" in ended.trouble) == (SignInState.FAILED, True)
    assert admin.probed == []


def test_it_does_not_wait_for_an_address_for_ever(tmp_path):
    admin = browser(tmp_path)
    told = admin.begin()
    admin.pass_by(PATIENCE)
    assert "nobody has signed in within 15 minutes" in admin.look().trouble
    with pytest.raises(RefusedError, match="no sign-in for A waits for an address"):
        admin.begin(redirected=page(told))


def test_an_address_without_a_sign_in_is_refused(tmp_path):
    with pytest.raises(RefusedError, match="no sign-in for A waits for an address; begin one"):
        browser(tmp_path).begin(redirected="http://127.0.0.1:65535/?code=c")
    admin = device(tmp_path, PENDING)
    admin.begin()
    with pytest.raises(RefusedError, match="waits for an address"):
        admin.begin(redirected="http://127.0.0.1:65535/?code=c")


def test_nobody_has_to_sign_in_for_other_accounts(tmp_path):
    admin = Admin(tmp_path, world.account(), TOKEN)
    with pytest.raises(RefusedError, match="the relay gets its tokens by itself"):
        admin.begin()
    for ask in (admin.begin, admin.look):
        with pytest.raises(RefusedError, match="nobody has to sign in for Plain: it does not log"):
            ask("Plain")
        with pytest.raises(NotFoundError):
            ask("Nobody")


def test_an_account_that_is_gone_meanwhile_does_not_matter(tmp_path):
    admin = device(tmp_path, TOKEN)

    def gone(name):
        raise AccountNotFoundError(name)

    admin.desk.queue.probe = gone
    admin.begin()
    with logged() as log:
        admin.pass_by(6)
    assert log.failures(Exception) == 0
    assert admin.look().state is SignInState.DONE


def test_a_bug_is_told_in_the_log(tmp_path):
    admin = device(tmp_path, TOKEN)
    admin.desk.queue.probe = lambda _: 1 / 0
    admin.begin()
    with logged() as log:
        admin.pass_by(6)
    assert log.failures(ZeroDivisionError) == 1


def test_who_begins_at_the_same_time_does_not_leave_one_waiting(tmp_path):
    admin = device(tmp_path)
    first, second = Deferred(), Deferred()
    admin.tokens.agent.answers = [first, second, PENDING]
    begun = [
        Deferred.fromCoroutine(admin.sign_ins.begin_sign_in("A", SignInStep())) for _ in range(2)
    ]
    first.callback(CODE)
    second.callback({**CODE, "user_code": "EF-GH"})
    assert all(each.called for each in begun)
    assert admin.look().user_code == "EF-GH"
    assert len(admin.reactor.getDelayedCalls()) == 1


def test_nothing_that_is_told_has_what_the_browser_brought(tmp_path):
    step = SignInStep(redirected="http://127.0.0.1/?code=c0de")
    assert "c0de" not in repr(step)
    assert "verifier" not in str(attrs.asdict(browser(tmp_path).begin()))
