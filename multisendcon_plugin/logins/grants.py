"""What providers are asked: the forms of each grant, and where somebody signs in.

RFC 6749 (OAuth2), RFC 7523 (assertions), RFC 7636 (PKCE), RFC 8628 (devices).
"""

from __future__ import annotations

import secrets
from typing import Any

import attrs
from oauthlib.common import add_params_to_uri, urlencode
from oauthlib.oauth2 import WebApplicationClient
from oauthlib.oauth2.rfc6749.parameters import prepare_token_request

from .endpoints import Endpoints

_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"


@attrs.frozen
class Form:
    """A request.

    :param body: as it is posted.
    :param secrets: what of it must not be repeated by anybody.
    """

    body: bytes = attrs.field(repr=False)
    secrets: tuple[str, ...] = attrs.field(repr=False)


@attrs.frozen
class Client:
    """As whom we ask (RFC 6749 section 2.3); without secret and assertion, a public client.

    :param assertion: see `assertion.client_assertion`.
    """

    client_id: str
    secret: str = attrs.field(default="", repr=False)
    assertion: str = attrs.field(default="", repr=False)

    def for_itself(self, scope: str) -> Form:
        """Ask for a token of an application (RFC 6749 section 4.4)."""
        return self._form("client_credentials", scope=scope)

    def refresh(self, refresh_token: str) -> Form:
        """Ask for the next token (RFC 6749 section 6), with the scope that it was given out for."""
        return self._form("refresh_token", (refresh_token,), refresh_token=refresh_token)

    def by_service_account(self, assertion: str) -> Form:
        """Ask for a token of a mailbox (RFC 7523 section 2.1).

        :param assertion: see `assertion.service_assertion`; it says who asks.
        """
        return self._form(_JWT_BEARER, (assertion,), assertion=assertion)

    def by_code(self, code: str, redirect: str, verifier: str) -> Form:
        """Ask for a token with what a browser has brought (RFC 6749 section 4.1.3)."""
        return self._form(
            "authorization_code",
            (code, verifier),
            code=code,
            redirect_uri=redirect,
            code_verifier=verifier,
        )

    def by_device(self, device_code: str) -> Form:
        """Ask whether somebody has signed in (RFC 8628 section 3.4)."""
        return self._form(_DEVICE_CODE, (device_code,), device_code=device_code)

    def device_code(self, scope: str) -> Form:
        """Ask for a code for a device (RFC 8628 section 3.1)."""
        # Who asks is told as for a token, but there is no type of grant.
        fields = {"client_id": self.client_id, "scope": scope, **self._proof()}
        body = urlencode([(name, value) for name, value in fields.items() if value])
        return Form(body.encode(), self._secrets())

    def _form(self, grant: str, secrets: tuple[str, ...] = (), **fields: str) -> Form:
        given: dict[str, Any] = {**self._proof(), **fields, "client_id": self.client_id or None}
        body = prepare_token_request(grant, **given)
        return Form(body.encode(), (*secrets, *self._secrets()))

    def _proof(self) -> dict[str, str]:
        if self.assertion:
            return {"client_assertion_type": _ASSERTION_TYPE, "client_assertion": self.assertion}
        return {"client_secret": self.secret} if self.secret else {}

    def _secrets(self) -> tuple[str, ...]:
        return tuple(filter(None, (self.secret, self.assertion)))


@attrs.frozen
class Authorization:
    """Somebody signs in with a browser (RFC 6749 section 4.1.1, RFC 7636).

    :param url: where.
    :param state: comes back with the browser: so nobody else can have sent it.
    :param verifier: proves with the code that it was us who asked.
    """

    url: str = attrs.field(repr=False)
    state: str = attrs.field(repr=False)
    verifier: str = attrs.field(repr=False)

    @classmethod
    def begin(cls, client_id: str, endpoints: Endpoints, redirect: str, hint: str) -> Authorization:
        """Begin it.

        :param redirect: where the browser is sent to.
        :param hint: the mailbox of who is expected.
        """
        # oauthlib's own function for this refuses http:// on loopback, where tests and proxies are.
        maker = WebApplicationClient(client_id)
        state, verifier = secrets.token_urlsafe(32), maker.create_code_verifier(64)
        fields = {
            "response_type": "code",
            "client_id": client_id,
            "redirect_uri": redirect,
            "scope": endpoints.scope,
            "state": state,
            "code_challenge": maker.create_code_challenge(verifier, "S256"),
            "code_challenge_method": "S256",
            "login_hint": hint,
            **dict(endpoints.sign_in),
        }
        present = [(name, value) for name, value in fields.items() if value]
        return cls(add_params_to_uri(endpoints.authorize, present), state, verifier)
