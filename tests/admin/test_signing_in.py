"""Somebody signs in, with a provider and a browser in memory."""

from __future__ import annotations

import os

import attrs
import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.testing import MemoryReactorClock, StringTransportWithDisconnection
from twisted.python.failure import Failure

from multisendcon_plugin.admin import signing_in, typed
from multisendcon_plugin.admin.loopback import BAD, GOOD, NOTHING
from multisendcon_plugin.admin.signing_in import PATIENCE, SigningIn
from multisendcon_plugin.errors import SignInError, WrongAddressError
from multisendcon_plugin.logins.token import Token
from multisendcon_plugin.operations.errors import RefusedError
from multisendcon_plugin.routing.account import Account
from multisendcon_plugin.settings.oauth2 import Grant, OAuth2, Provider

PORT = 49152
RIGHT = "code=c0de&state=ours"
TOKEN = Token(
    access_token="at", expires_at=2e9, refresh_token="rt", refreshed_at=1e9, obtained_at=1e9
)
SIGNED_IN = "https://login.example/authorize?client_id=relay"


class Reactor(MemoryReactorClock):
    """A reactor whose ports have numbers, and whose browsers are `Browser`."""

    def listenTCP(self, port, factory, backlog=50, interface=""):
        assert (port, interface) == (0, "127.0.0.1")
        super().listenTCP(port, factory, backlog, interface)
        self.factory = factory
        self.port = Port()
        return self.port


class Port:
    listens = True

    def getHost(self):  # noqa: N802
        return IPv4Address("TCP", "127.0.0.1", PORT)

    def stopListening(self):  # noqa: N802
        self.listens = False
        return succeed(None)


