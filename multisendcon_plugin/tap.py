"""`twistd multisendcon`: options, checks before it becomes a daemon, the service.

Only this module and the program of the front process import the reactor.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any, NoReturn, TypeVar, cast

from twisted.application.service import IService
from twisted.internet.defer import Deferred
from twisted.logger import ILogObserver
from twisted.python import usage
from twisted.python.components import Componentized
from twisted.python.failure import Failure

from .configuration import Configuration, ReloadSummary, load
from .daemon import descriptors
from .daemon.clock import make_steady
from .daemon.dispatch import dispatch_directly
from .daemon.json_lines import json_line
from .daemon.log import line, observer
from .daemon.preflight import preflight
from .daemon.resolver import install_resolver
from .daemon.sd_notify import Notifier, Systemd, take_over
from .daemon.signals import handle_hangup, handle_in_turn
from .errors import ConfigurationError, MultisendconError
from .events import FrontProcessStarted
from .service import RelayService
from .settings.operation import LogFormat

T = TypeVar("T")


class Options(usage.Options):
    """The options of `twistd multisendcon`."""

    synopsis = "[--config=FILE | --demo]"
    longdesc = "Relays mail through one of many SMTP accounts, chosen by the sender."
    optParameters = (("config", "c", None, "The configuration file (TOML)."),)
    optFlags = (
        (
            "demo",
            None,
            "Show the relay at work with providers and mails of its own; no file needed.",
        ),
    )

    @property
    def changes_user(self) -> bool:
        """The daemon will run as another user."""
        return self.parent is not None and self.parent["uid"] is not None

    @property
    def daemonizes(self) -> bool:
        """The program goes on in the background."""
        return self.parent is not None and not self.parent["nodaemon"]

    @property
    def has_front_process(self) -> bool:
        """A process of its own serves the clients, where that brings something.

        It could not read what only the user can read that the daemon was before.
        """
        wanted: bool = self.configuration.master_relay.own_process
        return wanted and not self.changes_user and _processors() > 1

    def postOptions(self) -> None:
        """Read the configuration, and look whether the relay could start.

        A fault ends the program with a clear text and exit status 1.
        """
        if bool(self["config"]) == bool(self["demo"]):
            raise usage.UsageError("give --config=FILE, or --demo to see the relay at work")
        # Before the first program is started, which may be one that tells a password.
        self.notifier = take_over()
        self._forgo_pid_file()
        if self["config"]:
            try:
                self.configuration = load(self["config"])
                # Files that root makes are of no use to the user that the daemon becomes.
                preflight(self.configuration, spool=not self.changes_user)
            except MultisendconError as error:
                _exit(error)

    def _forgo_pid_file(self) -> None:
        """Let twistd write no PID file in the foreground, unless one is asked for by its name.

        Whoever has started the program knows its PID.  In a container, the file that a crash leaves
        behind names PID 1, which is there again, so twistd would refuse to start for ever; and the
        working directory may not be writable.  Whoever names twistd's default, ``twistd.pid``, is
        taken for one who has not asked: the two cannot be told apart.
        """
        twistd = self.parent
        if twistd and not self.daemonizes and twistd["pidfile"] == twistd.defaults["pidfile"]:
            twistd["pidfile"] = ""


class DaemonService(RelayService):
    """The relay as a program: what keeps it from starting ends it with a clear text.

    :ivar in_background: nobody reads what it says but twistd, which waits for its start.
    :ivar log_options: of twistd, which say where the log of the whole program goes.
    """

    in_background = False
    log_options: Mapping[str, Any] | None = None

    def __init__(
        self, configuration: Configuration, reactor: Any, notifier: Notifier, *, front_process: bool
    ) -> None:
        super().__init__(configuration, reactor, front_process=front_process, control=True)
        self._has_front = front_process
        self._systemd = Systemd(
            notifier, reactor, heartbeat=self.spool.heartbeat, status=self.operations.status
        )

    def setServiceParent(self, parent: Any) -> None:
        """Have twistd's log written by ours."""
        super().setServiceParent(parent)
        if self.log_options is None or not isinstance(parent, Componentized):
            return
        # A logger that twistd is told of comes first.
        as_json = self.configuration.log.format is LogFormat.JSON
        log = observer(self.log_options, self._reactor, json_line if as_json else line)
        if log is not None:
            parent.setComponent(ILogObserver, log)

    def privilegedStartService(self) -> None:
        """Listen, or exit."""
        self._take_descriptors()
        self._or_exit(super().privilegedStartService)

    def _take_descriptors(self) -> None:
        # The program's, not the service's: an application that embeds the service would be
        # surprised.
        needed = descriptors.needed(self.configuration)
        allowed = descriptors.allow(needed)
        if allowed < needed:
            self.log.warn(
                "at most {allowed} files may be open (ulimit -n, LimitNOFILE=), but max_connections"
                " of [master_relay] and [delivery] may need {needed}; raise the limit or lower the"
                " keys",
                allowed=allowed,
                needed=needed,
            )

    def hang_up(self, _: int) -> None:
        """Read the configuration anew: what SIGHUP asks for."""
        self.reload().addErrback(self._not_reloaded)

    def _not_reloaded(self, failure: Failure) -> None:
        failure.trap(ConfigurationError)
        error: Any = failure.value
        for fault in error.faults:
            self.log.error("the configuration was not reloaded: {fault}", fault=fault)

    def reload(self, configuration: Configuration | None = None) -> Deferred[ReloadSummary]:
        """Go on with another configuration, which may need more file descriptors."""
        self._systemd.reloading()
        reloaded = super().reload(configuration).addCallback(self._reloaded)
        return reloaded.addBoth(self._over)

    def _reloaded(self, summary: ReloadSummary) -> ReloadSummary:
        self._take_descriptors()
        return summary

    def _over(self, result: T) -> T:
        self._systemd.ready()
        return result

    def startService(self) -> None:
        """Start, or exit."""
        self._systemd.starting()
        self._or_exit(super().startService)
        if self._has_front:
            self.events.subscribe(FrontProcessStarted, lambda _: self._systemd.ready())
        else:
            # The ports are open, but the reactor may not run yet.
            self._reactor.callWhenRunning(self._systemd.ready)

    def stopService(self) -> Deferred[Any]:
        """Stop, and say so."""
        self._systemd.stopping()
        return super().stopService()

    def _or_exit(self, start: Callable[[], None]) -> None:
        try:
            start()
        except MultisendconError as error:
            if self.in_background:
                # Of an exception, twistd tells the one who has called it; for an exit, it would
                # wait for ever.
                self.log.critical("the relay cannot start: {error}", error=str(error))
                raise error from None
            _exit(error)


