"""TLS with a hop: trusted authorities, the expected name, and what went wrong.

Certificates and names are verified (RFC 7817, RFC 9525) unless the hop's policy says otherwise, or
has what the DNS says of the certificate (`dane`); SNI
is sent for host names (RFC 6066 section 3); TLS 1.2 or newer, with strong ciphers or those that the
policy names.  The system's authorities are read once for all hops, since that takes milliseconds
and a megabyte; files that a policy names are read again when they have changed.  TLS sessions are
never resumed.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from cryptography import x509
from OpenSSL import SSL, crypto
from twisted.internet import ssl
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from ..errors import ConfigurationError
from ..outcome.tls import TlsFinding, TlsResult
from ..routing.hop import Demand, Hop, TlsPolicy
from ..settings.ciphers import STRONG, with_certificates
from ..settings.endpoints import address_of
from ..settings.files import Stamp, load_certificate, stamp
from .certificate import ExpectedFingerprint, ExpectedName
from .dane import ExpectedDane

_Expected = ExpectedName | ExpectedFingerprint | ExpectedDane

_EXPIRED = 10

#: What OpenSSL's numbers for a bad chain mean (x509_vfy.h), in an admin's words.
_VERIFY_ERRORS = {
    9: "the certificate is not valid yet (is this machine's clock right?)",
    _EXPIRED: "the certificate has expired",
    18: "the certificate is self-signed",
    19: "the authority of the certificate is not trusted",
    20: "the certificate was issued by an unknown authority",
    21: "the certificate was issued by an unknown authority",
    23: "the certificate was revoked",
}
#: Those of them that are no fault of the certificate.
_UNTRUSTED = frozenset({18, 19, 20, 21})
#: How OpenSSL calls the alerts that are as old as SSL 3: up to 3.1, from 3.2 on, from 4.0 on.
_ALERTS = ("sslv3", "ssl/tls", "tls")
#: What OpenSSL's reasons for a failed handshake mean.
_HANDSHAKE_ERRORS = {
    "wrong version number": "the server does not answer with TLS; is the port right?",
    "packet length too long": "the server does not answer with TLS; is the port right?",
    "unsupported protocol": "the server supports nothing newer than TLS 1.1",
    "tlsv1 alert protocol version": "the server supports nothing newer than TLS 1.1",
    **dict.fromkeys(
        (f"{version} alert handshake failure" for version in _ALERTS),
        "the server refuses the handshake; has it only old ciphers (tls_ciphers)?",
    ),
    "tlsv13 alert certificate required": (
        "the server wants a certificate of ours (tls_client_certificate)"
    ),
    **dict.fromkeys(
        (
            "tlsv1 alert unknown ca",
            *(
                f"{version} alert {what}"
                for version in _ALERTS
                for what in (
                    "bad certificate",
                    "unsupported certificate",
                    "certificate revoked",
                    "certificate expired",
                    "certificate unknown",
                )
            ),
        ),
        "the server does not accept our certificate (tls_client_certificate)",
    ),
}


class CertificateError(Exception):
    """The server's certificate is not acceptable; the text says why."""

    def __init__(self, text: str, result: TlsResult = TlsResult.CERTIFICATE_NOT_TRUSTED) -> None:
        super().__init__(text)
        self.result = result


@implementer(IOpenSSLClientConnectionCreator)
class ClientTLS:
    """Makes the connections with a hop, for implicit TLS as for STARTTLS.

    It reads the files that the hop's policy names.

    :param account: whose hop it is, for the log.
    :raise ConfigurationError: one of the files cannot be used.
    """

    def __init__(self, hop: Hop, *, account: str) -> None:
        tls = hop.tls
        name = tls.name or hop.host
        self._sni = None if address_of(name) else name.encode("ascii")
        self._demand = tls.demand
        self._findings: WeakKeyDictionary[SSL.Connection, TlsFinding] = WeakKeyDictionary()
        self._expected: _Expected | None = None
        if tls.dane:
            self._expected = ExpectedDane(tls.dane)
        elif tls.fingerprint:
            self._expected = ExpectedFingerprint(tls.fingerprint)
        elif tls.demand is Demand.MTA_STS_TESTING or (tls.verify and not hop.tls_dispensable):
            self._expected = ExpectedName(name)
        verify = bool(self._expected and self._expected.needs_chain)
        self._context: Callable[[], SSL.Context]
        if tls.client_certificate or (verify and tls.ca):
            self._context = _OwnContext(tls, verify=verify, account=account).current
        else:
            self._context = partial(common_context, verify=verify, ciphers=tls.ciphers)

    def clientConnectionForTLS(self, tlsProtocol: Any) -> SSL.Connection:
        connection = SSL.Connection(self._context(), None)
        if self._sni:
            connection.set_tlsext_host_name(self._sni)
        if self._expected:
            connection.set_verify(SSL.VERIFY_PEER, self._verifier(tlsProtocol, self._expected))
        else:
            connection.set_verify(SSL.VERIFY_NONE, None)
        return connection

    def finding(self, connection: SSL.Connection) -> TlsFinding | None:
        """Return what is wrong with a server whose handshake was completed all the same."""
        return self._findings.get(connection)

    def _verifier(self, protocol: Any, expected: _Expected) -> Any:
        """Return OpenSSL's callback: called for each fault of the chain, and for each certificate.

        Fingerprints and the records of DANE are verified here as well, inside the handshake:
        nothing, a login least of all, is sent to a server with another certificate.
        """

        def verify(
            connection: SSL.Connection, certificate: crypto.X509, error: int, depth: int, ok: int
        ) -> bool:
            fault = None
            if not ok and expected.needs_chain:
                fault = _fault_of_chain(error, self._demand)
            elif depth == 0:
                fault = _fault_of(connection, certificate, expected)
            if fault is None:
                return True
            if self._demand is Demand.MTA_STS_TESTING:
                # Of several faults, the first one.
                self._findings.setdefault(connection, TlsFinding(fault.result, str(fault)))
                return True
            protocol.failVerification(Failure(fault))
            return False

        return verify


