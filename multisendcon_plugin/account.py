"""An account: one way out, with everything that is set about it.

Pure values; the meaning of each setting is in ``etc/multisendcon.toml``.
"""

from __future__ import annotations

import enum

import attrs

from .masks import EVERYONE, Masks


class Tls(enum.Enum):
    """How a session with the account's server is encrypted."""

    AUTO = "auto"
    IMPLICIT = "implicit"
    STARTTLS = "starttls"
    OPPORTUNISTIC = "opportunistic"
    NONE = "none"


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
    password: str = attrs.field(default="", repr=False)
    local_address: str | None = None
    helo_domain: str = "localhost"
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
    tls: Tls = Tls.AUTO
    tls_verify: bool = True
    tls_ca: str | None = None
    max_connections: int = 2
    max_mails_per_connection: int = 100
    fallback: tuple[str, ...] | None = None
    """Names of other accounts; ``None``: later accounts with the same masks."""
    enabled: bool = True

    @property
    def implicit_tls(self) -> bool:
        """The session starts with a TLS handshake (RFC 8314, section 3)."""
        return self.tls is Tls.IMPLICIT or (self.tls is Tls.AUTO and self.port == 465)

    @property
    def tls_required(self) -> bool:
        """Without TLS, nothing is sent: no mail where it is demanded, no login ever."""
        if self.tls is Tls.NONE:
            return False
        return self.implicit_tls or self.tls is Tls.STARTTLS or bool(self.username)

    @property
    def takes_null_sender(self) -> bool:
        """Mail with the null reverse-path may leave by this account."""
        return self.null_sender is not NullSender.SKIP

    @property
    def connections(self) -> int:
        """How many sessions may be open: one when the mails have to keep a distance."""
        return 1 if self.minimum_wait else self.max_connections
