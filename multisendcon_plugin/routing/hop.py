"""A next hop: a server, and how a connection to it is opened, encrypted and begun.

It stands beside the account, since an account says what its hop is, and the rules of the
configuration ask it what it demands; but it knows none: whoever finds servers in another way makes
hops of their own.  Pure values.
"""

from __future__ import annotations

import enum

import attrs

from .dane import Dane


class Tls(enum.Enum):
    """How a session with a server is encrypted."""

    AUTO = "auto"
    IMPLICIT = "implicit"
    STARTTLS = "starttls"
    OPPORTUNISTIC = "opportunistic"
    NONE = "none"


class Demand(enum.Enum):
    """Who wants a server to have a valid certificate."""

    ADMIN = "admin"
    """The keys of an account."""
    MTA_STS = "mta-sts"
    """The domain of the recipients (RFC 8461)."""
    MTA_STS_TESTING = "mta-sts testing"
    """The same, but it wants only to know: the mail is sent as though nobody had wanted it."""


@attrs.frozen(kw_only=True)
class TlsPolicy:
    """How sessions are encrypted, and whom they trust.

    :param verify: the server's certificate has to be valid, and to bear its name.
    :param ca: a PEM file of the authorities that are trusted; ``None``: those of the system.
    :param name: the name that the certificate has to bear; ``None``: that of the host.
    :param fingerprint: SHA-256 of the certificate or its public key (SPKI), in lower-case hex
        digits.
    :param ciphers: a list as OpenSSL takes it; ``None``: the strong ones (`settings.ciphers`).
    :param client_certificate: a PEM file; what the server is shown.
    :param client_key: a PEM file; ``None``: the key is in the file of the certificate.
    :param dane: what the certificate has to match instead of all that.
    :param demand: who wants it to be verified.
    """

    mode: Tls = Tls.AUTO
    verify: bool = True
    ca: str | None = None
    name: str | None = None
    fingerprint: str | None = None
    ciphers: str | None = None
    client_certificate: str | None = None
    client_key: str | None = None
    dane: Dane | None = None
    demand: Demand = Demand.ADMIN


@attrs.frozen(kw_only=True)
class Hop:
    """All that a session's beginning depends on, until it logs in.

    Equal hops meet the same there, whatever accounts they belong to.  A local address is a part of
    it, since servers look at where we come from.

    :param host: a name or an IP address.
    :param addresses: where that host is; none: the resolver of the system knows.
    :param local_addresses: from which to connect, one of a family at most; none: the system
        chooses.
    :param helo_name: what is said in EHLO, in ASCII.
    :param login: a login follows.
    """

    host: str
    port: int = 25
    addresses: tuple[str, ...] = ()
    local_addresses: tuple[str, ...] = ()
    helo_name: str = "localhost"
    login: bool = False
    tls: TlsPolicy = TlsPolicy()

    def local_address(self, version: int) -> str | None:
        """Return the local address of a version of IP; ``None``: there is none.

        :param version: 4 or 6.
        """
        return next(
            (each for each in self.local_addresses if (":" in each) is (version == 6)), None
        )

    def admits(self, address: str) -> bool:
        """Tell whether an address can be reached from a local address, by its family."""
        if not self.local_addresses:
            return True
        return self.local_address(6 if ":" in address else 4) is not None

    @property
    def implicit_tls(self) -> bool:
        """The session starts with a TLS handshake (RFC 8314, section 3)."""
        mode = self.tls.mode
        return mode is Tls.IMPLICIT or (mode is Tls.AUTO and self.port == 465)

    @property
    def tls_required(self) -> bool:
        """Without TLS, nothing is sent: no mail where it is demanded, no login ever.

        Whoever shows a certificate, or wants to see a certain one, demands it.
        """
        tls = self.tls
        if tls.mode is Tls.NONE:
            return False
        demand = self.login or tls.client_certificate or tls.fingerprint or tls.dane
        return self.implicit_tls or tls.mode is Tls.STARTTLS or bool(demand)

    @property
    def tls_dispensable(self) -> bool:
        """TLS with anybody is better than none, and none better than no mail (RFC 7435).

        So no certificate is verified either: what fails would be sent in the clear.
        """
        return self.tls.mode is Tls.OPPORTUNISTIC and not self.tls_required
