"""An account: one way out, with everything that is set about it.

Pure values; the meaning of each setting is in ``etc/multisendcon.toml``.
"""

from __future__ import annotations

import enum

import attrs

from ..mail.masks import EVERYONE, Masks
from ..mail.phase import Phase
from ..mail.reply import Reply
from ..outcome.failure import Action, Rule, classify
from ..settings.secret import Secret
from .hop import Hop, Tls, TlsPolicy

#: The account by which reports leave for the server of ``[ndr]``; no name in a configuration is
#: like this.
REPORTS_ACCOUNT = "[ndr]"


class Auth(enum.Enum):
    """The mechanism by which to log in (RFC 4954)."""

    AUTO = "auto"
    PLAIN = "plain"
    LOGIN = "login"
    CRAM_MD5 = "cram-md5"

    @property
    def mechanism(self) -> str:
        """Its name in SASL."""
        return self.value.upper()


class NullSender(enum.Enum):
    """What an account does with mail that has the null reverse-path."""

    PASS = "pass"  # noqa: S105 -- no password
    SKIP = "skip"
    REPLACE = "replace"


@attrs.frozen(kw_only=True)
class Account:
    """One way out: server, login, source address, pace, and whose mail takes it."""

    name: str
    server: str
    port: int = 25
    username: str = ""
    password: Secret = attrs.field(default="", repr=False)
    auth: Auth = Auth.AUTO
    local_address: str | None = None
    helo_domain: str = "localhost"
    tls: Tls = Tls.AUTO
    tls_verify: bool = True
    tls_ca: str | None = None
    tls_name: str | None = None
    """The name that the server's certificate has to bear; ``None``: that of the server."""
    tls_fingerprint: str | None = None
    """SHA-256 of the server's certificate or public key (SPKI), in lower-case hex digits."""
    tls_ciphers: str | None = None
    """A list as OpenSSL takes it; ``None``: the sound ones (`ciphers`)."""
    tls_client_certificate: str | None = None
    tls_client_key: str | None = None
    """``None``: the key is in the file of the certificate."""
    minimum_wait: float = 0.0
    """Seconds from the end of one mail to the start of the next."""
    senders: Masks = EVERYONE
    recipients: Masks = EVERYONE
    fixed_sender: str | None = None
    fixed_sender_unless_private: bool = False
    fixed_sender_removes: tuple[str, ...] = (
        "Disposition-Notification-To",
        "Return-Receipt-To",
        "Errors-To",
        "X-Sender",
        "X-Original-From",
    )
    """Names of header fields that are removed beside a fixed sender."""
    null_sender: NullSender = NullSender.PASS
    max_connections: int = 2
    max_mails_per_connection: int = 100
    max_recipients: int | None = None
    """In one transaction; ``None``: any number."""
    fallback: tuple[str, ...] | None = None
    """Names of other accounts; ``None``: later accounts with the same masks."""
    enabled: bool = True
    replies: tuple[Rule, ...] = ()
    """What its server says in words of its own: rows above the table of `failure`."""

    def classify(self, phase: Phase, reply: Reply) -> Action:
        """Return what follows from a reply of the account's server that is not positive."""
        login = bool(self.username or self.tls_client_certificate)
        return classify(phase, reply, login=login, own=self.replies)

    @property
    def hop(self) -> Hop:
        """Its server, and how sessions with it begin."""
        return Hop(
            host=self.server,
            port=self.port,
            local_address=self.local_address,
            helo_name=self.helo_domain,
            login=bool(self.username),
            tls=TlsPolicy(
                mode=self.tls,
                verify=self.tls_verify,
                ca=self.tls_ca,
                name=self.tls_name,
                fingerprint=self.tls_fingerprint,
                ciphers=self.tls_ciphers,
                client_certificate=self.tls_client_certificate,
                client_key=self.tls_client_key,
            ),
        )

    @property
    def takes_null_sender(self) -> bool:
        """Mail with the null reverse-path may leave by this account."""
        return self.null_sender is not NullSender.SKIP

    @property
    def connections(self) -> int:
        """How many sessions may be open: one when the mails have to keep a distance."""
        return 1 if self.minimum_wait else self.max_connections
