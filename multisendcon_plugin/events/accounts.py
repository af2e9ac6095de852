"""Facts about accounts: whether they can be used, and what they may send.

Times are seconds since the epoch.
"""

from __future__ import annotations

import attrs

from ..outcome.attempt import AccountFault
from ..times import Time


@attrs.frozen
class AccountFaulted:
    """An account cannot be used, and begins no mail for a while.

    :param until: by the clock on the wall.
    :param changed: it was fit before, or the fault was of another kind.
    """

    account: str
    fault: AccountFault
    until: float
    changed: bool


@attrs.frozen
class AccountRecovered:
    """An account works again.

    :param unproven: it is as before its first mail, since it has another server or login now.
    """

    account: str
    unproven: bool = False


@attrs.frozen
class AccountPaused:
    """An account begins no mail until somebody resumes it, since somebody wants that."""

    account: str


@attrs.frozen
class AccountResumed:
    """An account that was paused is not any more."""

    account: str


@attrs.frozen
class ConnectionsLimited:
    """A server refuses more connections than these.

    :param lasts: seconds after which one more is tried.
    """

    account: str
    allowed: int
    configured: int
    lasts: float


@attrs.frozen
class QuotaUsedUp:
    """Mail begins to wait for a quota of an account, or to take a fallback.

    Told of windows of an hour or longer only, and at most once in a window: as the mails of the
    window leave it, there is room for one more each time, and used up again.

    :param quota: as it is configured, such as ``"1000 recipients/1d"``.
    :param until: there is room for one more, by the clock on the wall.
    """

    account: str
    quota: str
    until: Time
