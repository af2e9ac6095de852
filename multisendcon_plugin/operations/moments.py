"""Moments as people write them."""

from __future__ import annotations

import datetime

from ..settings.quantities import duration
from ..settings.words import InvalidValueError, shown
from .errors import BadRequestError


def moment(text: str, now: float) -> float:
    """Return the time that a text means, in seconds since the epoch.

    :param text: so long ago, such as ``"1h"``; or ISO 8601, in UTC unless it says otherwise.
    :raise BadRequestError: it means none.
    """
    try:
        return now - duration(text)
    except InvalidValueError:
        pass
    try:
        written = datetime.datetime.fromisoformat(text)
        if written.tzinfo is None:
            written = written.replace(tzinfo=datetime.UTC)
        return written.timestamp()
    except (ValueError, OverflowError):
        raise BadRequestError(
            f'{shown(text)} is no time; write for example "90s", "5m", "4h" or "3d" for so long'
            ' ago, or "2026-01-31T12:00:00Z"'
        ) from None
