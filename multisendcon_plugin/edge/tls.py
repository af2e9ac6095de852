"""TLS with clients: our certificate, read again when it has been renewed.

TLS 1.2 or newer, with strong ciphers; older ones of both for clients whose `[[client]]` says so.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from OpenSSL import SSL, crypto
from twisted.internet import ssl
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator, ISystemHandle
from twisted.logger import Logger
from zope.interface import implementer

from ..errors import ConfigurationError
from ..settings.certificate import ServerCertificate
from ..settings.ciphers import STRONG
from ..settings.files import Stamp, load_certificate, stamp
from ..settings.values import MasterRelay, MinimumTls

_OLD_VERSIONS = {
    MinimumTls.TLS_1_0: ssl.TLSVersion.TLSv1_0,
    MinimumTls.TLS_1_1: ssl.TLSVersion.TLSv1_1,
}
#: What clients get that speak them.  Their signatures are of MD5 and SHA-1, which OpenSSL has only
#: at level 0 (SSL_CTX_set_security_level(3)).
_OLD_CIPHERS = (
    b"ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM:ECDHE+AES:DHE+AES:RSA+AESGCM:RSA+AES:!aNULL"
    b":@SECLEVEL=0"
)


@implementer(IOpenSSLServerConnectionCreator)
class ClientsTLS:
    """Makes the server's side of TLS sessions, for each client as old as its session says.

    At an ``ssl:`` endpoint, too: who the client is, is known before its handshake.  Old versions
    have a context of their own, since their security level would lower that of all others (RFC
    8996).

    :param options: the certificate, and what most clients get.
    """

    def __init__(self, options: ssl.CertificateOptions) -> None:
        self._options = options
        context = options.getContext()
        context.set_cipher_list(STRONG.encode("ascii"))
        self._contexts = {MinimumTls.TLS_1_2: context}

    def serverConnectionForTLS(self, protocol: Any) -> SSL.Connection:
        """Return the server's side of a new session.

        :param protocol: Twisted's layer of TLS, around our session.
        """
        policy = getattr(getattr(protocol, "wrappedProtocol", None), "policy", None)
        minimum = getattr(policy, "minimum_tls", MinimumTls.TLS_1_2)
        if minimum not in self._contexts:
            self._contexts[minimum] = self._old(minimum)
        return SSL.Connection(self._contexts[minimum], None)

    def _old(self, minimum: MinimumTls) -> SSL.Context:
        options = self._options
        context = ssl.CertificateOptions(
            privateKey=options.privateKey,
            certificate=options.certificate,
            extraCertChain=options.extraCertChain,
            dhParameters=options.dhParameters,
            insecurelyLowerMinimumTo=_OLD_VERSIONS[minimum],
        ).getContext()
        context.set_cipher_list(_OLD_CIPHERS)
        return context


@implementer(IOpenSSLServerConnectionCreator)
class PortTLS:
    """The server's side of TLS at an ``ssl:`` endpoint, whose files may be read again."""

    _current: ClientsTLS

    def use(self, tls: ClientsTLS) -> None:
        """Let new sessions have this."""
        self._current = tls

    def serverConnectionForTLS(self, protocol: Any) -> SSL.Connection:
        """Return the server's side of a new session."""
        return self._current.serverConnectionForTLS(protocol)


