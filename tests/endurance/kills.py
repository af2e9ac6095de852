"""kill -9 at random moments under load: what has got its 250 arrives."""

from __future__ import annotations

import statistics

from tests.endurance import interruptions
from tests.endurance.audit import show


def add_options(parser):
    interruptions.add_options(parser, times=100)


def run(folder, options):
    result = kills(folder, **interruptions.load(options))
    show({"seed": options.seed, **figures(result)})
    return violations(result)


def kills(folder, **load):
    return interruptions.interrupted(folder, lambda relay: relay.kill(), **load)


def figures(result):
    beyond = [count for count in _beyond(result) if count > 0]
    return {
        "kills": len(result.interruptions),
        **result.audit.figures(),
        "duplicates per kill": _spread(result.duplicates),
        "sessions at a kill": _spread([each.sessions for each in result.interruptions]),
        "more than sessions": f"at {len(beyond)} kills, by {max(beyond, default=0)} at most",
        "left in the spool": result.waiting,
    }


def violations(result):
    yield from result.violations()
    if sum(result.duplicates) != result.audit.duplicates:
        yield "mails were sent twice without a kill"
    for number, count in enumerate(result.duplicates, 1):
        if count > result.connections:
            yield f"kill {number}: {count} duplicates, of one account's mails on their way"


def _beyond(result):
    """Return for each kill how many duplicates it has made beyond one for each session.

    There are some when a session has ended whose last mail is not settled yet.
    """
    pairs = zip(result.duplicates, result.interruptions, strict=True)
    return [duplicates - kill.sessions for duplicates, kill in pairs]


def _spread(counts):
    return f"{statistics.mean(counts):.1f} on average, {max(counts)} at most"