def _fault_of_chain(error: int, demand: Demand) -> CertificateError:
    text = _VERIFY_ERRORS.get(error, f"the certificate is not valid (OpenSSL error {error})")
    if error == _EXPIRED:
        return CertificateError(text, TlsResult.CERTIFICATE_EXPIRED)
    if error not in _UNTRUSTED:
        return CertificateError(text, TlsResult.VALIDATION_FAILURE)
    if demand is Demand.ADMIN:
        text += " (set tls_ca to trust it)"
    return CertificateError(text)


def _fault_of(
    connection: SSL.Connection, certificate: crypto.X509, expected: _Expected
) -> CertificateError | None:
    result = TlsResult.VALIDATION_FAILURE
    try:
        own = certificate.to_cryptography()
        if isinstance(expected, ExpectedDane):
            problem = expected.problem(own, partial(_sent, connection))
        else:
            problem = expected.problem(own)
            if isinstance(expected, ExpectedName):
                result = TlsResult.CERTIFICATE_HOST_MISMATCH
    except Exception as error:  # a server's certificate may hold anything
        problem, result = f"the certificate cannot be read: {error}", TlsResult.VALIDATION_FAILURE
    return CertificateError(problem, result) if problem else None


def _sent(connection: SSL.Connection) -> list[x509.Certificate]:
    """Return all that a server has sent; it is there since before it is verified."""
    sent = connection.get_peer_cert_chain() or []
    return [each.to_cryptography() for each in sent]


class _OwnContext:
    """The context of a policy that names files; rebuilt when one of them has changed.

    If they cannot be used then, the previous context stays.
    """

    log = Logger()

    def __init__(self, policy: TlsPolicy, *, verify: bool, account: str) -> None:
        self._policy = policy
        self._verify = verify
        self._account = account
        self._stamp = self._look()
        self._context = self._make()

    def current(self) -> SSL.Context:
        """Return the context for a new connection."""
        seen = self._look()
        if seen != self._stamp:
            self._stamp = seen
            try:
                self._context = self._make()
            except ConfigurationError as error:
                self.log.error(
                    "account {account}: its TLS stays as it was: {error}",
                    account=self._account,
                    error=str(error),
                )
        return self._context

    def _look(self) -> Stamp:
        policy = self._policy
        files = (policy.ca, policy.client_certificate, policy.client_key)
        return stamp(path for path in files if path)

    def _make(self) -> SSL.Context:
        policy = self._policy
        trust = None
        if self._verify:
            trust = _authorities(policy.ca) if policy.ca else ssl.platformTrust()
        own = {}
        if policy.client_certificate:
            own = _client(policy.client_certificate, policy.client_key)
        try:
            return _context(trust, policy.ciphers, **own)
        except SSL.Error as error:  # for example a key that is too short
            reasons = ", ".join(entry[-1] for entry in error.args[0])
            raise ConfigurationError(
                [f"tls_client_certificate cannot be used: {reasons}"]
            ) from None


def _client(certificate: str, key: str | None) -> dict[str, Any]:
    """Read a certificate of ours, for `CertificateOptions`."""
    try:
        ours = load_certificate(certificate, key)
    except ConfigurationError as error:
        raise ConfigurationError([f"tls_client_certificate cannot be used: {error}"]) from None
    first, *authorities = (crypto.X509.from_cryptography(each) for each in ours.chain)
    private = crypto.PKey.from_cryptography_key(ours.key)  # type: ignore[arg-type]
    return {"privateKey": private, "certificate": first, "extraCertChain": authorities}


@cache
def common_context(*, verify: bool, ciphers: str | None) -> SSL.Context:
    """Return a shared context that trusts the system's authorities, or verifies nothing."""
    return _context(ssl.platformTrust() if verify else None, ciphers)


def _context(trust: Any, ciphers: str | None, **own: Any) -> SSL.Context:
    version = ssl.TLSVersion.TLSv1_2
    context: SSL.Context = ssl.CertificateOptions(
        trustRoot=trust, raiseMinimumTo=version, **own
    ).getContext()
    context.set_cipher_list(with_certificates(ciphers or STRONG))
    return context


def _authorities(path: str) -> Any:
    mark = b"-----END CERTIFICATE-----"
    try:
        parts = Path(path).read_bytes().split(mark)[:-1]
        if not parts:
            raise ValueError(f"{path} holds no PEM certificate")
        certificates = [ssl.Certificate.loadPEM(part + mark) for part in parts]
    except (OSError, ValueError, crypto.Error) as error:
        damaged = isinstance(error, crypto.Error)
        why = f"{path} holds a damaged certificate" if damaged else error
        raise ConfigurationError([f"the authorities of tls_ca cannot be read: {why}"]) from None
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
        return "TLS failed: " + (", ".join(known or texts) or "the connection was lost")
    return ""


def finding_of(reason: Failure, text: str) -> TlsFinding:
    """Return what is told of a handshake that has failed.

    :param text: the same in words.
    """
    error = reason.value
    if isinstance(error, CertificateError):
        return TlsFinding(error.result, text)
    return TlsFinding(TlsResult.VALIDATION_FAILURE, text)
