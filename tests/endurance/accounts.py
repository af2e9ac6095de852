"""Three bad accounts among many good ones: the good ones are to feel nothing of it.

Each account takes the mail of a domain of its own.  First all of them are good, for their usual
pace; then, with a fresh relay, the login of one is refused (535), one's server is a black hole (its
backlog is full, so that SYN packets vanish) or says never a word, and one's refuses every recipient
(550).  Only the mail of the last one may be reported to its senders.
"""

from __future__ import annotations

import collections
import contextlib
import socket
import statistics
import time

from tests.interop.clients import Clients
from tests.interop.programs import until
from tests.interop.relay import Relay, account
from tests.interop.watched import REFUSE, SILENT, WatchedProvider

#: Seconds that a provider takes for each MAIL FROM: it is its pace that is measured, not our CPU's.
LATENCY = 0.2
#: The bad ones come first, so that they are the first to ask for connections.
WRONG_LOGIN, BLACK_HOLE, REFUSING = range(3)
FIRST_GOOD = 3
#: Seconds of rest after the first fault; each further one is twice as long.
FIRST_REST = 30.0


def add_options(parser):
    parser.add_argument("--accounts", type=int, default=20)
    parser.add_argument("--mails", type=int, default=200, help="for each account")
    parser.add_argument("--seconds", type=float, default=110, help="to watch the logins")
    parser.add_argument(
        "--slowest",
        type=float,
        default=1.25,
        help="times its usual time that a good account may take; above 1 is the machine's noise",
    )
    parser.add_argument(
        "--greedy",
        type=int,
        default=50,
        help="max_connections of the account with the black hole; all accounts together have 50",
    )
    parser.add_argument(
        "--silent", action="store_true", help="the black hole takes connections, and says nothing"
    )


@contextlib.contextmanager
def black_hole(address):
    """Listen without ever taking a connection; return the port."""
    with contextlib.ExitStack() as open_sockets:
        listening = open_sockets.enter_context(socket.socket())
        listening.bind((address, 0))
        listening.listen(0)
        for _ in range(4):
            filler = open_sockets.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listening.getsockname())
        yield listening.getsockname()[1]


class _Round:
    """One relay, its providers, and all the mail that goes through."""

    def __init__(self, folder, options, running, *, bad):
        folder.mkdir()
        self.options = options
        settings = {"users": {"user": "right"}, "mechanisms": ["PLAIN"]}
        self.login = running.enter_context(WatchedProvider(folder, "127.0.1.1", **settings))
        self.refusing = running.enter_context(WatchedProvider(folder, "127.0.1.2"))
        self.silent = running.enter_context(WatchedProvider(folder, "127.0.1.3"))
        self.good = running.enter_context(WatchedProvider(folder, "127.0.1.4", delay=LATENCY))
        self.reports = running.enter_context(WatchedProvider(folder, "127.0.1.5"))
        self.refusing.behave(REFUSE)
        self.silent.behave(SILENT)
        ways = [(self.good.address, self.good.port, {})] * options.accounts
        if bad:
            hole = ("127.0.1.6", running.enter_context(black_hole("127.0.1.6")))
            if options.silent:
                hole = (self.silent.address, self.silent.port)
            wrong = {"username": '"user"', "password": '"wrong"', "tls": '"none"'}
            ways[WRONG_LOGIN] = (self.login.address, self.login.port, wrong)
            ways[BLACK_HOLE] = (*hole, {"max_connections": options.greedy})
            ways[REFUSING] = (self.refusing.address, self.refusing.port, {})
        accounts = [
            account(str(n), *way, senders=f'"*@{n}.example"', **more)
            for n, (*way, more) in enumerate(ways)
        ]
        reports = f'[ndr]\nserver = "{self.reports.address}"\nport = {self.reports.port}\n'
        reports += f"max_per_hour = {options.mails}\n"
        relay = Relay(folder, reports + "\n".join(accounts))
        self.relay = running.enter_context(relay)

    def deliver(self, numbers):
        """Hand all mail in, and wait until that of some accounts is there."""
        self.began = time.monotonic()
        recipients = [
            f"{mail}@{number}.customer.example"
            for mail in range(self.options.mails)
            for number in range(self.options.accounts)
        ]

        def sender(recipient):
            return f"user@{_number(recipient)}.example"

        with Clients(self.relay, recipients, sender_of=sender) as clients:
            clients.join()
        print(f"handed in: {len(clients.acknowledged)} mails in {self._age():.1f} s")
        wanted = self.options.mails * len(numbers)
        until(lambda: len(self.good.taken) >= wanted, "the good accounts have delivered", 900)

    def watch(self):
        """Wait for the reports, and until the relay has been at work for as long as was asked."""
        until(lambda: len(self.reports.taken) >= self.options.mails, "the reports are here")
        time.sleep(max(0.0, self.options.seconds - self._age()))

    def _age(self):
        return time.monotonic() - self.began

    def seconds(self):
        """Return by account how long it took until its last mail was there."""
        last = {
            event.about.split("@")[1].split(".")[0]: event.at for event in self.good.of("taken")
        }
        return {int(name): at - self.began for name, at in last.items()}


def _number(address):
    """Return the number of the account that an address has to do with."""
    return int(address.split("@")[1].split(".")[0])


def run(folder, options):
    everybody, good = range(options.accounts), range(FIRST_GOOD, options.accounts)
    with contextlib.ExitStack() as running:
        usual = _Round(folder / "usual", options, running, bad=False)
        usual.deliver(everybody)
    with contextlib.ExitStack() as running:
        hard = _Round(folder / "hard", options, running, bad=True)
        hard.deliver(good)
        hard.watch()
    return [*_judge_good(usual, hard, good), *_judge_bad(hard, options)]


def _judge_good(usual, hard, good):
    before, after = usual.seconds(), hard.seconds()
    ratios = [after[n] / before[n] for n in good]
    print(
        f"{len(good)} good accounts: {usual.options.mails} mails each in "
        f"{statistics.median(before[n] for n in good):.2f} s, beside three bad ones in "
        f"{statistics.median(after[n] for n in good):.2f} s; "
        f"ratio {statistics.median(ratios):.3f}, worst {max(ratios):.3f}"
    )
    if max(ratios) > usual.options.slowest:
        yield f"a good account took {max(ratios):.2f} times as long as usual"
    for each in (usual, hard):
        if max(collections.Counter(each.good.taken).values()) > 1:
            yield "a mail arrived twice"


def _judge_bad(hard, options):
    reported = collections.Counter(_number(each) for each in hard.reports.taken)
    print(f"reports: {dict(reported)}")
    if reported != {REFUSING: options.mails}:
        yield f"reports of the wrong accounts, or too few: {dict(reported)}"
    logins = [event.at - hard.began for event in hard.login.of("login")]
    print("logins at the account with the wrong password after", *(f"{at:.1f} s" for at in logins))
    if options.silent:
        print(f"the silent server saw {len(hard.silent.of('open'))} connections")
    # The first fault is that of all the sessions that were opened at the same time.
    first = sum(at < logins[0] + 1 for at in logins)
    rest = FIRST_REST
    for earlier, later in zip(logins[first - 1 :], logins[first:], strict=False):
        if later - earlier < rest:
            yield f"a login {later - earlier:.1f} s after the last one, instead of {rest:.0f} s"
        rest *= 2
