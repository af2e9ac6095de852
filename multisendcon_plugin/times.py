"""The type of times that people read.  Pure."""

from __future__ import annotations

from typing import NewType

#: Seconds since the epoch, by the clock on the wall; in the JSON of `operations`, the same stands
#: beside it in ISO 8601.
Time = NewType("Time", float)
