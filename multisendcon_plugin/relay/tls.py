"""TLS towards an account's server: whom to trust, which name to expect, what went wrong.

Certificates and names are verified (RFC 7817, RFC 9525) unless the account says otherwise; SNI is
sent for host names (RFC 6066 section 3); TLS 1.2 or newer.  Authorities are read once, those of the
system for all accounts together, since that costs milliseconds and a megabyte.  No TLS session is
kept for another connection.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import attrs
from OpenSSL import SSL, crypto
from twisted.internet import ssl
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.python.failure import Failure
from zope.interface import implementer

from ..account import Account, Tls
from .certificate import ExpectedName, is_address

#: What OpenSSL's numbers for a bad chain mean (x509_vfy.h), in an admin's words.
_VERIFY_ERRORS = {
    9: "the certificate is not valid yet (is this machine's clock right?)",
    10: "the certificate has expired",
    18: "the certificate is self-signed (tls_ca can name it)",
    19: "the certificate's authority is not trusted (tls_ca can name it)",
    20: "the certificate's authority is not known (tls_ca can name it)",
    21: "the certificate's authority is not known (tls_ca can name it)",
    23: "the certificate was revoked",
}
#: What OpenSSL's reasons for a failed handshake mean.
_HANDSHAKE_ERRORS = {
    "wrong version number": "the server does not answer with TLS; is the port right?",
    "packet length too long": "the server does not answer with TLS; is the port right?",
    "unsupported protocol": "the server offers nothing newer than TLS 1.1",
    "tlsv1 alert protocol version": "the server offers nothing newer than TLS 1.1",
}


class CertificateError(Exception):
    """The server's certificate is not acceptable; the text says why."""


@implementer(IOpenSSLClientConnectionCreator)
class _Connections:
    """Makes OpenSSL connections with one context, for one server name.

    :param verify: check the certificate and the name.
    """

    def __init__(self, context: SSL.Context, server: str, *, verify: bool) -> None:
        self._context = context
        self._verify = verify
        self._sni = None if is_address(server) else server.encode("ascii")
        self._expected = ExpectedName(server)

    def clientConnectionForTLS(self, tlsProtocol: Any) -> SSL.Connection:
        connection = SSL.Connection(self._context, None)
        if self._sni:
            connection.set_tlsext_host_name(self._sni)
        if self._verify:
            connection.set_verify(SSL.VERIFY_PEER, self._verifier(tlsProtocol))
        else:
            connection.set_verify(SSL.VERIFY_NONE, None)
        return connection

    def _verifier(self, protocol: Any) -> Any:
        def verify(_: Any, certificate: Any, error: int, depth: int, ok: int) -> bool:
            problem = ""
            if not ok:
                problem = _VERIFY_ERRORS.get(
                    error, f"the certificate is not valid (OpenSSL error {error})"
                )
            elif depth == 0:
                problem = self._problem_of(certificate)
            if problem:
                protocol.failVerification(Failure(CertificateError(problem)))
            return not problem

        return verify

    def _problem_of(self, certificate: crypto.X509) -> str:
        try:
            return self._expected.problem(certificate.to_cryptography())
        except Exception as error:  # a stranger's certificate may hold anything
            return f"the certificate cannot be read: {error}"


@attrs.frozen
class ClientTLS:
    """An account's way to speak TLS.

    :param context: makes the connections, for implicit TLS as for STARTTLS.
    """

    context: IOpenSSLClientConnectionCreator

    @classmethod
    def of(cls, account: Account) -> ClientTLS:
        """Read the account's authorities.

        :raise OSError: the file of `tls_ca` cannot be read.
        :raise ValueError: it holds no certificate.
        """
        # Without a login, unverified TLS is better than none (RFC 7435).
        opportunistic = account.tls is Tls.OPPORTUNISTIC and not account.username
        verify = account.tls_verify and not opportunistic
        if verify and account.tls_ca:
            context = _context(_authorities(account.tls_ca))
        else:
            context = common_context(verify=verify)
        return cls(_Connections(context, account.server, verify=verify))


@cache
def common_context(*, verify: bool) -> Any:
    """Trust the system's authorities, or nobody; for all accounts, as it takes a megabyte."""
    return _context(ssl.platformTrust() if verify else None)


def _context(trust: Any) -> Any:
    options = ssl.CertificateOptions(trustRoot=trust, raiseMinimumTo=ssl.TLSVersion.TLSv1_2)
    return options.getContext()


def _authorities(path: str) -> Any:
    mark = b"-----END CERTIFICATE-----"
    parts = Path(path).read_bytes().split(mark)[:-1]
    if not parts:
        raise ValueError(f"{path} holds no PEM certificate")
    try:
        certificates = [ssl.Certificate.loadPEM(part + mark) for part in parts]
    except crypto.Error:
        raise ValueError(f"{path} holds a damaged certificate") from None
    return ssl.trustRootFromCertificates(certificates)


def tls_problem(reason: Failure) -> str:
    """Say what went wrong with TLS; ``""`` when a connection ended for another reason."""
    if reason.check(CertificateError):
        return str(reason.value)
    if reason.check(SSL.Error):
        error: Any = reason.value
        errors = error.args[0] if error.args else []
        texts = [entry[-1] for entry in errors if entry[-1]] if isinstance(errors, list) else []
        known = [_HANDSHAKE_ERRORS[text] for text in texts if text in _HANDSHAKE_ERRORS]
        return "TLS failed: " + (", ".join(known or texts) or "the connection broke off")
    return ""
