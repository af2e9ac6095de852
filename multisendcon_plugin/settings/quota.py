"""Quotas: so many mails or recipients in any time of a certain length.  Pure."""

from __future__ import annotations

import enum
import re

import attrs

from .kinds import listed
from .quantities import DAY, HOUR, MINUTE
from .words import InvalidValueError, shown

#: Of one account.
MOST_QUOTAS = 8
_MOST = 100_000_000
_LONGEST_WINDOW = 31 * DAY
_UNITS = (("d", DAY), ("h", HOUR), ("m", MINUTE), ("s", 1.0))
_FORM = re.compile(r"([0-9]{1,9}) +(mail|recipient)s? */ *([0-9]{0,7}) *([smhd])")


class Counted(enum.Enum):
    """What a quota counts."""

    MAILS = "mails"
    RECIPIENTS = "recipients"


class OverQuota(enum.Enum):
    """What becomes of mail while the quota of its account has no room."""

    WAIT = "wait"
    FALLBACK = "fallback"


@attrs.frozen
class Quota:
    """No window of this length, wherever it begins, has more.

    :param counted: what is counted, when the server answers MAIL.
    :param window: seconds.
    """

    most: int
    counted: Counted
    window: float

    def __str__(self) -> str:
        """Return it as it is written in a configuration, such as ``30 mails/1m``."""
        for letter, seconds in _UNITS:
            if self.window % seconds == 0:
                return f"{self.most} {self.counted.value}/{self.window // seconds:.0f}{letter}"
        raise ValueError("a window has whole seconds")


def _quota(value: object) -> Quota:
    found = _FORM.fullmatch(value.strip()) if isinstance(value, str) else None
    most = int(found[1]) if found else 0
    window = int(found[3] or 1) * dict(_UNITS)[found[4]] if found else 0.0
    if not (found and 0 < most <= _MOST and 0 < window <= _LONGEST_WINDOW):
        raise InvalidValueError(
            f'{shown(value)} is not a quota; write for example "30 mails/1m" or'
            ' "10000 recipients/1d", for at most "31d"'
        )
    return Quota(most, Counted(f"{found[2]}s"), window)


_each = listed(_quota, empty=True)


def quotas(value: object) -> tuple[Quota, ...]:
    """Convert the quotas of an account."""
    converted = _each(value)
    if len(converted) > MOST_QUOTAS:
        raise InvalidValueError(f"are more than {MOST_QUOTAS} quotas; leave the widest ones out")
    seen = set()
    for quota in converted:
        if (quota.counted, quota.window) in seen:
            raise InvalidValueError(
                f'"{quota}" is about the same as another quota; leave out the larger one'
            )
        seen.add((quota.counted, quota.window))
    return converted