@implementer(IOpenSSLServerConnectionCreator)
class ServerTLS:
    """Makes the server's side of TLS sessions.

    A renewed certificate is noticed at the next handshake, by the dates of its files: it needs no
    restart, and no signal.  One that cannot be used is logged once, and the previous one
    stays: its files may be incomplete for a moment.

    :param certificate: a file.
    :param key: a file; ``None``: it is in the same.
    :param wall: tells the time, in seconds since the epoch.
    :raise ConfigurationError: TLS cannot be spoken with them.
    """

    log = Logger()

    def __init__(self, certificate: str, key: str | None, wall: Callable[[], float]) -> None:
        self._certificate = certificate
        self._key = key
        self._wall = wall
        self._warning = ""
        self._stamp = self._look()
        self._current, self._clients = self._load()

    def serverConnectionForTLS(self, protocol: Any) -> SSL.Connection:
        """Return the server's side of a new session."""
        self._renew()
        self._tell_warning()
        return self._clients.serverConnectionForTLS(protocol)

    def _renew(self) -> None:
        current = self._look()
        if current == self._stamp:
            return
        self._stamp = current
        try:
            self._current, self._clients = self._load()
        except ConfigurationError as error:
            self.log.error(
                "the new certificate cannot be used, the old one stays in use: {error}",
                error=str(error),
            )
        else:
            self.log.info("certificate {path} reloaded", path=self._certificate)

    def _tell_warning(self) -> None:
        warning = self._current.warning(self._wall())
        if warning and warning != self._warning:
            self.log.warn("{path}: {warning}", path=self._certificate, warning=warning)
        self._warning = warning

    def _look(self) -> Stamp:
        return stamp(path for path in (self._certificate, self._key) if path)

    def _load(self) -> tuple[ServerCertificate, ClientsTLS]:
        current = load_certificate(self._certificate, self._key)
        own, *authorities = (crypto.X509.from_cryptography(each) for each in current.chain)
        options = ssl.CertificateOptions(
            privateKey=crypto.PKey.from_cryptography_key(current.key),  # type: ignore[arg-type]
            certificate=own,
            extraCertChain=authorities,
            raiseMinimumTo=ssl.TLSVersion.TLSv1_2,
        )
        try:
            return current, ClientsTLS(options)
        except SSL.Error as error:  # for example a key that is too short
            reasons = ", ".join(entry[-1] for entry in error.args[0])
            raise ConfigurationError([f"{self._certificate}: {reasons}"]) from None


def server_tls(settings: MasterRelay, wall: Callable[[], float]) -> ServerTLS | None:
    """Return what makes the server's side of STARTTLS; ``None``: there is no certificate.

    :raise ConfigurationError: TLS cannot be spoken with the certificate.
    """
    if not settings.tls_certificate:
        return None
    return ServerTLS(settings.tls_certificate, settings.tls_key, wall)


#: What OpenSSL says of a handshake, and what it means here.
_FAULTS_OF_HANDSHAKES = {
    "wrong version number": "plain text where TLS begins",
    "packet length too long": "plain text where TLS begins",
    "http request": "HTTP where TLS begins",
    "https proxy request": "HTTP where TLS begins",
    "unsupported protocol": "the client does not know TLS {minimum} (minimum_tls of [[client]])",
    "no shared cipher": (
        "client and server have no cipher in common (minimum_tls of [[client]] allows older ones)"
    ),
    **dict.fromkeys(
        [
            "tlsv1 alert unknown ca",
            "sslv3 alert bad certificate",
            "sslv3 alert certificate unknown",
            "ssl/tls alert bad certificate",
            "ssl/tls alert certificate unknown",
            "tls alert bad certificate",
            "tls alert certificate unknown",
        ],
        "the client does not trust the certificate",
    ),
}


def has_said_hello(transport: Any) -> bool:
    """Tell whether the client has begun its handshake, as far as its transport knows."""
    handle = transport.getHandle() if ISystemHandle.providedBy(transport) else None
    return not isinstance(handle, SSL.Connection) or handle.client_random() is not None


def spoken(transport: Any) -> str:
    """Return version and cipher of the TLS that is spoken; ``""``: none."""
    handle = transport.getHandle() if ISystemHandle.providedBy(transport) else None
    if not isinstance(handle, SSL.Connection):
        return ""
    return f"{handle.get_protocol_version_name()} {handle.get_cipher_name()}"


def fault_of_handshake(error: Any, minimum: MinimumTls) -> str:
    """Say why a handshake has failed.

    :param error: an `SSL.Error`.
    :param minimum: the oldest version that is spoken with the client.
    """
    entries = error.args[0] if error.args and isinstance(error.args[0], list) else []
    reasons = [reason for *_, reason in entries]
    known = [_FAULTS_OF_HANDSHAKES[each] for each in reasons if each in _FAULTS_OF_HANDSHAKES]
    why = known[0].format(minimum=minimum.value) if known else ", ".join(reasons) or str(error)
    return f"the TLS handshake failed: {why}"
