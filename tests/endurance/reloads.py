"""Other configurations under load: nothing is lost or sent twice, and nobody is turned away."""

from __future__ import annotations

import random

from tests.endurance.audit import show
from tests.interop.relay import Relay
from tests.interop.reloads import LOGINS, any_configuration, reloads
from tests.interop.watched import WatchedProvider


def add_options(parser):
    parser.add_argument("--times", type=int, default=500, help="reloads; default: %(default)s")
    parser.add_argument("--seed", type=int, default=1, help="default: %(default)s")


def run(folder, options):
    chance = random.Random(options.seed)
    with (
        WatchedProvider(folder, "127.0.3.1", users=LOGINS) as provider,
        Relay(folder, any_configuration(chance, provider)) as relay,
    ):
        result = reloads(relay, provider, chance, options.times)
    show(
        {
            "seed": options.seed,
            "reloads": options.times,
            "mails": len(result.clients.acknowledged),
            "shortest pause": f"{min(result.pauses):.3f} s",
        }
    )
    yield from result.violations()
