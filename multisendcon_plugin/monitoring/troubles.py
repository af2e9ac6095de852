"""What needs an admin: which facts are a trouble, and which are none.  Pure.

Each is to be told once, however often it is found: see `alarm`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

import attrs

from ..mail.selection import StoreFigures, Total
from ..operations.values import AlarmKind
from ..outcome.condition import Condition, State
from ..settings.commands import account_test
from ..settings.oauth2 import LOGIN_ENDS_SOON
from ..settings.quantities import DAY, HOUR, MINUTE
from ..times import iso

#: Seconds that an account may rest, or be asked to slow down, without a word: most faults of
#: servers and networks are over by then.
RESTS_FOR = 15 * MINUTE
#: Seconds that an account may wait for room in its quotas while mail waits: one by the minute is
#: used up again and again.
USED_UP_FOR = 15 * MINUTE
#: Days before the end of a certificate: when it is told, and when it becomes urgent.
SOON, VERY_SOON = 14, 3
#: Days before the end of a login: when it becomes urgent.
LOGIN_ENDS_VERY_SOON = 7
#: Room for new mail as a part of what has to stay free: with less, the spool is nearly full.
LITTLE_ROOM = 0.5


@attrs.frozen(kw_only=True)
class Trouble:
    """Something that needs an admin now.

    :param account: which it is about; ``None``: about none.
    :param text: what is wrong, and what to do.
    :param since: by the clock on the wall; ``None``: nobody knows.
    :param urgent: it has become so bad that it is to be told again.
    """

    kind: AlarmKind
    account: str | None = None
    text: str
    since: float | None = None
    urgent: bool = False


@attrs.frozen
class Expiry:
    """When a certificate of ours runs out.

    :param file: where it is.
    :param account: whose server is shown it; ``None``: clients are.
    :param end: by the clock on the wall; ``None``: it cannot be read.
    :param fault: why not.
    :param for_tokens: whoever gives out the tokens of the account is shown it, and knows it.
    """

    file: str
    account: str | None
    end: float | None
    fault: str = ""
    for_tokens: bool = False


def of_accounts(
    conditions: Iterable[Condition],
    now: float,
    *,
    waiting: Mapping[str, Total],
    cure: Callable[[str], str],
) -> Iterator[Trouble]:
    """Find the accounts that need somebody.

    :param now: by the clock on the wall, as are the times of `conditions`.
    :param waiting: what waits for each account, by its name.
    :param cure: says what can be done about the fault of an account, by its name; ``""``: nobody
        knows.
    """
    for condition in conditions:
        name, fault, since = condition.account, condition.fault, condition.since
        lasts = None if since is None else now - since
        match condition.state:
            case State.LOGIN:
                kind = AlarmKind.LOGIN
                what = f"account {name} cannot log in, or may not send: {fault}"
                text = with_cure(what, cure(name), name)
            case State.QUOTA if condition.used_up is None:
                kind = AlarmKind.QUOTA
                text = (
                    f"account {name} has used up its quota: {fault}{_until(condition)}; set"
                    ' "quota" to what the provider allows, or ask for more'
                )
            case State.QUOTA if lasts is not None and lasts > USED_UP_FOR and _waits(name, waiting):
                kind = AlarmKind.QUOTA
                text = (
                    f"mail for account {name} has been waiting for {in_words(lasts)}, since"
                    f' {fault}{_until(condition)}; "quota" sets how much it may send, and'
                    ' over_quota = "fallback" lets another account send the rest'
                )
            case State.RESTING | State.SLOW if lasts is not None and lasts >= RESTS_FOR:
                kind = AlarmKind.RESTING
                text = f"account {name} has not been usable for {in_words(lasts)}: {fault}"
            case _:
                continue
        yield Trouble(kind=kind, account=name, text=text, since=since)


def _waits(name: str, waiting: Mapping[str, Total]) -> bool:
    total = waiting.get(name)
    return total is not None and total.waiting > 0


def _until(condition: Condition) -> str:
    if condition.until is None:
        return ""
    return f"; it sends again at {iso(condition.until)[:16].replace('T', ' ')} UTC"


def with_cure(text: str, cure: str, account: str) -> str:
    """Return a text with what can be done, which is a sentence, or with how to find it out."""
    if cure:
        return f"{text.removesuffix('.')}. {cure}"
    return f"{text}; {account_test(account)} says what to do"


def of_mail(totals: Mapping[str, Total], now: float, longest: float) -> Iterator[Trouble]:
    """Find the accounts whose mail waits for too long; that which is held is to wait.

    :param now: by the clock of the spool.
    :param longest: seconds that a mail may wait; 0: it does not matter.
    """
    for name, total in totals.items():
        if longest and total.oldest is not None and now - total.oldest > longest:
            waits = in_words(now - total.oldest)
            yield Trouble(
                kind=AlarmKind.OLDEST_MAIL,
                account=name,
                text=f"a mail for account {name} has been waiting for {waits}; see multisendcon"
                f' queue list --account "{name}"',
            )


def of_disk(figures: StoreFigures) -> Iterator[Trouble]:
    """Find out whether there is room for new mail."""
    room = figures.free - figures.kept_free
    if room <= 0:
        yield full(f"{_mib(figures.free)} are free of the disk")
    elif room < LITTLE_ROOM * figures.kept_free:
        yield Trouble(
            kind=AlarmKind.SPOOL_FULL,
            text=f"the disk of the spool is nearly full: {_mib(figures.free)} are free, and with"
            f" less than {_mib(figures.kept_free)} (min_free) new mail is put off; make room",
        )


def full(why: str) -> Trouble:
    """Say that there is no room for new mail."""
    text = f"there is no room for new mail, which is put off (452): {why}; make room, see min_free"
    return Trouble(kind=AlarmKind.SPOOL_FULL, text=text, urgent=True)


def broken(error: str, advice: str) -> Trouble:
    """Say that the spool cannot be believed any more."""
    what_to_do = advice or "look at the disk, then restart the relay"
    text = f"the spool is broken, new mail is put off (451): {error}; {what_to_do}"
    return Trouble(kind=AlarmKind.SPOOL_BROKEN, text=text)


def no_history(why: str) -> Trouble:
    """Say that the history is not written."""
    return Trouble(kind=AlarmKind.HISTORY, text=f"the history is not written, mail goes on: {why}")


def no_archive(error: str) -> Trouble:
    """Say that copies of outgoing mail are not kept."""
    text = f"copies of outgoing mail are not kept, mail goes on: {error}; see [archive] path"
    return Trouble(kind=AlarmKind.ARCHIVE, text=text)


def front_ended(why: str) -> Trouble:
    """Say that clients are not served."""
    text = f"the front process, which serves the clients, {why}; it is started again"
    return Trouble(kind=AlarmKind.FRONT, text=text)


def of_certificates(expiries: Iterable[Expiry], now: float) -> Iterator[Trouble]:
    """Find the certificates that run out soon, or cannot be used.

    :param now: by the clock on the wall.
    """
    for expiry in expiries:
        kind, soon, very_soon = AlarmKind.CERTIFICATE, SOON, VERY_SOON
        renew = f"renew {expiry.file}"
        if expiry.for_tokens:
            kind, soon, very_soon = AlarmKind.EXPIRES, LOGIN_ENDS_SOON, LOGIN_ENDS_VERY_SOON
            what = f"the certificate with which account {expiry.account} asks for its tokens"
            renew = f"{renew}, and register the new one with the provider"
        elif expiry.account is None:
            what = "the certificate that clients see"
        else:
            what = f"the certificate that the server of {expiry.account} sees"
        if expiry.end is None:
            text, urgent = f"{what} cannot be read: {expiry.fault}", True
        elif expiry.end <= now + soon * DAY:
            text = f"{what} {ends(expiry.end, now)}; {renew}"
            urgent = expiry.end - now < very_soon * DAY
        else:
            continue
        yield Trouble(kind=kind, account=expiry.account, text=text, urgent=urgent)


def ends(end: float, now: float) -> str:
    """Return what is said of the end of something."""
    if end <= now:
        return "has expired"
    days = int((end - now) / DAY)
    if not days:
        return "expires in less than a day"
    return f"expires in {days} day{'s' * (days != 1)}"


def in_words(seconds: float) -> str:
    """Return how long something has been so."""
    for unit, name in ((DAY, "days"), (HOUR, "hours"), (MINUTE, "minutes")):
        if seconds >= 2 * unit:
            return f"{seconds // unit:.0f} {name}"
    return f"{seconds:.0f} seconds"


def _mib(octets: int) -> str:
    return f"{octets / 1024 / 1024:,.0f} MiB"
