"""What a client says in SASL (RFC 4422): challenges in, responses out, by one of five mechanisms.

PLAIN (RFC 4616), LOGIN and CRAM-MD5 (RFC 2195) by a password; by a token (RFC 6750), OAUTHBEARER
(RFC 7628), and XOAUTH2, which Google has made before there was that, and which Exchange Online
knows alone.  When they are used, and what is made of the answer, is up to `login`.  Pure.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
from collections.abc import Callable, Iterator

import attrs

from ..routing.account import Auth

#: Hides octets in whatever the server says from then on.
Hide = Callable[..., None]
#: What an error challenge may tell of a token: of RFC 7628 section 3.2.2, of Google's XOAUTH2, and
#: of OAuth (RFC 6749 section 5.2).
_TOLD = ("status", "error", "error_description", "schemes", "scope")
#: Characters of each that are told.
_LONGEST_WORD = 120
_SEPARATOR = b"\x01"


@attrs.frozen
class Identity:
    """Who logs in, by what, and where.

    :param secret: a password, or a token.
    """

    username: bytes
    secret: bytes = attrs.field(repr=False)
    host: str
    port: int


class Exchange:
    """One exchange, from the first response to the last.

    :param hide: is told of what the server must not be seen to repeat.
    :ivar initial: the response that needs no challenge; ``None``: there is none.
    :ivar complaint: what the server has said of the token, in words; ``""``: nothing.
    """

    initial: bytes | None = None
    complaint = ""

    def __init__(self, identity: Identity, hide: Hide) -> None:
        self._identity = identity
        self._hide = hide

    def respond(self, challenge: str) -> bytes | None:
        """Return the response to a challenge; ``None``: the challenge makes no sense.

        :param challenge: in base64, as the server has sent it.
        """
        raise NotImplementedError


class _Plain(Exchange):
    def __init__(self, identity: Identity, hide: Hide) -> None:
        super().__init__(identity, hide)
        self.initial = plain(identity.username, identity.secret)
        hide(self.initial)

    def respond(self, challenge: str) -> bytes | None:
        # A server that asks has not looked at what came with the command.
        return None if _decoded(challenge) else self.initial


class _Login(Exchange):
    def __init__(self, identity: Identity, hide: Hide) -> None:
        super().__init__(identity, hide)
        self._responses = iter((identity.username, identity.secret))

    def respond(self, challenge: str) -> bytes | None:  # noqa: ARG002
        # The prompts are worded in many ways, in base64 or not; their order is the same everywhere.
        return next(self._responses, None)


class _CramMd5(Exchange):
    def respond(self, challenge: str) -> bytes | None:
        octets = _decoded(challenge)
        if octets is None:
            return None
        digest = hmac.new(self._identity.secret, octets, "md5").hexdigest().encode()
        response = self._identity.username + b" " + digest
        # By the digest, passwords can be guessed without asking the server.
        self._hide(response, digest)
        return response


class _Bearer(Exchange):
    """By a token: the server asks for it at most, and then takes it or complains."""

    #: What ends the exchange after a complaint, before the server's refusal.
    _end: bytes

    def __init__(self, identity: Identity, hide: Hide) -> None:
        super().__init__(identity, hide)
        self.initial = self._response(identity)
        self._is_asked_for = False
        hide(base64.b64encode(self.initial))

    def _response(self, identity: Identity) -> bytes:
        raise NotImplementedError

    def respond(self, challenge: str) -> bytes | None:
        self.complaint = self.complaint or complaint(challenge)
        if self.complaint or self._is_asked_for:
            return self._end
        self._is_asked_for = True
        return self.initial


class _XOAuth2(_Bearer):
    _end = b""

    def _response(self, identity: Identity) -> bytes:
        return xoauth2(identity.username, identity.secret)


class _OAuthBearer(_Bearer):
    _end = _SEPARATOR

    def _response(self, identity: Identity) -> bytes:
        return oauthbearer(identity)


EXCHANGES: dict[Auth, type[Exchange]] = {
    Auth.PLAIN: _Plain,
    Auth.LOGIN: _Login,
    Auth.CRAM_MD5: _CramMd5,
    Auth.XOAUTH2: _XOAuth2,
    Auth.OAUTHBEARER: _OAuthBearer,
}


def plain(username: bytes, password: bytes) -> bytes:
    """Return the response of PLAIN."""
    # Without authorization identity: the login acts for itself (RFC 4616 section 2).
    return b"\0".join((b"", username, password))


def xoauth2(username: bytes, token: bytes) -> bytes:
    """Return the response of XOAUTH2."""
    return b"user=" + username + _SEPARATOR + b"auth=Bearer " + token + _SEPARATOR * 2


def oauthbearer(identity: Identity) -> bytes:
    """Return the response of OAUTHBEARER (RFC 7628 section 3.1)."""
    # A name in it is a saslname (RFC 5801 section 4).
    name = identity.username.replace(b"=", b"=3D").replace(b",", b"=2C")
    parts = (
        b"n,a=" + name + b",",
        b"host=" + identity.host.encode(),
        b"port=%d" % identity.port,
        b"auth=Bearer " + identity.secret,
    )
    return _SEPARATOR.join(parts) + _SEPARATOR * 2


def complaint(challenge: str) -> str:
    """Return in words what an error challenge says of a token; ``""``: it is none.

    RFC 7628 section 3.2.2 has it a JSON object; what is in it nobody knows beforehand.
    """
    octets = _decoded(challenge)
    try:
        told = json.loads(challenge if octets is None else octets)
    except (ValueError, RecursionError):
        return ""
    if not isinstance(told, dict):
        return ""
    return ", ".join(_words(told)) or "no reason given"


def _words(told: dict[str, object]) -> Iterator[str]:
    for key in _TOLD:
        value = told.get(key)
        if isinstance(value, str | int):
            shown = "".join(each if each.isprintable() else " " for each in str(value))
            if words := " ".join(shown.split())[:_LONGEST_WORD]:
                yield f"{key} {words}"


def _decoded(challenge: str) -> bytes | None:
    """Decode a challenge, which may lack its padding; ``None``: it is not in base64."""
    try:
        return base64.b64decode(challenge + "=" * (-len(challenge) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None
