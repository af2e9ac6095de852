"""The demonstration as a service: starts the servers and the page, sends the mails, cleans up."""

from __future__ import annotations

import shutil
import smtplib
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from twisted.application.service import IServiceCollection, Service
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.threads import deferToThreadPool
from twisted.logger import ILogObserver
from twisted.python.components import Componentized

from ..service import RelayService
from .day import CLIENT, Day
from .mails import ARRIVALS, MAILS, DemoMail
from .page import demo_page
from .printer import Printer
from .scene import free_port, set_up

#: Seconds after which the invitation comes, even if something has not arrived.
LONGEST = 30.0


class DemoService(Service):
    """Runs a relay with its providers in a temporary folder, and sends it a dozen mails."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._printer = Printer(sys.stdout)

    def setServiceParent(self, parent: Any) -> None:
        """Join the application, and take its log: what is to be seen is printed instead."""
        if isinstance(parent, Componentized):
            parent.setComponent(ILogObserver, self._printer)
        super().setServiceParent(IServiceCollection(parent))

    def startService(self) -> None:
        """Start the servers, and begin to send."""
        super().startService()
        self._folder = tempfile.TemporaryDirectory(prefix="multisendcon-demo-")
        self._port = free_port("127.0.0.1", 2500)
        self._stage = set_up(self._reactor, Path(self._folder.name), self._port, self._arrived)
        self._printer.introduce(self._stage.configuration, self._port)
        self._relay = RelayService(self._stage.configuration, self._reactor, control=True)
        self._printer.listen(self._relay.events)
        self._relay.privilegedStartService()
        self._relay.startService()
        self._page = demo_page(self._relay, free_port("127.0.0.1", 2580), self._reactor)
        if self._page is not None:
            self._page.privilegedStartService()
            self._page.startService()
        self._day = Day(self._relay.operations, partial(self._send, CLIENT), self._reactor)
        self._invitation = self._reactor.callLater(LONGEST, self._invite)
        self._send("client.example.com", MAILS)

    def _send(self, client: str, mails: tuple[DemoMail, ...]) -> Deferred[None]:
        """Send mails, and say so where that fails."""
        pool = self._reactor.getThreadPool()
        sent: Deferred[None] = deferToThreadPool(
            self._reactor, pool, _send, self._port, client, mails
        )
        return sent.addErrback(lambda failure: self._printer.say(f" !!  {failure.value}"))

    def _invite(self) -> None:
        """Leave the stage to those who watch."""
        page = self._page.addresses[0] if self._page is not None else None
        self._printer.invite(
            self._port,
            _command_line(),
            str(self._stage.configuration.path),
            f"http://{page.host}:{page.port}/" if isinstance(page, IPv4Address) else "",
        )
        self._day.startService()

    def _arrived(self, provider: str, mail: Any) -> None:
        self._printer.arrived(provider, mail)
        if self._printer.arrivals >= ARRIVALS and self._invitation.active():
            self._invitation.reset(0)

    def stopService(self) -> Deferred[Any]:
        """Stop relay and providers; nothing is left behind."""
        super().stopService()
        if self._invitation.active():
            self._invitation.cancel()
        stopped: Deferred[Any] = DeferredList(
            [each.stopService() for each in (self._page, self._day) if each is not None]
        )
        stopped.addCallback(lambda _: self._relay.stopService())
        stopped.addCallback(
            lambda _: DeferredList([each.stop() for each in self._stage.providers.values()])
        )
        return stopped.addBoth(lambda _: self._folder.cleanup())


def _command_line() -> str:
    """Return how the command line is called that belongs to this program."""
    ours = Path(sys.argv[0]).absolute().with_name("multisendcon")
    return str(ours) if ours.exists() and not shutil.which(ours.name) else ours.name


def _send(port: int, client: str, mails: tuple[DemoMail, ...]) -> None:
    """Send the mails, as any mail program would.

    :param client: what it calls itself; without a name, it would ask the DNS for one.
    """
    with smtplib.SMTP("127.0.0.1", port, client) as session:
        for mail in mails:
            options = [] if mail.content.isascii() else ["body=8bitmime"]
            session.sendmail(mail.sender, mail.recipients, mail.content, options)
