"""Facts about the program, what it writes to (spool, archive, history), and its tokens.

Times are seconds since the epoch.
"""

from __future__ import annotations

import attrs

from ..times import Time

# The spool.


@attrs.frozen
class SpoolBroken:
    """The spool can no longer be believed, until a restart.

    :param writes: what is there can still end; else nothing is written any more.
    :param advice: how to recover it, if it is damaged.
    """

    file: str
    error: str
    writes: bool
    advice: str


@attrs.frozen
class SpoolFull:
    """There is no room for new mail."""

    error: str


@attrs.frozen
class SpoolHasRoom:
    """There is room for new mail again."""


# The archive.


@attrs.frozen
class ArchiveFailed:
    """A copy of a mail that was sent is not kept; told once, until `ArchiveRecovered`."""

    error: str


@attrs.frozen
class ArchiveRecovered:
    """Copies are kept again.

    :param missing: how many were not.
    """

    missing: int


# The history.


@attrs.frozen
class HistoryInterrupted:
    """The history lacks what happens from now on, or has lost what it had; mail goes on.

    :param why: and what was done, in words.
    """

    why: str


@attrs.frozen
class HistoryResumed:
    """The history is written again.

    :param left_out: so many events are missing in it.
    """

    left_out: int


# Tokens.


@attrs.frozen
class TokenRefreshed:
    """An account has a new token to log in with.

    :param recovered: it could not be got before, see `TokenRefused`.
    """

    account: str
    valid_until: Time
    recovered: bool = False


@attrs.frozen
class TokenRefused:
    """An account gets no token; told once, until `TokenRefreshed` or something else is wrong.

    :param error: why, and what to do.
    :param needs_login: it stays so until somebody does that; else it is tried again.
    """

    account: str
    error: str
    needs_login: bool


@attrs.frozen
class TokenNotStored:
    """A token is used that is in memory only; told once, until `TokenStored`."""

    account: str
    error: str


@attrs.frozen
class TokenStored:
    """A token that could not be stored is stored now."""

    account: str


# The program.


@attrs.frozen(kw_only=True)
class ConfigurationChanged:
    """Another configuration holds from now on.

    :param added: names of accounts, as are the others.
    :param changed: with other settings than before.
    """

    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]


@attrs.frozen(kw_only=True)
class AdminSignedIn:
    """Somebody has signed in at the page."""

    address: str
    admin: str


@attrs.frozen(kw_only=True)
class AdminRefused:
    """Somebody has tried to sign in at the page, in vain.

    :param admin: the name that they said.
    """

    address: str
    admin: str


@attrs.frozen(kw_only=True)
class AdminActed:
    """Somebody has changed something by the page or its API, or tried to.

    :param text: what, for people.
    :param status: of HTTP: from 400 on it was not done.
    """

    address: str
    admin: str
    text: str
    status: int


@attrs.frozen
class FrontProcessEnded:
    """The process that serves the clients has ended by itself, or could not be started.

    :param pause: seconds until another one is started.
    """

    why: str
    pause: float


@attrs.frozen
class FrontProcessStarted:
    """Clients are served by a process of their own."""


@attrs.frozen(kw_only=True)
class AlarmTold:
    """Somebody is told of something that needs an admin, or that it is over.

    :param kind: of `operations.values.AlarmKind`.
    :param account: which it is about; ``None``: about none.
    """

    kind: str
    account: str | None
    text: str
    since: Time
    over: bool
