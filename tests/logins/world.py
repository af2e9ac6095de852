"""For tests of logins: a provider of tokens in memory, and a reactor without threads."""

from __future__ import annotations

import json
from types import SimpleNamespace
from urllib.parse import parse_qs

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IResponse
from zope.interface import implementer

from multisendcon_plugin import events
from multisendcon_plugin.logins import Logins
from multisendcon_plugin.routing.account import Account
from multisendcon_plugin.settings.oauth2 import Grant, OAuth2, Provider

NOW = 1_700_000_000.0
HOUR = 3600.0
TOKEN_URL = "https://login.example/token"
#: Secrets of the tests begin so.
CANARY = "c4nary"
TOKEN_EVENTS = (
    events.TokenRefreshed,
    events.TokenRefused,
    events.TokenNotStored,
    events.TokenStored,
)


class Reactor(Clock):
    """A clock whose threads run at once, or when a test says so.

    :ivar jobs: of threads that wait; ``None``: they do not.
    :ivar set_by: seconds by which the wall clock differs.
    """

    def __init__(self):
        super().__init__()
        self.rightNow = NOW
        self.jobs = None
        self.set_by = 0.0

    def wall(self):
        return self.seconds() + self.set_by

    def getThreadPool(self):  # noqa: N802
        return self

    def callFromThread(self, call, *args):  # noqa: N802
        call(*args)

    def callInThreadWithCallback(self, told, function, *args):  # noqa: N802
        def run():
            try:
                result = function(*args)
            except Exception:
                told(False, Failure())
            else:
                told(True, result)

        if self.jobs is None:
            run()
        else:
            self.jobs.append(run)

    def run_jobs(self):
        """Let the threads do what waits."""
        jobs, self.jobs = self.jobs, []
        for job in jobs:
            job()

    def pass_by(self, seconds, step=1.0):
        """Let time pass in steps, so that timers set by timers fire when they would."""
        for _ in range(int(seconds / step)):
            self.advance(step)


@implementer(IResponse)
class Response:
    """An answer."""

    version = (b"HTTP", 1, 1)
    phrase = b""
    previousResponse = request = None  # noqa: N815

    def __init__(self, code, body, headers=None):
        self.code = code
        self.headers = Headers(headers or {})
        self.body = body
        self.length = len(body)

    def deliverBody(self, protocol):  # noqa: N802
        protocol.makeConnection(self)
        for start in range(0, len(self.body), 4096):
            protocol.dataReceived(self.body[start : start + 4096])
        protocol.connectionLost(Failure(ResponseDone()))

    def abortConnection(self):
        pass


@implementer(IAgent)
class Agent:
    """Who gives tokens out.

    :param answers: one for each request, the last one for ever: what becomes JSON, octets, a status
        with either, an exception, a Response, or a Deferred.
    :ivar asked: the forms that came, as dicts.
    :ivar urls: where they came.
    """

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = []
        self.urls = []
        self.under_way = 0
        self.most_under_way = 0

    def request(self, method, uri, headers=None, bodyProducer=None):  # noqa: N803
        assert method == b"POST"
        written = []
        bodyProducer.startProducing(SimpleNamespace(write=written.append))
        body = b"".join(written).decode()
        assert len(body) == bodyProducer.length
        form = parse_qs(body, keep_blank_values=True, strict_parsing=True)
        self.asked.append({name: value for name, [value] in form.items()})
        self.urls.append(uri.decode())
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if callable(answer):
            answer = answer(self.asked[-1])
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        answered = answer if isinstance(answer, Deferred) else succeed(answer)
        return answered.addBoth(self._answered)

    def _answered(self, answer):
        self.under_way -= 1
        if isinstance(answer, Failure | Response):
            return answer
        if isinstance(answer, Exception):
            return fail(answer)
        status, body = answer if isinstance(answer, tuple) else (200, answer)
        return Response(status, body if isinstance(body, bytes) else json.dumps(body).encode())


class Giver(Agent):
    """Gives out tokens that are numbered: access1, access2 ...

    :param life: seconds; ``None``: it does not say.
    :param rotates: each refresh token serves once.
    :ivar broken: what it answers instead.
    """

    def __init__(self, life=HOUR, *, refresh=False, rotates=True):
        super().__init__(self._give)
        self.life = life
        self.refresh = refresh
        self.rotates = rotates
        self.broken = None
        self.given = 0

    def _give(self, _form):
        if self.broken is not None:
            return self.broken() if callable(self.broken) else self.broken
        self.given += 1
        answer = {"access_token": f"access{self.given}", "token_type": "Bearer"}
        if self.life is not None:
            answer["expires_in"] = self.life
        if self.refresh and (self.rotates or self.given == 1):
            answer["refresh_token"] = f"refresh{self.given}"
        return answer


def oauth2(grant=Grant.CLIENT_CREDENTIALS, **keys):
    """Return settings of an account's tokens."""
    given = {
        "provider": Provider.CUSTOM,
        "client_id": "app",
        "token_url": TOKEN_URL,
        "authorize_url": "https://login.example/authorize",
        "device_url": "https://login.example/device",
        "scope": "mail offline_access",
    }
    if grant is Grant.CLIENT_CREDENTIALS:
        given["client_secret"] = f"{CANARY}-secret"
    return OAuth2(grant=grant, **{**given, **keys})


def account(name="A", grant=Grant.CLIENT_CREDENTIALS, **keys):
    """Return an account that logs in with tokens."""
    return Account(
        name=name, server="smtp.example", username="a@b.example", oauth2=oauth2(grant, **keys)
    )


class World:
    """The logins of some accounts, from their start.

    :ivar told: the events.
    """

    def __init__(self, folder, agent, *accounts, starts=True):
        self.reactor = Reactor()
        self.agent = agent
        self.folder = str(folder)
        self.accounts = accounts or (account(),)
        self.told = []
        self.publisher = events.Publisher()
        for kind in TOKEN_EVENTS:
            self.publisher.subscribe(kind, self.told.append)
        self.logins = self.made()
        if starts:
            self.logins.startService()

    def made(self):
        """Return the logins of a relay that has just begun."""
        logins = Logins(
            self.reactor,
            folder=self.folder,
            events=self.publisher,
            wall=self.reactor.wall,
            agent=self.agent,
        )
        logins.reconfigure(self.accounts)
        return logins

    def restart(self):
        """End the relay as kill -9 would, and begin another one."""
        for call in self.reactor.getDelayedCalls():
            call.cancel()
        self.logins = self.made()
        self.logins.startService()

    @property
    def credentials(self):
        return self.logins.of(self.accounts[0])

    @property
    def standing(self):
        return self.logins.standing(self.accounts[0])

    def token(self):
        """Return the token for a session of now."""
        return result(self.credentials.current()).secret

    def trouble(self):
        """Return why there is none."""
        return error(self.credentials.current())


def result(deferred):
    """Return what a Deferred has."""
    found = []
    deferred.addBoth(found.append)
    [only] = found
    if isinstance(only, Failure):
        only.raiseException()
    return only


def error(deferred):
    """Return the exception that a Deferred has."""
    found = []
    deferred.addErrback(lambda failure: found.append(failure.value))
    [only] = found
    return only
