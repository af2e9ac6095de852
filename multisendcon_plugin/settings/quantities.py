"""The kinds of values that count and measure: numbers, durations, sizes, true and false.

A converter takes a value as ``tomllib`` gives it, and returns ours or raises
`InvalidValueError`.  Numbers that are not finite never pass.  Pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import attrs

from .words import InvalidValueError, shown

MINUTE = 60.0
HOUR = 60 * MINUTE
DAY = 24 * HOUR
KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB

_SECONDS = {"s": 1.0, "m": MINUTE, "h": HOUR, "d": DAY}
_DURATION = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,6})?) *([smhd])")
#: Times that lie further ahead cannot be written as dates any more.
_LONGEST_DURATION = 3650 * DAY

_BYTES = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": KIB, "MIB": MIB, "GIB": GIB}
_SIZE = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,6})?) *((?:[KMG]i?)?B)", re.ASCII | re.IGNORECASE)
_SHARE = re.compile(r"([0-9]{1,2}(?:\.[0-9]{1,6})?) *%")
_LARGEST_SIZE = 1024 * GIB
#: RFC 5321 section 4.5.3.1.4, and what the parameters of RCPT add to it (RFC 3461 section 4).
_SHORTEST_LINE = 2 * KIB


@attrs.frozen(kw_only=True)
class Room:
    """Room on a disk: a number of octets, or a share of the whole disk."""

    octets: int = 0
    share: float = 0.0

    def on(self, disk: int) -> int:
        """Return the octets on a disk of so many."""
        return self.octets + int(self.share * disk)


def flag(value: object) -> bool:
    """Convert a boolean."""
    if not isinstance(value, bool):
        raise InvalidValueError(f"{shown(value)} is not a boolean; write true or false")
    return value


def _whole(what: str, highest: int, lowest: int = 1) -> Callable[[object], int]:
    def convert(value: object) -> int:
        if isinstance(value, int) and not isinstance(value, bool) and lowest <= value <= highest:
            return value
        quotes = ", without quotes" if isinstance(value, str) else ""
        raise InvalidValueError(
            f"{shown(value)} is not {what}; write a number from {lowest} to {highest}{quotes}"
        )

    return convert


port = _whole("a port", 65535)
count = _whole("a count", 1_000_000)
#: 0 has a meaning of its own.
count_or_zero = _whole("a count", 1_000_000, lowest=0)


def duration(value: object) -> float:
    """Convert a duration to seconds; 0 is one."""
    seconds: float = -1.0
    if isinstance(value, str) and (found := _DURATION.fullmatch(value.strip())):
        seconds = float(found[1]) * _SECONDS[found[2]]
    elif isinstance(value, int | float) and not isinstance(value, bool):
        seconds = value
    if seconds > _LONGEST_DURATION:
        raise InvalidValueError(f'{shown(value)} is too long; write at most "3650d"')
    # A value that is not a number is not greater than 0 either.
    if not seconds >= 0:
        raise InvalidValueError(
            f"{shown(value)} is not a duration; write a number of seconds, or for example"
            ' "90s", "5m", "4h" or "3d"'
        )
    return float(seconds)


def positive_duration(value: object) -> float:
    """Convert a duration that is longer than 0 to seconds."""
    seconds = duration(value)
    if not seconds:
        raise InvalidValueError(
            f"{shown(value)} is too short; write a duration of more than 0 seconds"
        )
    return seconds


def size(value: object) -> int:
    """Convert a size to bytes."""
    octets: float = 0
    if isinstance(value, str) and (found := _SIZE.fullmatch(value.strip())):
        octets = float(found[1]) * _BYTES[found[2].upper()]
    elif isinstance(value, int) and not isinstance(value, bool):
        octets = value
    if octets > _LARGEST_SIZE:
        raise InvalidValueError(f'{shown(value)} is too large; write at most "1024 GiB"')
    if octets < 1:
        raise InvalidValueError(
            f"{shown(value)} is not a size; write a number of bytes, or for example"
            ' "512 KiB", "50 MiB" or "1 GiB"'
        )
    return int(octets)


def room(value: object) -> Room:
    """Convert a size, or a share of a disk; 0 is one."""
    if isinstance(value, str) and (found := _SHARE.fullmatch(value.strip())):
        share = float(found[1]) / 100
        if share < 1:
            return Room(share=share)
    elif value == 0 and not isinstance(value, bool):
        return Room()
    else:
        try:
            return Room(octets=size(value))
        except InvalidValueError:
            pass
    raise InvalidValueError(
        f'{shown(value)} is no part of a disk; write for example "5%" or "10 GiB", or 0 for none'
    )


def command_line(value: object) -> int:
    """Convert the size of a line that has to hold every command."""
    octets = size(value)
    if octets < _SHORTEST_LINE:
        raise InvalidValueError(
            f'{shown(value)} is too short for some commands; write at least "2 KiB"'
        )
    return octets