def _processors() -> int:
    """Return how many processors this process may use, as far as the system tells that."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _exit(error: MultisendconError) -> NoReturn:
    raise SystemExit(f"multisendcon: {error}") from None


def makeService(options: Options) -> IService:
    """Return the service that twistd runs."""
    from twisted.internet import reactor  # noqa: PLC0415 -- it is chosen when twistd has started

    make_steady(reactor)
    dispatch_directly(reactor)
    install_resolver(reactor)
    reactor.callWhenRunning(handle_in_turn, reactor)
    # What is there by now stays: each full collection of garbage would look at all of it, and hold
    # up the mail for some 40 ms, several times while a long queue is listed.
    reactor.callWhenRunning(gc.collect)
    reactor.callWhenRunning(gc.freeze)
    if options["demo"]:
        handle_hangup(reactor, cast("Any", reactor).sigTerm)  # its place is its terminal
        from .demo import DemoService  # noqa: PLC0415 -- only the demonstration needs the fakes

        demo: IService = DemoService(reactor)
        return demo
    relay = DaemonService(
        options.configuration,
        reactor,
        options.notifier,
        front_process=options.has_front_process,
    )
    handle_hangup(reactor, relay.hang_up)
    relay.in_background = options.daemonizes
    relay.log_options = options.parent
    service: IService = relay
    return service
