"""The form of Twisted's server endpoint strings: ``tcp:port=2500:interface=127.0.0.1``.

Reads and checks what can be known without a reactor.  Only the reactor's own parser, at
start-up, opens anything.  Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address, ip_address

import attrs

from .words import InvalidValueError, nearest, shown, shown_key

#: The parameters of each kind of endpoint, in the order in which they may stand without names.
_PARAMETERS = {
    "tcp": ("port", "interface", "backlog"),
    "tcp6": ("port", "backlog", "interface"),
    "ssl": (
        "port",
        "privateKey",
        "certKey",
        "sslmethod",
        "interface",
        "backlog",
        "extraCertChain",
        "dhParameters",
    ),
    "tls": ("path", "port", "backlog", "interface"),
    "unix": ("address", "mode", "backlog", "lockfile"),
    "systemd": ("domain", "index", "name"),
}
_SECURE = ("ssl", "tls")
_REQUIRED = {"tls": "path", "unix": "address", "systemd": "domain"}
_DEFAULTS = {
    "tcp": {"interface": "0.0.0.0"},  # noqa: S104 - what Twisted does, for the loop check
    "tcp6": {"interface": "::"},
    "ssl": {"interface": "0.0.0.0", "privateKey": "server.pem"},  # noqa: S104
    "tls": {"interface": "::", "port": "443"},
}
#: Stands before an endpoint to which a proxy connects.
PROXY = "haproxy:"
#: Connections that may wait to be accepted, where the string does not say: as many as the system
#: allows (net.core.somaxconn).  One for which there is no room looks open to its client, but gets
#: its greeting seconds, or up to a minute, later.  Twisted would have 50.
BACKLOG = 65_535
#: Who may write to a local socket can send mail: our user and group.  Twisted would have 666.
_SOCKET_MODE = "660"
#: The methods of OpenSSL by which a server still finds a version that a client may speak: those for
#: TLS 1.0 and 1.1 alone would need a lower security level too, which an endpoint string cannot set.
_SSL_METHODS = ("SSLv23_METHOD", "TLS_METHOD", "TLS_SERVER_METHOD", "TLSv1_2_METHOD")
_ARGUMENT = re.compile(r"((?:[^:=\\]|\\.)*)(?:=((?:[^:\\]|\\.)*))?:", re.DOTALL)
_NUMBER = re.compile(r"[0-9]{1,5}")
_MODE = re.compile(r"0?[0-7]{3}")


@attrs.frozen(kw_only=True)
class Endpoint:
    """A server endpoint, taken apart."""

    prefix: str
    parameters: Mapping[str, str]

    @property
    def secure(self) -> bool:
        """Sessions begin with TLS."""
        return self.prefix in _SECURE

    @property
    def local(self) -> bool:
        """Its connections come by a file of this machine, and have no address."""
        return self.prefix == "unix" or self.parameters.get("domain") == "UNIX"

    @property
    def port(self) -> int | None:
        """The TCP port; ``None`` when the string names none."""
        return int(self.parameters["port"]) if "port" in self.parameters else None

    @property
    def interface(self) -> str:
        """The address it listens on; ``""`` when it is not known."""
        return self.parameters.get("interface", "")


def parse_endpoint(text: str) -> Endpoint:
    """Take a server endpoint string apart.

    :raise InvalidValueError: Twisted could not listen on it.
    """
    prefix, *rest = _arguments(text.removeprefix(PROXY))
    kind = prefix[1]
    if prefix[0] or kind not in _PARAMETERS:
        guess = nearest(kind, _PARAMETERS)
        hint = f" (nearest: {guess})" if guess else ""
        known = ", ".join([*_PARAMETERS, "haproxy"])
        raise InvalidValueError(
            f"{shown(text)} is not an endpoint; begin it with one of {known}{hint}, for"
            ' example "tcp:port=2500:interface=127.0.0.1"'
        )
    endpoint = Endpoint(prefix=kind, parameters=_DEFAULTS.get(kind, {}) | _named(text, kind, rest))
    _check(text, endpoint)
    return endpoint


def completed(text: str) -> str:
    """Return an endpoint string with our defaults where it says nothing, and not Twisted's."""
    endpoint = parse_endpoint(text)
    for name, value in (("backlog", str(BACKLOG)), ("mode", _SOCKET_MODE)):
        if name in _PARAMETERS[endpoint.prefix] and name not in endpoint.parameters:
            text = f"{text}:{name}={value}"
    return text


