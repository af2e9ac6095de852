"""What sessions log in with: the contract between the rooms that log in and that keep logins."""

from __future__ import annotations

import attrs
from twisted.internet.defer import Deferred
from zope.interface import Attribute, Interface

from ..errors import MultisendconError


@attrs.frozen
class Credential:
    """What a session logs in with.

    :param username: the name in SASL.
    :param secret: a password, or an access token.
    :param is_token: it is a token (RFC 6750), for XOAUTH2 and OAUTHBEARER.
    """

    username: str
    secret: str = attrs.field(repr=False)
    is_token: bool = False


class CredentialError(MultisendconError):
    """There is nothing to log in with.

    Its text says what is wrong and what to do, and nothing secret.

    :param needs_admin: it stays so until somebody does something (`Action.ALARM`); False: it may
        be over in a while, as when a server does not answer (`Action.REST`).
    """

    def __init__(self, text: str, *, needs_admin: bool) -> None:
        super().__init__(text)
        self.needs_admin = needs_admin


class ICredentials(Interface):
    """What the sessions of one account log in with; asked when a session needs it.

    Who asks gets a Deferred of its own, and may cancel it: others still get theirs.
    """

    known = Attribute(
        "``tuple[str, ...]``: the secrets that are known now, which the server may have heard in an"
        " earlier session and may repeat"
    )

    def current() -> Deferred[Credential]:
        """Return it for a session that is about to log in.

        Who asks at the same time gets the same: at most one request is under way.

        Fails with `CredentialError`.
        """

    def after_refusal(refused: Credential) -> Deferred[Credential]:
        """Return it after a server has refused one: another one, or the same if there is none.

        All who were refused the same one cost one request together.

        Fails with `CredentialError`.
        """

    def tried(credential: Credential, worked: bool) -> None:
        """Hear what a server has said to a credential; once for each login.

        :param worked: the login has succeeded; False: it was refused.
        """
