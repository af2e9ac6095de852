"""Numbers and times in words for people, in the time zone of this machine."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

from ..settings.quantities import DAY, HOUR, KIB, MINUTE


def moment(time: float) -> str:
    """Return a time of this machine, with its distance from UTC.

    :param time: seconds since the epoch.
    """
    return _local(time).isoformat(" ", "seconds")


def hour(time: float, day_of: float) -> str:
    """Return a time of the day, with the date if it is not the day of another time."""
    local = _local(time)
    if local.date() == _local(day_of).date():
        return local.strftime("%H:%M:%S")
    return local.strftime("%Y-%m-%d %H:%M:%S")


def day(time: float) -> str:
    """Return a date in UTC, which is what dates without a time of the day are in."""
    return datetime.datetime.fromtimestamp(time, datetime.UTC).date().isoformat()


def _local(time: float) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(time, datetime.UTC).astimezone()


def duration(seconds: float) -> str:
    """Return a duration in its largest unit that fits, rounded down."""
    for size, unit in ((DAY, "d"), (HOUR, "h"), (MINUTE, "m")):
        if seconds >= size:
            return f"{int(seconds // size)}{unit}"
    return f"{max(0, int(seconds))}s"


def ago(time: float | None, now: float) -> str:
    """Return how long ago something was; ``-``: never."""
    return "-" if time is None else duration(now - time)


def ahead(time: float, now: float) -> str:
    """Return how far ahead something is."""
    return "now" if time <= now else f"in {duration(time - now)}"


def octets(size: int) -> str:
    """Return a size."""
    if size < KIB:
        return f"{size} B"
    amount, unit = size / KIB, "KiB"
    for larger in ("MiB", "GiB"):
        if amount < KIB:
            break
        amount, unit = amount / KIB, larger
    return f"{amount:.1f} {unit}"


def count(number: int, one: str, many: str) -> str:
    """Return a number of things."""
    return f"{number:,} {one if number == 1 else many}"


def path(address: str) -> str:
    """Return an address as a path of SMTP."""
    return f"<{address}>"


def paths(recipients: list[Mapping[str, Any]]) -> str:
    """Return the addresses of recipients."""
    return ", ".join(path(each["address"]) for each in recipients)


def client(client: Mapping[str, Any] | None) -> str:
    """Return who handed a mail in; nothing, if it was no client."""
    if client is None:
        return ""
    user = f", user {client['user']}" if client["user"] else ""
    return f" from {client['address']} (HELO {client['helo']}{user}, {client['tls'] or 'no TLS'})"