def _arguments(text: str) -> list[tuple[str, str]]:
    """Split at the colons; each piece is a pair of name, ``""`` when it has none, and value."""
    pieces = list(_ARGUMENT.finditer(text + ":"))
    if "".join(piece[0] for piece in pieces) != text + ":":
        raise InvalidValueError(f"{shown(text)} ends with a backslash; remove it")
    return [
        ("", _unescape(piece[1]))
        if piece[2] is None
        else (_unescape(piece[1]), _unescape(piece[2]))
        for piece in pieces
    ]


def _unescape(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text, flags=re.DOTALL)


def _named(text: str, kind: str, arguments: list[tuple[str, str]]) -> dict[str, str]:
    """Give each argument its name."""
    free = list(_PARAMETERS[kind])
    named: dict[str, str] = {}
    for position, (name, value) in enumerate(arguments):
        if not name and position >= len(free):
            raise InvalidValueError(
                f"{shown(text)} has too many parts; colons in an IPv6 address need"
                r" backslashes, for example 'tcp6:port=2500:interface=\:\:1'"
            )
        name = name or free[position]  # noqa: PLW2901 - the same name, now known
        if name not in free:
            guess = nearest(name, free)
            hint = f" (nearest: {guess})" if guess else ""
            known = ", ".join(free)
            raise InvalidValueError(
                f"{shown(text)} has an unknown parameter {shown_key(name)}; {kind} takes"
                f" {known}{hint}"
            )
        named[name] = value
    return named


def _check(text: str, endpoint: Endpoint) -> None:
    if text.startswith(PROXY) and endpoint.secure:
        # Twisted would look for it inside of TLS, but proxies send it before.
        raise InvalidValueError(
            f"{shown(text)}: implicit TLS is not supported behind a proxy, only STARTTLS; write"
            " haproxy:tcp:port=..."
        )
    required = _REQUIRED.get(endpoint.prefix, "port")
    if not endpoint.parameters.get(required):
        raise InvalidValueError(
            f"{shown(text)} has no {required}; write {endpoint.prefix}:{required}=..."
        )
    method = endpoint.parameters.get("sslmethod")
    if method is not None and method not in _SSL_METHODS:
        raise InvalidValueError(
            f"{shown(text)}: with sslmethod={shown_key(method)} no client can connect; leave it"
            " out, and for old devices write minimum_tls in a [[client]]"
        )
    port = endpoint.parameters.get("port")
    if port is not None and not (_NUMBER.fullmatch(port) and int(port) <= 65535):
        raise InvalidValueError(
            f"{shown(text)} has the port {shown(port)}; write a number from 1 to 65535, or 0"
            " to let the system choose"
        )
    mode = endpoint.parameters.get("mode", _SOCKET_MODE)
    if not _MODE.fullmatch(mode):
        raise InvalidValueError(
            f"{shown(text)} has the mode {shown(mode)}; write three octal digits, for example"
            f" {_SOCKET_MODE}"
        )
    if endpoint.interface and not address_of(endpoint.interface):
        raise InvalidValueError(
            f"{shown(text)} has the interface {shown(endpoint.interface)}; write an address of"
            r" this machine, the colons of an IPv6 address with backslashes: '\:\:1'"
        )


def address_of(text: str) -> IPv4Address | IPv6Address | None:
    """Return the IP address that a text is; ``None``: it is none."""
    try:
        return ip_address(text)
    except ValueError:
        return None
