"""SIGTERM at random moments under load: nothing is lost, and nothing sent twice."""

from __future__ import annotations

import signal

from tests.endurance import interruptions
from tests.endurance.audit import show

#: Seconds that an end may take: the grace for mails that are on their way, and closing the spool.
LONGEST_END = 11.0


def add_options(parser):
    interruptions.add_options(parser, times=10)


def run(folder, options):
    result = restarts(folder, **interruptions.load(options))
    show({"seed": options.seed, **figures(result)})
    return violations(result)


def restarts(folder, **load):
    return interruptions.interrupted(folder, _end, **load)


def _end(relay):
    relay.signal(signal.SIGCONT)
    relay.stop()


def figures(result):
    return {
        "restarts": len(result.interruptions),
        **result.audit.figures(),
        "seconds to end": f"{_longest(result):.2f} at most",
        "left in the spool": result.waiting,
    }


def violations(result):
    yield from result.violations()
    if result.audit.duplicates:
        yield f"{result.audit.duplicates} mails were sent twice: {result.duplicates}"
    if _longest(result) > LONGEST_END:
        yield f"an end took {_longest(result):.1f} s"


def _longest(result):
    return max(each.lasted for each in result.interruptions)