class Browser:
    """A connection of a browser."""

    def __init__(self, reactor):
        self.protocol = reactor.factory.buildProtocol(IPv4Address("TCP", "127.0.0.1", 1))
        self.transport = StringTransportWithDisconnection()
        self.transport.protocol = self.protocol
        self.protocol.makeConnection(self.transport)

    def get(self, path, method="GET"):
        self.protocol.dataReceived(f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        return self

    @property
    def answer(self):
        return self.transport.value().decode()


@attrs.frozen
class Code:
    """Stands for a sign-in with a browser."""

    finish: object
    url: str = SIGNED_IN


@attrs.frozen
class Device:
    """Stands for a sign-in by a code."""

    finish: object
    user_code: str = "ABCD-EFGH"
    url: str = "https://login.example/device"
    complete_url: str = "https://login.example/device?c=ABCD-EFGH"


class World:
    """Somebody who signs in for an account.

    :ivar finished: what was handed to the provider.
    :ivar answers: what comes of it, in turn; then a token.
    :ivar ended: what came of it all.
    """

    def __init__(self, patch, grant=Grant.AUTHORIZATION_CODE, provider=Provider.MICROSOFT, **more):
        self.reactor = Reactor()
        self.told, self.finished, self.answers, self.ended = [], [], [], []
        self.redirect = None
        oauth2 = OAuth2(provider=provider, grant=grant, client_id="relay", **more)
        account = Account(
            name="Sales", server="smtp.example", username="sales@example.com", oauth2=oauth2
        )
        patch.setattr(signing_in, "begin_code", self._begin_code)
        patch.setattr(signing_in, "begin_device", self._begin_device)
        patch.setattr(typed, "follow", self._follow)
        work = SigningIn(account, oauth2, "/spool", self.told.append, 0).perform(self.reactor)
        Deferred.fromCoroutine(work).addBoth(self.ended.append)

    def _begin_code(self, account, folder, redirect, reactor):
        assert (account.name, folder, reactor) == ("Sales", "/spool", self.reactor)
        self.redirect = redirect
        return Code(self._finish)

    def _begin_device(self, account, folder, reactor):
        assert (account.name, folder, reactor) == ("Sales", "/spool", self.reactor)
        return succeed(Device(lambda: self._finish("polled")))

    def _follow(self, reactor, descriptor, take):
        assert (reactor, descriptor) == (self.reactor, 0)
        self.paste = take

    def _finish(self, redirected):
        self.finished.append(redirected)
        return self.answers.pop(0) if self.answers else succeed(TOKEN)

    @property
    def text(self):
        return "\n".join(self.told)

    def error(self):
        (ended,) = self.ended
        assert isinstance(ended, Failure)
        return ended.value


@pytest.fixture
def begin(monkeypatch):
    return lambda *arguments, **more: World(monkeypatch, *arguments, **more)


def test_a_browser_of_this_machine_brings_the_code(begin):
    world = begin()
    assert world.redirect == f"http://localhost:{PORT}"
    assert SIGNED_IN in world.told
    assert "Sign in as sales@example.com." in world.text
    assert world.ended == []
    browser = Browser(world.reactor).get(f"/?{RIGHT}")
    assert world.finished == [RIGHT]
    assert browser.answer.startswith("HTTP/1.1 200 OK\r\n")
    assert GOOD in browser.answer
    assert "Referrer-Policy: no-referrer" in browser.answer
    assert world.ended == [TOKEN]
    assert not browser.transport.connected
    assert not world.reactor.port.listens
    assert world.reactor.getDelayedCalls() == []


def test_no_code_is_told(begin):
    world = begin()
    world.answers = [fail(WrongAddressError("another state"))]
    Browser(world.reactor).get("/?code=c0de&state=other")
    world.paste(f"http://localhost:{PORT}/?{RIGHT}")
    assert world.ended == [TOKEN]
    assert "c0de" not in world.text
    assert "c0de" not in Browser(world.reactor).get("/?code=c0de").answer


def test_another_provider_gets_an_address(begin):
    assert begin(provider=Provider.GOOGLE).redirect == f"http://127.0.0.1:{PORT}"


def test_who_has_access_to_a_mailbox_is_named(begin):
    world = begin(mailbox="shared@example.com")
    assert (
        "Sign in as sales@example.com, who has access to the mailbox shared@example.com."
        in world.text
    )


@pytest.mark.parametrize(
    "pasted",
    [
        f"http://localhost:{PORT}/?{RIGHT}",
        f"  '<http://localhost:{PORT}/?{RIGHT}#>'\r",
        f"http://localhost:{PORT}?{RIGHT}",
        RIGHT,
    ],
)
def test_what_a_browser_elsewhere_was_sent_to_may_be_pasted(begin, pasted):
    world = begin()
    world.paste(pasted)
    assert world.finished == [RIGHT]
    assert world.ended == [TOKEN]


@pytest.mark.parametrize(
    "pasted", ["", "yes", f"{SIGNED_IN}&state=x", "http://[", f"http://localhost:{PORT}/"]
)
def test_what_else_is_pasted_is_asked_for_again(begin, pasted):
    world = begin()
    before = len(world.told)
    world.paste(pasted)
    assert world.told[before].startswith("That is not the address of the page at the end, http://")
    assert (world.finished, world.ended) == ([], [])
    world.paste(RIGHT)
    assert world.ended == [TOKEN]


def test_who_is_sent_here_by_somebody_else_is_refused_and_it_goes_on_waiting(begin):
    world = begin()
    world.answers = [fail(WrongAddressError("it is not the answer to this sign-in"))]
    browser = Browser(world.reactor).get("/?code=evil&state=theirs")
    assert browser.answer.startswith("HTTP/1.1 400 Bad Request")
    assert BAD in browser.answer
    assert world.told[-1] == "it is not the answer to this sign-in. It goes on waiting."
    assert world.ended == []
    Browser(world.reactor).get(f"/?{RIGHT}")
    assert world.ended == [TOKEN]


def test_a_refusal_of_the_provider_ends_it(begin):
    world = begin()
    world.answers = [fail(SignInError("login.example refuses: access_denied"))]
    browser = Browser(world.reactor).get("/?error=access_denied&state=ours")
    assert BAD in browser.answer
    assert str(world.error()) == "login.example refuses: access_denied"
    assert not world.reactor.port.listens


@pytest.mark.parametrize(
    ("path", "method"),
    [("/favicon.ico", "GET"), ("/", "GET"), (f"/?{RIGHT}", "HEAD"), (f"/x?{RIGHT}", "GET")],
)
def test_nothing_else_is_there(begin, path, method):
    world = begin()
    browser = Browser(world.reactor).get(path, method)
    assert browser.answer.startswith("HTTP/1.1 404 Not Found")
    assert (NOTHING in browser.answer) is (method == "GET")
    assert (world.finished, world.ended) == ([], [])


def test_a_browser_that_has_gone_is_told_nothing(begin):
    world = begin()
    waiting = Deferred()
    world.answers = [waiting]
    browser = Browser(world.reactor).get(f"/?{RIGHT}")
    browser.transport.loseConnection()
    waiting.callback(TOKEN)
    assert world.ended == [TOKEN]
    assert browser.answer == ""


def test_redirects_are_looked_at_one_by_one(begin):
    world = begin()
    waiting = Deferred()
    world.answers = [waiting]
    Browser(world.reactor).get("/?code=first&state=x")
    Browser(world.reactor).get("/?code=second&state=x")
    assert world.finished == ["code=first&state=x"]
    waiting.errback(WrongAddressError("no"))
    assert world.finished[1:] == ["code=second&state=x"]
    assert world.ended == [TOKEN]


def test_nobody_signs_in(begin):
    world = begin()
    world.reactor.advance(PATIENCE)
    error = world.error()
    assert isinstance(error, RefusedError)
    assert str(error) == "nobody has signed in within 15 minutes; try it again"
    assert not world.reactor.port.listens


def test_a_browser_that_does_not_end_is_not_waited_for(begin):
    world = begin()
    browser = Browser(world.reactor)
    browser.transport.loseConnection = lambda: None
    world.paste(RIGHT)
    assert world.ended == []
    world.reactor.advance(5)
    assert world.ended == [TOKEN]


def test_a_browser_that_says_nothing_is_let_go(begin):
    world = begin()
    browser = Browser(world.reactor)
    world.reactor.advance(60)
    assert not browser.transport.connected
    assert world.ended == []


def test_a_device_shows_the_code(begin):
    world = begin(Grant.DEVICE)
    assert world.told == [
        "Open https://login.example/device in a browser anywhere, and enter ABCD-EFGH",
        "or open https://login.example/device?c=ABCD-EFGH",
        "Sign in as sales@example.com. Ctrl-C gives up.",
    ]
    assert world.ended == [TOKEN]


def test_a_device_is_refused(monkeypatch):
    monkeypatch.setattr(
        World, "_finish", lambda *_: fail(SignInError("the code has run out; try it again"))
    )
    assert str(World(monkeypatch, Grant.DEVICE).error()) == "the code has run out; try it again"


# What is typed.


@attrs.define
class Calls:
    """Runs at once what a thread hands over."""

    lines: list[str] = attrs.field(factory=list)

    def callFromThread(self, function, *arguments):  # noqa: N802
        function(*arguments)


def test_lines_are_read_as_they_come_and_at_the_end():
    calls = Calls()
    read, write = os.pipe()
    os.write(write, b"first\nsec")
    os.write(write, b"ond\n\xff\nlast")
    os.close(write)
    typed._read(calls, read, calls.lines.append)
    os.close(read)
    assert calls.lines == ["first", "second", "\ufffd", "last"]


@pytest.mark.parametrize("gone", [True, False])
def test_a_terminal_that_is_gone_or_was_never_there_has_no_lines(gone):
    calls = Calls()
    read, write = os.pipe()
    os.close(read)
    os.close(write)
    typed._read(calls, read if gone else -1, calls.lines.append)
    assert calls.lines == []
