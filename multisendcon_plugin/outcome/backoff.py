"""How long to wait after a failure: the next attempt of a delivery, the rest of an account.

RFC 5321, section 4.5.4.1, asks for pauses that grow.  Pure: `jitter` is an argument.  A pause
is lengthened by it, never shortened: the configured one may be what a provider demands.
"""

from __future__ import annotations

FIRST_REST = 30.0
LONGEST_REST = 3600.0

#: So that mails which have failed together are not tried again together.
_LENGTHENED_BY = 0.1
_DOUBLINGS = 7
"""After so many, the longest rest is passed; more of them would leave the range of a float."""


def retry_pause(schedule: tuple[float, ...], failures: int, jitter: float) -> float:
    """Return the pause after a failed attempt of a delivery.

    :param schedule: seconds after the first, second ... failed attempt; the last one repeats.
        Not empty.
    :param failures: attempts that have failed, this one included; at least 1.
    :param jitter: 0 to 1; 1 lengthens the pause by 10 %.
    :return: seconds.
    """
    return _lengthened(schedule[min(failures, len(schedule)) - 1], jitter)


def longest_pause(schedule: tuple[float, ...]) -> float:
    """Return the longest pause of a schedule, in seconds."""
    return _lengthened(max(schedule), 1.0)


def rest(failures: int, jitter: float) -> float:
    """Return how long an account rests after a fault.

    :param failures: faults in a row, this one included; at least 1.
    :param jitter: 0 to 1; 1 lengthens the rest by 10 %.
    :return: seconds: `FIRST_REST`, then twice as long each time, up to `LONGEST_REST`.
    """
    doubled = FIRST_REST * 2.0 ** min(failures - 1, _DOUBLINGS)
    return _lengthened(min(doubled, LONGEST_REST), jitter)


def _lengthened(pause: float, jitter: float) -> float:
    return pause * (1.0 + _LENGTHENED_BY * jitter)
