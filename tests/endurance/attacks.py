"""Those who mean harm: what they take of memory and CPU, how long honest clients wait, and the log.

Each attack has a fresh relay, which delivers to an smtp-sink; nothing of it may get there that was
not taken.  Meanwhile an honest client goes on and, where passwords are guessed, an honest user.
"""

from __future__ import annotations

import collections
import contextlib
import json

from tests.endurance import client_attacks, protocol_attacks, server_attacks, stranger_attacks
from tests.endurance.footprint import Footprint
from tests.endurance.honest import Honest
from tests.endurance.scene import ALLOWED, STRANGERS, Scene
from tests.interop.logins import offer_logins
from tests.interop.programs import until
from tests.interop.relay import Relay, account
from tests.interop.sink import Sink

ATTACKS = (
    *protocol_attacks.ATTACKS,
    *stranger_attacks.ATTACKS,
    *client_attacks.ATTACKS,
    *server_attacks.ATTACKS,
)


def add_options(parser):
    names = [attack.name for attack in ATTACKS]
    parser.add_argument("--only", nargs="+", choices=names, default=names, metavar="NAME")
    parser.add_argument("--megabytes", type=int, default=64)
    parser.add_argument("--slow", type=int, default=1000, help="clients that send slowly")
    parser.add_argument("--seconds", type=float, default=12, help="that endless attacks go on")
    # Each process holds a piece of each mail that comes, and its peak counts, whenever it was.
    parser.add_argument("--growth", type=float, default=32, help="MiB that an attack may take")
    parser.add_argument("--share", type=float, default=0.5, help="of a CPU for an attack")
    parser.add_argument("--lines", type=int, default=2000, help="of an attack in the log")
    parser.add_argument("--later", type=float, default=0.25, help="seconds for an honest mail")


def run(folder, options):
    for attack in ATTACKS:
        if attack.name in options.only:
            try:
                yield from _attacked(folder / attack.name, attack, options)
            except TimeoutError as error:
                yield f"{attack.name}: {error}"


def _attacked(folder, attack, options):
    folder.mkdir()
    with contextlib.ExitStack() as running:
        sink = running.enter_context(Sink(folder))
        tables = running.enter_context(attack.world(folder))
        relay = Relay(
            folder,
            attack.clients + tables + _account(sink, attack),
            listen=attack.listen,
            settings=_settings(folder, attack),
        )
        running.enter_context(relay)
        address = relay.address, relay.port
        scene = Scene(address=address, folder=folder, options=options, sink=sink)
        with contextlib.ExitStack() as going_on:
            honest = [going_on.enter_context(each) for each in _honest(attack, address)]
            for each in honest:
                each.wait_for(5)
                each.is_attacked()
            lines = len(_lines(relay))
            with Footprint(relay.process.pid) as footprint:
                faults = list(attack.play(scene))
                for each in honest:
                    each.wait_for(3)
        taken = [*scene.taken, *(recipient for each in honest for recipient in each.taken)]
        until(lambda: sink.count() >= len(taken), "all mails arrive")
        relay.stop()
        told = _lines(relay)[lines:]
    faults += _judge(attack, options, footprint.figures, honest, told)
    faults += _judge_sink(sink, taken)
    return [f"{attack.name}: {fault}" for fault in faults]


def _account(sink, attack):
    keys = {"senders": "*", "recipients": attack.recipients}
    if attack.fixed_sender:
        keys["fixed_sender"] = attack.fixed_sender
    keys = {key: json.dumps(value) for key, value in keys.items()}
    return account("Only", sink.address, sink.port, **keys)


def _settings(folder, attack):
    tls, _ = offer_logins(folder, attack.masks)
    return "\n".join([f"allow = {json.dumps(ALLOWED + attack.allow)}", tls, attack.settings])


def _honest(attack, address):
    yield Honest(address)
    if attack.users:
        yield Honest(address, "user", f"{STRANGERS}.200.1", logs_in=True)


def _lines(relay):
    return relay.log.read_text(errors="replace").splitlines()


def _judge(attack, options, figures, honest, lines):
    told = [line for line in lines if attack.told and attack.told in line]
    print(f"{attack.name}: {figures}; {len(lines)} lines in the log")
    for each in honest:
        print(f"    {each}")
    if told:
        print("   ", told[-1][:200], flush=True)
    for each in honest:
        yield from (f"an honest {each.name} was refused: {text}" for text in each.refused[:1])
        # A right login may wait for others to be looked at.
        if each.later > options.later and not attack.users:
            yield f"an honest {each.name} had to wait {each.later:.3f} s longer"
    growth = options.growth if attack.growth is None else attack.growth
    if figures.growth > growth:
        yield f"memory grew by {figures.growth:.1f} MiB"
    share = options.share if attack.share is None else attack.share
    if figures.cpu > share * max(figures.seconds, 4):
        yield f"it took {figures.cpu:.1f} s of CPU"
    if any("Traceback" in line for line in lines):
        yield "there is a traceback in the log"
    if attack.told and not told:
        yield f"the log does not say {attack.told!r}"
    # Two lines for each honest mail, and a few of those who attack.
    lines_of_attack = len(lines) - 2 * sum(len(each.times) for each in honest)
    if lines_of_attack > options.lines:
        yield f"there are {lines_of_attack} lines in the log"


def _judge_sink(sink, taken):
    arrived = collections.Counter(sink.recipients())
    if arrived != collections.Counter(taken):
        yield f"what arrived is not what was taken: {arrived - collections.Counter(taken)} too many"
