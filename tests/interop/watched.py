"""Providers that tell what happens at their door, and when, and behave as they are told.

Times are those of the machine's monotonic clock, as the provider's process reads it: when a command
was seen, and right before a reply is given to the system.
"""

from __future__ import annotations

import json
import sys
import threading
import time

import attrs
from twisted.internet.defer import Deferred

from multisendcon_plugin.edge.protocol import RelayESMTP
from multisendcon_plugin.mail.reply import Reply
from multisendcon_plugin.testing import Provider
from tests.interop.provider import ProviderProcess, main, say

_BUSY = Reply(421, "4.3.2", "come back later")
_GREYLISTED = Reply(451, "4.7.1", "Try again later")
_REFUSED = Reply(550, "5.1.1", "nobody of that name")

#: How it may behave: as usual; 421 instead of a greeting; no greeting at all; 550 to each
#: recipient; the connection is cut off at MAIL.
SERVE, BUSY, SILENT, REFUSE, CUT = "serve", "busy", "silent", "refuse", "cut"


@attrs.frozen(kw_only=True)
class Event:
    """Something that happened.

    :param what: "open", "close", "login", "mail" (MAIL FROM was said), "recipient" (RCPT TO was),
        "reply" (a mail was taken or anything refused), "taken" (right before its reply).
    :param about: username, sender, code, or recipient.
    :param username: by which login a mail came that was taken.
    :param begun: when the MAIL FROM of a mail was said that was taken.
    """

    at: float
    session: int
    what: str
    about: str
    username: str = ""
    begun: float = 0.0


class WatchedProvider(ProviderProcess):
    """A provider; see `ProviderProcess`.

    :ivar events: all that has happened, in order.
    """

    program = "tests.interop.watched"

    def __init__(self, folder, address, **settings):
        super().__init__(folder, address, **settings)
        self.events = []

    def _take(self, fields):
        if "what" in fields:
            self.events.append(Event(**fields))
        else:
            super()._take(fields)

    def behave(self, how):
        """Behave like this from now on, as `SERVE` is what it does from the start."""
        self._process.stdin.write(json.dumps(how).encode() + b"\n")
        self._process.stdin.flush()

    def of(self, what):
        """Return the events of one kind."""
        return [event for event in self.events if event.what == what]

    @property
    def taken(self):
        """The recipients of all mails that were taken, as often as they got one."""
        return [event.about for event in self.of("taken")]

    @property
    def most_sessions(self):
        """How many sessions were open at a time."""
        now = most = 0
        for event in self.events:
            now += {"open": 1, "close": -1}.get(event.what, 0)
            most = max(most, now)
        return most


class _Session(RelayESMTP):
    number = 0

    def tell(self, what, about=""):
        say(at=time.monotonic(), session=self.number, what=what, about=about)

    def connectionMade(self):
        self.number = self.factory.sessions
        self.tell("open")
        super().connectionMade()

    def connectionLost(self, *reason):
        self.tell("close")
        super().connectionLost(*reason)

    def greet(self):
        self._outlet = _Told(self._outlet, self)
        if self.factory.how == BUSY:
            self.dialogue.talk.close_with(_BUSY)
        elif self.factory.how != SILENT:
            super().greet()

    def validateFrom(self, helo, origin):
        self.tell("mail", origin.address)
        if self.factory.how == CUT:
            self.transport.abortConnection()
            return Deferred()  # there is no answer
        return super().validateFrom(helo, origin)


class _Told:
    """The outlet of a session, which tells of replies to mails and of refusals."""

    def __init__(self, outlet, session):
        self._outlet = outlet
        self._session = session

    def __getattr__(self, name):
        return getattr(self._outlet, name)

    def write(self, octets):
        self._outlet.write(octets)
        for reply in octets.splitlines():
            if reply[:1] in b"45" or b" queued as " in reply:
                self._session.tell("reply", reply[:3].decode())
                # Now, and not after whatever else the reactor has to do.
                self._session.transport.doWrite()


class _Watched(Provider):
    """A watched provider.

    :param greylists: seconds from the first final dot of a mail whose subject begins with "grey"
        until it is taken; 0: at once.
    """

    protocol = _Session

    def __init__(self, reactor, *, greylists=0.0, **settings):
        super().__init__(reactor, answer=self._decide, **settings)
        self.how = SERVE
        self._greylists = greylists
        self._greylisted = {}
        threading.Thread(target=self._listen_to_test, daemon=True).start()

    def _listen_to_test(self):
        for line in sys.stdin:
            self.reactor.callFromThread(setattr, self, "how", json.loads(line))

    def _decide(self, phase, about):
        # Of whichever session: the number is that of the one that began last.
        if phase == "login":
            say(at=time.monotonic(), session=self.sessions, what="login", about=about)
        if phase == "rcpt":
            say(at=time.monotonic(), session=self.sessions, what="recipient", about=about)
        if phase == "end" and self._greylists and self._is_greylisted(about):
            return _GREYLISTED
        return _REFUSED if phase == "rcpt" and self.how == REFUSE else None

    def _is_greylisted(self, content):
        subject = content.partition("Subject: ")[2].partition("\r\n")[0]
        now = time.monotonic()
        until = self._greylisted.setdefault(subject, now + self._greylists)
        return subject.startswith("grey") and now < until

    def record(self, mail):
        for recipient in mail.recipients:
            say(
                at=time.monotonic(),
                session=mail.session,
                what="taken",
                about=recipient,
                username=mail.username,
                begun=mail.mail_from_at,
            )


if __name__ == "__main__":
    main(_Watched)
