"""The demonstration as a service: starts the servers, sends the mails, cleans up."""

from __future__ import annotations

import shutil
import smtplib
import socket
import sys
import tempfile
from pathlib import Path
from typing import Any

from twisted.application.service import IServiceCollection, Service
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.threads import deferToThreadPool
from twisted.logger import ILogObserver
from twisted.python.components import Componentized

from ..service import RelayService
from .mails import ARRIVALS, MAILS, DemoMail
from .printer import Printer
from .scene import set_up

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
        self._port = _free_port(2500)
        self._stage = set_up(self._reactor, Path(self._folder.name), self._port, self._arrived)
        self._printer.introduce(self._stage.configuration, self._port)
        self._relay = RelayService(self._stage.configuration, self._reactor, control=True)
        self._printer.listen(self._relay.events)
        self._relay.privilegedStartService()
        self._relay.startService()
        self._invitation = self._reactor.callLater(
            LONGEST,
            self._printer.invite,
            self._port,
            _command_line(),
            self._stage.configuration.path,
        )
        pool = self._reactor.getThreadPool()
        self._sending = deferToThreadPool(self._reactor, pool, _send, self._port, MAILS)
        self._sending.addErrback(lambda failure: self._printer.say(f" !!  {failure.value}"))

    def _arrived(self, provider: str, mail: Any) -> None:
        self._printer.arrived(provider, mail)
        if self._printer.arrivals >= ARRIVALS and self._invitation.active():
            self._invitation.reset(0)

    def stopService(self) -> Deferred[Any]:
        """Stop relay and providers; nothing is left behind."""
        super().stopService()
        if self._invitation.active():
            self._invitation.cancel()
        stopped: Deferred[Any] = self._relay.stopService()
        stopped.addCallback(
            lambda _: DeferredList([each.stop() for each in self._stage.providers.values()])
        )
        return stopped.addBoth(lambda _: self._folder.cleanup())


def _free_port(wanted: int) -> int:
    """Return the wanted port of 127.0.0.1, or a free one when it is taken."""
    for port in (wanted, 0):
        with socket.socket() as attempt:
            attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                attempt.bind(("127.0.0.1", port))
                attempt.listen()
            except OSError:
                continue
            return int(attempt.getsockname()[1])
    raise OSError("there is no free port on 127.0.0.1")


def _command_line() -> str:
    """Return how the command line is called that belongs to this program."""
    ours = Path(sys.argv[0]).absolute().with_name("multisendcon")
    return str(ours) if ours.exists() and not shutil.which(ours.name) else ours.name


def _send(port: int, mails: tuple[DemoMail, ...]) -> None:
    """Send the mails, as any mail program would."""
    # Without a name, it would ask the DNS for one.
    with smtplib.SMTP("127.0.0.1", port, "client.example.com") as client:
        for mail in mails:
            options = [] if mail.content.isascii() else ["body=8bitmime"]
            client.sendmail(mail.sender, mail.recipients, mail.content, options)
