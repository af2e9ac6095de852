"""Times that people read: their type, and how they are written."""

from __future__ import annotations

import datetime
from typing import NewType

#: Seconds since the epoch, by the clock on the wall; in the JSON of `operations`, the same stands
#: beside it in ISO 8601.
Time = NewType("Time", float)


def iso(time: float) -> str:
    """Return a time in ISO 8601 and UTC, exact to a millisecond."""
    moment = datetime.datetime.fromtimestamp(time, datetime.UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def beginning(day: datetime.date) -> Time:
    """Return when a day begins in UTC."""
    return Time(datetime.datetime.combine(day, datetime.time(), datetime.UTC).timestamp())
