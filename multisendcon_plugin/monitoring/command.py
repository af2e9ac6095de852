"""Tells of alarms by a program: it gets each as JSON on its standard input.

No shell reads anything of an alarm.  A program that hangs is killed, and what it says is of
interest only when it fails, as far as it fits in a line of the log.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import ProcessProtocol
from twisted.logger import Logger
from twisted.python.failure import Failure

from ..operations.json_form import encode
from ..operations.values import Alarm

#: Programs that run at a time, and alarms that wait for them; beyond, the oldest are dropped.
MOST_RUNNING, MOST_WAITING = 2, 1000
#: Seconds after which one is killed.
RUNS_FOR = 60.0
#: Seconds for which it is still heard when it has ended.
HEARD_FOR = 1.0
#: Octets of what it says that are kept.
_LAST_WORDS = 500
#: Variables that it gets, where they are set; others may be passwords: ``{ env = "..." }``.
ENVIRONMENT = ("PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR")

_log = Logger()


class AlarmCommand:
    """Runs the program of ``[alarm]``, command.

    :param arguments: the program first.
    :param reactor: starts it, and is the clock.
    """

    def __init__(self, arguments: tuple[str, ...], reactor: Any) -> None:
        self._arguments = arguments
        self._reactor = reactor
        self._waiting: deque[Alarm] = deque()
        self._running: set[_Program] = set()
        self._stopped = False

    def tell(self, alarm: Alarm) -> None:
        """Run it, or let the alarm wait until another run has ended."""
        if self._stopped:
            return
        if len(self._waiting) == MOST_WAITING:
            _log.error("alarm command: too many alarms wait for it; the oldest is dropped")
            self._waiting.popleft()
        self._waiting.append(alarm)
        self._go_on()

    def _go_on(self) -> None:
        while self._waiting and len(self._running) < MOST_RUNNING:
            program = _Program(encode(self._waiting.popleft()) + b"\n", self)
            self._running.add(program)
            try:
                self._reactor.spawnProcess(
                    program,
                    self._arguments[0],
                    self._arguments,
                    env={name: os.environ[name] for name in ENVIRONMENT if name in os.environ},
                )
            except OSError as error:
                self.ended(program, f"cannot be started: {error}")

    def after(self, seconds: float, function: Callable[[], object]) -> IDelayedCall:
        """Return the timer of a program."""
        timer: IDelayedCall = self._reactor.callLater(seconds, function)
        return timer

    def ended(self, program: _Program, why: str) -> None:
        """A program has ended.

        :param why: it has failed; ``""``: it has not.
        """
        self._running.discard(program)
        if why:
            _log.error("alarm command {command} {why}", command=self._arguments[0], why=why)
        if not self._stopped:
            self._go_on()

    def stop(self) -> None:
        """Run nothing more; what runs is left to itself."""
        self._stopped = True
        self._waiting.clear()
        for program in tuple(self._running):
            program.let_go()


class _Program(ProcessProtocol):
    """One run."""

    transport: Any

    def __init__(self, told: bytes, command: AlarmCommand) -> None:
        self._told = told
        self._command = command
        self._said = b""
        self._killed = False
        self._timer: IDelayedCall | None = None

    def connectionMade(self) -> None:
        self._timer = self._command.after(RUNS_FOR, self._kill)
        self.transport.write(self._told)
        self.transport.closeStdin()

    def outReceived(self, data: bytes) -> None:
        self._said = (self._said + data)[-_LAST_WORDS:]

    errReceived = outReceived

    def _kill(self) -> None:
        self._killed = True
        self.transport.signalProcess("KILL")

    def let_go(self) -> None:
        """Do not wait for its end."""
        self._stop_timer()
        self.transport.loseConnection()

    def _stop_timer(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()

    def processExited(self, reason: Failure) -> None:  # noqa: ARG002
        # What it said last may not have come yet.  But what it has started itself may hold its
        # output open for ever.
        self._stop_timer()
        self._timer = self._command.after(HEARD_FOR, self.transport.loseConnection)

    def processEnded(self, reason: Failure) -> None:
        self._stop_timer()
        why = ""
        if self._killed:
            why = f"was killed, since it ran for more than {RUNS_FOR:.0f} s"
        elif getattr(reason.value, "exitCode", None) != 0:
            said = self._said.decode(errors="replace").strip()
            why = f"failed: {reason.getErrorMessage()}" + (f": {said}" if said else "")
        self._command.ended(self, why)
