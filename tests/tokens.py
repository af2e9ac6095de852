"""For tests: the tokens of an account, without anybody who gives them out."""

from __future__ import annotations

import base64

from twisted.internet.defer import Deferred, succeed
from zope.interface import implementer

from multisendcon_plugin.interfaces.credentials import Credential, ICredentials
from multisendcon_plugin.routing.hop import Tls
from multisendcon_plugin.settings.oauth2 import Grant, OAuth2, Provider

USER = "sales@example.com"
OAUTH2 = OAuth2(provider=Provider.MICROSOFT, grant=Grant.CLIENT_CREDENTIALS, mailbox=USER)


@implementer(ICredentials)
class Tokens:
    """Gives out one token after the other, the next one after a refusal; the last one for ever.

    :param tokens: texts, errors, or Deferreds that are waited for.
    :ivar asked: how often for the current one.
    :ivar refused: the tokens after which another one was asked for.
    :ivar heard: what servers have said to which.
    """

    def __init__(self, *tokens):
        self.tokens = list(tokens)
        self.asked = 0
        self.refused = []
        self.heard = []

    @property
    def known(self):
        return tuple(each for each in self.tokens[:1] if isinstance(each, str))

    def current(self):
        self.asked += 1
        return self._given()

    def after_refusal(self, refused):
        self.refused.append(refused.secret)
        if len(self.tokens) > 1:
            self.tokens.pop(0)
        return self._given()

    def tried(self, credential, worked):
        self.heard.append((credential.secret, worked))

    def _given(self):
        given = Deferred()
        token = self.tokens[0]
        (token if isinstance(token, Deferred) else succeed(token)).addBoth(_tell, given)
        return given.addCallback(lambda secret: Credential(USER, secret, is_token=True))


def _tell(token, given):
    given.errback(token) if isinstance(token, Exception) else given.callback(token)
    return token


def by(tokens, **account):
    """Return the settings of a `tests.relays.Way` that logs in with tokens."""
    settings = {"username": "sales", "oauth2": OAUTH2, "tls": Tls.NONE, **account}
    return {"logins": lambda _: tokens, **settings}


def xoauth2(token):
    """Return the response of XOAUTH2, as it is sent."""
    return base64.b64encode(f"user={USER}\1auth=Bearer {token}\1\1".encode())


def oauthbearer(token, host="192.0.2.1", port=25):
    """Return the response of OAUTHBEARER, as it is sent."""
    parts = (f"n,a={USER},", f"host={host}", f"port={port}", f"auth=Bearer {token}", "", "")
    return base64.b64encode("\1".join(parts).encode())
