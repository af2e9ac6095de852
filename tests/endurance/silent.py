"""Servers that take connections and say nothing: a good account is to feel nothing of them.

Each has an account of its own, and mail, before the good account gets its first.  One further
silent server has accounts with a local address each, so that every one of them has to find out.
"""

from __future__ import annotations

import contextlib
import socket
import time

from tests.interop.clients import Clients
from tests.interop.programs import free_port, until
from tests.interop.relay import Relay, account
from tests.interop.watched import WatchedProvider


def add_options(parser):
    parser.add_argument("--servers", type=int, default=55, help="that say nothing")
    parser.add_argument("--accounts", type=int, default=60, help="of one more such server")
    parser.add_argument("--mails", type=int, default=80, help="of the good account, one a second")
    parser.add_argument("--latest", type=float, default=5, help="seconds for each of them")


@contextlib.contextmanager
def silent_server(address):
    """Take connections, and say nothing; return the port."""
    with socket.socket() as listening:
        listening.bind((address, free_port(address)))
        # Nobody accepts them: the system does.
        listening.listen(1000)
        yield listening.getsockname()[1]


def run(folder, options):
    with contextlib.ExitStack() as running:
        good = running.enter_context(WatchedProvider(folder, "127.0.1.1"))
        accounts = list(_silent_accounts(running, options))
        # Each of its mails needs a connection.
        settings = {"senders": '"*@good.example"', "max_mails_per_connection": 1}
        accounts.append(account("good", good.address, good.port, **settings))
        relay = running.enter_context(Relay(folder, "\n".join(accounts)))
        _send(relay, [f"{n}@silent-{n}.example" for n in range(len(accounts) - 1)])
        return list(_judge(_deliver(relay, good, options), options))


def _silent_accounts(running, options):
    ways = []
    for n in range(options.servers):
        address = f"127.0.3.{n + 1}"
        ways.append((address, running.enter_context(silent_server(address)), {}))
    address = "127.0.4.1"
    port = running.enter_context(silent_server(address))
    ways += [
        (address, port, {"local_address": f'"127.0.5.{n + 1}"'}) for n in range(options.accounts)
    ]
    for n, (address, port, settings) in enumerate(ways):
        yield account(str(n), address, port, senders=f'"*@silent-{n}.example"', **settings)


def _send(relay, senders):
    """Hand in a mail of each sender; its recipient has the same address."""
    with Clients(relay, senders, sender_of=lambda recipient: recipient) as clients:
        clients.join()


def _deliver(relay, good, options):
    """Return by mail how many seconds it took."""
    seconds = []
    for n in range(options.mails):
        address = f"{n}@good.example"
        began = time.monotonic()
        _send(relay, [address])
        until(lambda address=address: address in good.taken, "the good mail is here", timeout=300)
        seconds.append(next(each.at for each in good.of("taken") if each.about == address) - began)
        time.sleep(max(0.0, began + 1 - time.monotonic()))
    print(f"the good account had {len(good.of('open'))} sessions")
    return seconds


def _judge(seconds, options):
    late = sorted(seconds)[-3:]
    print(
        f"beside {options.servers} silent servers, and one with {options.accounts} accounts, "
        f"{len(seconds)} mails of a good account: the first in {seconds[0]:.2f} s, the slowest in",
        ", ".join(f"{each:.2f}" for each in late),
        "s",
    )
    for n, each in enumerate(seconds):
        if each > options.latest:
            yield f"mail {n} of the good account took {each:.1f} s"
