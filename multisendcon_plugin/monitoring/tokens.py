"""Which logins by token are a trouble for an admin: refused, forgotten, or soon to end.  Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from ..logins.standing import LoginStanding
from ..operations.values import AlarmKind
from ..routing.account import Account
from ..settings.commands import account_login
from ..settings.oauth2 import LOGIN_ENDS_SOON, OAuth2, Provider
from ..settings.quantities import DAY
from .troubles import LOGIN_ENDS_VERY_SOON, Trouble, ends, in_words, with_cure

#: Days after which a provider forgets a sign-in that nobody has used.
_FORGOTTEN_AFTER = {Provider.MICROSOFT: 90, Provider.GOOGLE: 180}


def of_logins(
    logins: Iterable[tuple[Account, LoginStanding]], now: float, cure: Callable[[str, str], str]
) -> Iterator[Trouble]:
    """Find the logins that run out soon, or have, and those by which there is no token any more.

    :param now: by the clock on the wall.
    :param cure: says what can be done about an account without a token, by its name and why there
        is none; ``""``: nobody knows.
    """
    for account, standing in logins:
        if account.oauth2 is None:
            continue
        if standing.trouble and standing.needs_admin:
            what = f"account {account.name} gets no token to log in with: {standing.trouble}"
            text = with_cure(what, cure(account.name, standing.trouble), account.name)
            yield Trouble(kind=AlarmKind.LOGIN, account=account.name, text=text)
        if standing.expires is not None:
            yield from _of_secret(account.name, account.oauth2, standing.expires, now)
        if standing.unused_since is not None:
            yield from _of_sign_in(account.name, account.oauth2, standing, now)


def _of_secret(name: str, oauth2: OAuth2, end: float, now: float) -> Iterator[Trouble]:
    what, where = "secret", "client_secret"
    if oauth2.client_certificate is not None:
        what, where = "certificate", "client_certificate"
    elif oauth2.service_account_key is not None:
        what, where = "key", "service_account_key"
    if end > now + LOGIN_ENDS_SOON * DAY:
        return
    yield _trouble(
        name,
        f"the {what} with which account {name} gets its tokens {ends(end, now)}"
        f' ("expires" = {oauth2.expires}); make a new one at the provider, set "{where}" to it, and'
        ' "expires" to its last day',
        end,
        now,
    )


def _of_sign_in(
    name: str, oauth2: OAuth2, standing: LoginStanding, now: float
) -> Iterator[Trouble]:
    forgotten_after = _FORGOTTEN_AFTER.get(oauth2.provider)
    unused_since = standing.unused_since or 0.0
    if forgotten_after is None or not oauth2.grant.by_person:
        return
    end = unused_since + forgotten_after * DAY
    if end > now + LOGIN_ENDS_SOON * DAY:
        return
    why = f": {standing.trouble}" if standing.trouble else ""
    yield _trouble(
        name,
        f"the sign-in of account {name} has not been used for {in_words(now - unused_since)}{why};"
        f" its provider forgets it after {forgotten_after} days; {account_login(name)}"
        " signs in again",
        end,
        now,
    )


def _trouble(account: str, text: str, end: float, now: float) -> Trouble:
    urgent = end <= now + LOGIN_ENDS_VERY_SOON * DAY
    return Trouble(kind=AlarmKind.EXPIRES, account=account, text=text, urgent=urgent)
