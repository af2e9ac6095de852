"""What operators do to a relay in a process of its own, and what its providers see of that."""

from __future__ import annotations

import collections
import contextlib
import os
import signal
import subprocess
import sys
import threading
from http.client import HTTPException
from urllib.parse import quote

import attrs

from tests.interop.clients import Clients
from tests.interop.processes import all_end
from tests.interop.programs import ROOT, until
from tests.interop.relay import Relay, account
from tests.interop.watched import WatchedProvider
from tests.web.live import Control

#: Nobody listens there: what waits for it goes on waiting.
NOWHERE = ("127.0.0.9", 9)


class Operator:
    """One who works on the queue, over the control socket; each thing is asked anew."""

    def __init__(self, relay):
        self._spool = relay.spool

    def ask(self, method, path, body=None):
        """Return the answer, which is to be a good one."""
        with contextlib.closing(Control(self._spool)) as control:
            status, answer = control.json(method, path, body)
        assert status == 200, answer
        return answer

    def change(self, action, **body):
        """Have deliveries changed; return how many were, and the ids of their mails."""
        answer = self.ask("POST", f"queue/{action}", body)
        return answer["changed"], answer["ids"]

    def account(self, name, action):
        return self.ask("POST", f"accounts/{quote(name)}/{action}", {})

    def rows(self, query=""):
        """Return what waits."""
        with contextlib.closing(Control(self._spool)) as control:
            return control.lines(f"queue?{query}")


class Office:
    """A relay with the account Sales, which takes all, with Shop, and with one for reports.

    :ivar sales: the provider of that account, and so on.
    """

    def __init__(self, folder, **sales):
        self._stack = contextlib.ExitStack()
        self._folder = folder
        self._of_sales = sales

    def __enter__(self):
        enter, folder = self._stack.enter_context, self._folder
        self.sales = enter(WatchedProvider(folder, "127.0.3.1", **self._of_sales))
        self.shop = enter(WatchedProvider(folder, "127.0.3.2"))
        self.reports = enter(WatchedProvider(folder, "127.0.3.3"))
        self.relay = Relay(folder, self.configuration())
        self._stack.callback(self._end)
        self.operator = Operator(self.relay)
        return self

    def __exit__(self, *exc_info):
        self._stack.__exit__(*exc_info)

    def _end(self):
        if self.relay.process is not None and self.relay.process.poll() is None:
            self.relay.kill()

    def configuration(self, *, sales=None, shop=None):
        """Return the configuration.

        :param sales: address and port of its server; None: the provider's; False: there is none.
        """
        ways = [("Sales", sales, self.sales), ("Shop", shop, self.shop)]
        accounts = [
            account(name, *(at or (provider.address, provider.port)))
            for name, at, provider in ways
            if at is not False
        ]
        reports = (
            f'[ndr]\nserver = "{self.reports.address}"\nport = {self.reports.port}\n'
            "max_per_hour = 1000000\n"
        )
        return reports + "".join(accounts)

    def start(self):
        self.relay.start()
        until((self.relay.spool / "control.sock").exists, "the control socket is there")

    def hand_in(self, count, sender_of):
        """Hand mails in; return the recipients."""
        recipients = [f"{number}@customer.example" for number in range(count)]
        with Clients(self.relay, recipients, sessions=8, sender_of=sender_of) as clients:
            clients.join()
        assert clients.acknowledged == set(recipients)
        return recipients

    def drained(self, timeout=60):
        """Wait until all has left; a report may come of the last mail."""
        until(lambda: not self.relay.waiting(), "all has left", timeout)

    def kill_all(self):
        """Kill all processes of the relay at once, as the system does without memory."""
        pids = [self.relay.process.pid, *self.relay.children()]
        with all_end(pids[1:], self.relay.farewell):
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self.relay.process.wait()

    def taken(self):
        """Count by recipient how often each mail was taken, of both accounts."""
        return collections.Counter(self.sales.taken + self.shop.taken)

    def command(self, *arguments):
        """Begin a command, in a process of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", "multisendcon_plugin", *arguments],
            cwd=self._folder,
            env={
                **os.environ,
                "MULTISENDCON_CONFIG": str(self._folder / "relay.toml"),
                "PYTHONPATH": str(ROOT),
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )


@attrs.define(slots=False)
class Work:
    """Changes that are asked for one after the other, until the relay does not answer.

    :param changes: functions that ask, and return what was changed.
    :ivar answered: what the answers were.
    """

    _changes: list
    answered: list = attrs.field(factory=list)

    def __attrs_post_init__(self):
        self._thread = threading.Thread(target=self._run)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._thread.join()

    def wait_for(self, count):
        until(
            lambda: len(self.answered) >= count or not self._thread.is_alive(),
            "some is answered",
        )

    def _run(self):
        for change in self._changes:
            try:
                self.answered.append(change())
            except (OSError, HTTPException):
                break
