"""A token (RFC 6749), whose it is, and how long it is good for.  Pure.

Times are seconds since the epoch, by the clock on the wall: they are stored, and a restart has to
understand them.
"""

from __future__ import annotations

from typing import Any, Self

import attrs

from ..settings.oauth2 import OAuth2
from .endpoints import endpoints_of

#: The form of what is stored.
_VERSION = 1


class StoredTokenError(Exception):
    """What is stored is no token; the text says nothing of it."""


@attrs.frozen(kw_only=True)
class Token:
    """What a provider has given out.

    :param expires_at: when the access token runs out.
    :param refresh_token: gets the next one (RFC 6749 section 6); ``""``: there is none.
    :param refreshed_at: when the access token came, and the refresh token was used last.
    :param obtained_at: when somebody signed in, or the first of its kind came.
    """

    access_token: str = attrs.field(repr=False)
    expires_at: float
    refresh_token: str = attrs.field(default="", repr=False)
    refreshed_at: float
    obtained_at: float

    @property
    def life(self) -> float:
        """Seconds that the access token lives from its coming to its end."""
        return self.expires_at - self.refreshed_at

    def after(self, earlier: Token | None) -> Token:
        """Return it as the successor of another one, which it was got with.

        A provider that does not replace the refresh token goes on with the one before.
        """
        if earlier is None:
            return self
        return attrs.evolve(
            self,
            refresh_token=self.refresh_token or earlier.refresh_token,
            obtained_at=earlier.obtained_at,
        )


@attrs.frozen
class Identity:
    """Whose token it is: of another one, a stored token is of no use.

    :param scope: what it is good for; ``""``: what somebody has agreed to who has signed in.
    """

    grant: str
    client_id: str
    token_url: str
    mailbox: str
    scope: str

    @classmethod
    def of(cls, settings: OAuth2, mailbox: str) -> Self:
        """Return that of an account.

        :param mailbox: as which it logs in.
        """
        grant, endpoints = settings.grant, endpoints_of(settings)
        scope = "" if grant.by_person else endpoints.scope
        return cls(grant.value, settings.client_id, endpoints.token, mailbox, scope)


@attrs.frozen
class StoredToken:
    """What the file of an account says."""

    account: str
    identity: Identity
    token: Token

    def as_json(self) -> dict[str, Any]:
        """Return it as values of JSON."""
        return {"version": _VERSION, **attrs.asdict(self)}

    @classmethod
    def from_json(cls, value: object) -> Self:
        """Read it.

        :raise StoredTokenError: it is none.
        """
        if not isinstance(value, dict) or value.get("version") != _VERSION:
            raise StoredTokenError("it is not in the form of this version")
        account = value.get("account")
        if not isinstance(account, str):
            raise StoredTokenError("it lacks the account")
        return cls(
            account, _made(Identity, value.get("identity")), _made(Token, value.get("token"))
        )


def _made(kind: Any, value: object) -> Any:
    """Return an instance whose fields are texts and times."""
    fields = attrs.fields(kind)
    if not isinstance(value, dict) or value.keys() != {field.name for field in fields}:
        raise StoredTokenError(f"its {kind.__name__.lower()} has other fields")
    for field in fields:
        given = value[field.name]
        if field.type == "str" or field.type is str:
            fits = isinstance(given, str)
        else:
            # JSON as Python reads it has numbers that are none, and True is an int.
            fits = type(given) in (int, float) and abs(given) < float("inf")
        if not fits:
            raise StoredTokenError(f"its {field.name} is of another type")
    return kind(**value)
