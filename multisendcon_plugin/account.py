"""An account: one way out, with everything that is set about it.

Pure values; the meaning of each setting is in ``etc/multisendcon.toml``.
"""

from __future__ import annotations

import enum

import attrs

from .failure import Action, Rule, classify
from .masks import EVERYONE, Masks
from .phase import Phase
from .reply import Reply


class Tls(enum.Enum):
    """How a session with the account's server is encrypted."""

    AUTO = "auto"
    IMPLICIT = "implicit"
    STARTTLS = "starttls"
    OPPORTUNISTIC = "opportunistic"
    NONE = "none"


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
    tls: Tls = Tls.AUTO
    tls_verify: bool = True
    tls_ca: str | None = None
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
        return classify(phase, reply, login=bool(self.username), own=self.replies)

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
    def way(self) -> tuple[object, ...]:
        """All that a session's beginning depends on, until it logs in.

        What one account meets there, another one of the same way will meet too.  A local address
        is a part of it, since servers look at where we come from.
        """
        return (
            *(self.server, self.port, self.local_address, self.helo_domain),
            *(self.tls, self.tls_verify, self.tls_ca, bool(self.username)),
        )

    @property
    def connections(self) -> int:
        """How many sessions may be open: one when the mails have to keep a distance."""
        return 1 if self.minimum_wait else self.max_connections
