"""Some mails are greylisted after their final dot, as rspamd does, and others are not.

Each greylisted mail hears "451 4.7.1 Try again later" for a minute from its first attempt on.  One
of them must not keep hundreds of good mails waiting; with eight, all are here after about two
minutes.  All pauses are real.
"""

from __future__ import annotations

import time

from tests.interop.clients import Clients
from tests.interop.programs import until
from tests.interop.relay import Relay, account
from tests.interop.watched import WatchedProvider

_GOOD, _GREY = "good{}@customer.example", "grey{}@customer.example"


def add_options(parser):
    parser.add_argument("--seconds", type=float, default=60.0, help="of greylisting")
    parser.add_argument("--connections", type=int, default=2, help="of the account")


def run(folder, options):
    good = [_GOOD.format(number) for number in range(299)]
    grey = [_GREY.format(number) for number in range(8)]
    some = good[:20]
    rounds = {
        "one of 300": (good[:150] + grey[:1] + good[150:], 1.0),
        "eight among twenty": (_mixed(some, grey), None),
        "eight before twenty": (grey + some, None),
        "eight behind twenty": (some + grey, 1.0),
    }
    for number, (name, (recipients, good_within)) in enumerate(rounds.items()):
        place = folder / str(number)
        place.mkdir()
        yield from _round(place, options, name, recipients, good_within)


def _mixed(good, grey):
    step = len(good) // len(grey) + 1
    mixed = list(good)
    for number, each in enumerate(grey):
        mixed.insert(number * step, each)
    return mixed


def _round(folder, options, name, recipients, good_within):
    with WatchedProvider(folder, "127.0.1.1", greylists=options.seconds) as provider:
        connections = options.connections
        settings = account("A", provider.address, provider.port, max_connections=connections)
        with Relay(folder, settings) as relay:
            # In this order, and all of them before the first comes again.
            with Clients(relay, recipients, sessions=1) as clients:
                clients.join()
            handed_in = time.monotonic()
            until(
                lambda: len(provider.taken) >= len(recipients),
                "all mails are here",
                timeout=10 * options.seconds + 60,
            )
            relay.stop()
            left = relay.waiting()
        pauses = relay.log.read_text().count("it rests until")
    taken = {event.about: event.at - handed_in for event in provider.of("taken")}
    good = max(at for recipient, at in taken.items() if recipient.startswith("good"))
    grey = [at for recipient, at in taken.items() if recipient.startswith("grey")]
    print(
        f"{name}: seconds after the last was handed in: good mails by {good:.1f}, greylisted ones "
        f"from {min(grey):.1f} to {max(grey):.1f}; {len(provider.of('mail'))} attempts for "
        f"{len(recipients)} mails, {pauses} pauses"
    )
    if sorted(provider.taken) != sorted(recipients) or left:
        yield f"{name}: not each mail is here once, {left} rows wait"
    if good_within is not None and good > good_within:
        yield f"{name}: good mails waited for {good:.1f} s"
    if max(grey) > 2 * options.seconds * 1.15:
        yield f"{name}: a mail was here after {max(grey):.1f} s"
