"""The minimum wait of two accounts, one of them the other's fallback, in the eyes of their servers.

The relay is killed and restarted in between; one server drops connections at MAIL FROM for a while,
so that its account's mail goes to the other one.  No mail may begin sooner after the end of the
last one than the account's minimum wait, over all connections.
"""

from __future__ import annotations

import collections
import statistics

from tests.interop.clients import Clients
from tests.interop.programs import until
from tests.interop.relay import Relay, account
from tests.interop.watched import CUT, SERVE, WatchedProvider

MINIMUM_WAIT = 0.5
_DOMAINS = ("sales.example", "support.example")
_ACCOUNTS = ("Sales", "Backup")
#: The backup takes the mail of the second domain, and may take that of the first.
_SENDERS = ("*@sales.example", "*")


def add_options(parser):
    parser.add_argument("--mails", type=int, default=40, help="of both accounts together")


def gaps(events):
    """Return the seconds from the end of each mail, over all sessions, to the next MAIL FROM.

    A mail ends with the last reply that it gets, or with its connection; one that has not ended
    when the next begins makes a negative gap.
    """
    found = []
    begun = {}
    ended = None
    for event in events:
        if event.what == "mail":
            if begun:
                found.append(max(begun.values()) - event.at)
            elif ended is not None:
                found.append(event.at - ended)
            begun = {event.session: event.at}
        elif event.what == "reply" and event.session in begun:
            del begun[event.session]
            ended = event.at
        elif event.what == "close" and begun.pop(event.session, None):
            ended = event.at
    return found


def run(folder, options):
    with (
        WatchedProvider(folder, "127.0.1.1") as one,
        WatchedProvider(folder, "127.0.1.2") as other,
    ):
        accounts = [
            account(
                name,
                provider.address,
                provider.port,
                senders=f'"{senders}"',
                fallback=f'["{fallback}"]',
                minimum_wait=MINIMUM_WAIT,
            )
            for name, provider, senders, fallback in zip(
                _ACCOUNTS, (one, other), _SENDERS, reversed(_ACCOUNTS), strict=True
            )
        ]
        with Relay(folder, "\n".join(accounts)) as relay:
            recipients = [f"{n}@customer.example" for n in range(options.mails)]
            _disturb(relay, one, other, recipients)
            relay.stop()
            left = relay.waiting()
    return _judge(dict(zip(_ACCOUNTS, (one, other), strict=True)), recipients, left)


def _disturb(relay, one, other, recipients):
    def taken():
        return len(set(one.taken) | set(other.taken))

    def senders(recipient):
        return f"boss@{_DOMAINS[int(recipient.split('@')[0]) % 2]}"

    with Clients(relay, recipients, sender_of=senders) as clients:
        clients.join()
    quarter = len(recipients) // 4
    until(lambda: taken() >= quarter, "a quarter is here")
    relay.kill()
    relay.start()
    until(lambda: taken() >= 2 * quarter, "half is here")
    relay.stop()
    relay.start()
    until(lambda: taken() >= 2 * quarter + 2, "it goes on")
    one.behave(CUT)
    begun = len(one.of("mail"))
    until(lambda: len(one.of("mail")) > begun, "a mail is cut off")
    # Not until so many have arrived: they may all be the other account's own.
    until(lambda: _has_helped_out(other), "the other account helps out")
    one.behave(SERVE)
    until(lambda: taken() == len(recipients), "all mails are here", timeout=300)


def _judge(providers, recipients, left):
    violations = []
    for name, provider in providers.items():
        between = gaps(provider.events)
        senders = collections.Counter(event.about for event in provider.of("mail"))
        print(
            f"{name}: {len(provider.taken)} mails, MAIL FROM {dict(senders)} "
            f"over {len(provider.of('open'))} connections; "
            f"gaps: smallest {min(between):.6f} s, median {statistics.median(between):.6f} s"
        )
        violations += [
            f"{name}: a mail began {gap:.6f} s after the last one"
            for gap in between
            if gap < MINIMUM_WAIT
        ]
    arrived = collections.Counter(
        each for provider in providers.values() for each in provider.taken
    )
    duplicates = arrived.total() - len(arrived)
    print(f"{len(arrived)} of {len(recipients)} mails arrived, {duplicates} twice")
    if set(arrived) != set(recipients) or left:
        violations.append(f"{len(recipients) - len(arrived)} mails are missing, {left} rows wait")
    if not _has_helped_out(providers["Backup"]):
        violations.append("the backup did not help out")
    if duplicates > len(providers):  # each account had one mail under way when it was killed
        violations.append(f"{duplicates} mails arrived twice")
    return violations


def _has_helped_out(provider):
    return any(event.about.endswith(_DOMAINS[0]) for event in provider.of("mail"))
