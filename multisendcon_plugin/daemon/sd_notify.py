"""Tells systemd how the relay is: ready, reloading, stopping, its status, and that it lives.

The protocol of sd_notify(3): one datagram for each, to the socket that `NOTIFY_SOCKET` names.
Without that variable nothing is told, and no trouble with the socket ever harms the relay.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Coroutine, MutableMapping
from contextlib import suppress
from typing import Any

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall

from ..errors import SpoolError
from ..operations.values import Status
from ..outcome.condition import State

#: Seconds between two looks at what the status says.
STATUS_EVERY = 30.0
#: Seconds that the start may take from the moment when the spool is opened: an interrupted upgrade
#: or a large spool after a crash.
START_WITHIN = 900.0

#: States of an account in which somebody may have to look after it.
_AT_FAULT = (State.SLOW, State.RESTING, State.LOGIN, State.QUOTA)


@attrs.frozen
class Notifier:
    """The socket of systemd.

    :param address: of it; ``""``: there is none.
    :param watchdog: seconds within which it has to hear that we live; 0: it does not matter.
    """

    address: str = ""
    watchdog: float = 0.0

    @classmethod
    def from_environment(cls, environment: MutableMapping[str, str], pid: int) -> Notifier:
        """Take what systemd says there to the process with this number.

        It is removed, so that no program that we start speaks for us.
        """
        address = environment.pop("NOTIFY_SOCKET", "")
        watchdog = environment.pop("WATCHDOG_USEC", "")
        meant = environment.pop("WATCHDOG_PID", str(pid)) == str(pid)
        seconds = int(watchdog) / 1e6 if meant and watchdog.isdecimal() else 0.0
        return cls(address if address.startswith(("/", "@")) else "", seconds)

    def tell(self, *assignments: str) -> None:
        """Tell it something, such as ``READY=1``."""
        if not self.address:
            return
        # "@" stands for the NUL of an abstract address (unix(7)).
        address = "\0" + self.address[1:] if self.address.startswith("@") else self.address
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender, suppress(OSError):
            sender.setblocking(False)
            sender.sendto("\n".join(assignments).encode(), address)


class Systemd:
    """What systemd is told while the relay runs.

    :param heartbeat: of the spool, see `IStore`.
    :param status: tells how the relay is.
    """

    def __init__(
        self,
        notifier: Notifier,
        clock: IReactorTime,
        *,
        heartbeat: Callable[[], Deferred[None]],
        status: Callable[[], Coroutine[Any, Any, Status]],
    ) -> None:
        self._notifier = notifier
        self._heartbeat = heartbeat
        self._status = status
        self._said = ""
        self._ready = False
        self._loops = LoopingCall(self._tell_life), LoopingCall(self._tell_status)
        for each in self._loops:
            each.clock = clock

    def starting(self) -> None:
        """The spool is opened next, which may take a while."""
        extend = f"EXTEND_TIMEOUT_USEC={START_WITHIN * 1e6:.0f}"
        self._notifier.tell("STATUS=opening the spool", extend)

    def ready(self) -> None:
        """Clients are served, and by the present configuration."""
        if self._ready or not self._notifier.address:
            return
        self._ready = True
        self._notifier.tell("READY=1")
        for loop, interval in zip(
            self._loops, (self._notifier.watchdog / 2, STATUS_EVERY), strict=True
        ):
            if interval and not loop.running:
                loop.start(interval)

    def reloading(self, monotonic: Callable[[], int] = time.monotonic_ns) -> None:
        """The configuration is about to change; `ready` says that it is over, whatever came of it.

        :param monotonic: ``CLOCK_MONOTONIC``, in nanoseconds.
        """
        self._ready = False
        self._notifier.tell("RELOADING=1", f"MONOTONIC_USEC={monotonic() // 1000}")

    def stopping(self) -> None:
        """The relay stops."""
        self._ready = True  # a front process that starts now is none
        for loop in self._loops:
            if loop.running:
                loop.stop()
        self._notifier.tell("STOPPING=1", "STATUS=finishing the deliveries in progress")

    def _tell_life(self) -> Deferred[None]:
        # The reactor calls this, and the writer answers: if either hangs, nothing is told.  The
        # loop goes on when there is an answer.
        return self._heartbeat().addCallback(lambda _: self._notifier.tell("WATCHDOG=1"))

    def _tell_status(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self._tell_new_status())

    async def _tell_new_status(self) -> None:
        try:
            text = status_text(await self._status())
        except SpoolError as error:
            text = f"the spool cannot be read: {error}"
        if text != self._said and self._loops[1].running:
            self._said = text
            self._notifier.tell(f"STATUS={text}")


def status_text(status: Status) -> str:
    """Return what ``systemctl status`` shows."""
    parts = [f"{status.waiting:,} waiting"]
    if status.held:
        parts.append(f"{status.held:,} held")
    faults = [
        f"{each.name} ({each.state.value})" for each in status.accounts if each.state in _AT_FAULT
    ]
    if faults:
        parts.append(f"accounts at fault: {', '.join(faults)}")
    if not status.accepting:
        parts.append("new mail is not accepted")
    return "; ".join(parts)


def take_over() -> Notifier:
    """Return what systemd says to this process: see `Notifier.from_environment`."""
    return Notifier.from_environment(os.environ, os.getpid())
