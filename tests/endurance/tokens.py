"""A heavy load over one account whose tokens live for a minute: nothing is lost, and none bounces.

The provider of the tokens and the server are real: npm's oidc-provider, and Dovecot.  Sessions are
short, so that many log in; the refresh token is replaced each time, and the old one is good for
nothing.
"""

from __future__ import annotations

import collections
import time

from tests.endurance.audit import show
from tests.interop.clients import Clients
from tests.interop.conftest import open_temporary_folder
from tests.interop.oauth.world import CODE, Way, World
from tests.interop.programs import until

#: As many clients as other runs have for two relays.
_CLIENTS = 20
#: Mails that wait at most; more would only wait longer.
_MOST_WAITING = 500


def add_options(parser):
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--lifetime", type=int, default=60, help="seconds of each token")


def run(_folder, options):
    settings = {"max_connections": 20, "max_mails_per_connection": 5}
    joe = Way(name="joe", by=CODE, settings=settings)
    # Not in the folder of the run: users of Dovecot have to find the way.
    with open_temporary_folder() as folder, World(folder, joe) as world:
        world.openid.set(lifetime=options.lifetime)
        world.sign_in("joe")
        begin = time.monotonic()
        accepted = _load(world, begin + options.minutes * 60)
        until(lambda: not world.relay.waiting(), "all has left", timeout=300)
        lasted = time.monotonic() - begin
        world.relay.stop()
        log = world.relay.log.read_text()
        yield from _judge(world, accepted, lasted, log, options)


def _load(world, end):
    """Hand mails in until some moment; return their recipients."""
    way = world.ways["joe"]

    def recipients():
        number = 0
        while time.monotonic() < end:
            if number - len(world.behind.taken) < _MOST_WAITING:
                yield f"{number}@customer.example"
                number += 1
            else:
                time.sleep(0.05)

    with Clients(
        world.relay, recipients(), sessions=_CLIENTS, sender_of=lambda _: way.sender
    ) as clients:
        clients.join()
    return clients.acknowledged


def _judge(world, accepted, lasted, log, options):
    arrived = collections.Counter(world.behind.taken)
    granted, refused = world.openid.granted(), world.server.refusals()
    show(
        {
            "seconds": f"{lasted:.0f}",
            "accepted": len(accepted),
            "arrived": len(arrived),
            "doubled": arrived.total() - len(arrived),
            "bounced": log.count(" failed by account "),
            "mails per second": f"{len(arrived) / lasted:.1f}",
            "logins": len(world.server.logins()),
            "logins refused": len(refused),
            "tokens": dict(granted),
        }
    )
    if set(arrived) != accepted:
        yield f"{len(accepted - set(arrived))} mails are lost"
    if arrived.total() != len(arrived):
        yield "mails were sent twice"
    if " failed by account " in log or any(not event.about for event in world.behind.of("mail")):
        yield "a mail has bounced"
    if world.openid.denied():
        yield f"the provider has refused: {world.openid.denied()}"
    # They are renewed at two thirds of their life.
    most = lasted / (options.lifetime / 2) + 1
    if not 1 <= granted["refresh_token"] <= most:
        yield f"{granted['refresh_token']} tokens were asked for in {lasted:.0f} s"
    if refused:
        yield f"{len(refused)} logins were refused"
