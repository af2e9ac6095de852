"""An account: one way out, with everything that is set about it.

Each key of ``[[account]]`` is declared here and nowhere else; what admins read of the keys is in
``etc/multisendcon.toml``.  Pure.
"""

from __future__ import annotations

import enum
from functools import cached_property

import attrs

from ..mail.address import destination_of
from ..mail.masks import EVERYONE, Masks
from ..mail.phase import Phase
from ..mail.reply import Reply
from ..outcome.failure import Action, Rule, classify
from ..outcome.stranger import classify_stranger
from ..settings import kinds, names, quantities
from ..settings.keys import Nested, key, keys_of
from ..settings.oauth2 import OAuth2
from ..settings.quota import OverQuota, Quota, quotas
from ..settings.secret import Secret
from .hop import Hop, Tls, TlsPolicy
from .replies import own_rules

#: The account by which reports leave for the server of ``[ndr]``: one like others, which no mask
#: leads to.  No name in a configuration is like this.
REPORTS_ACCOUNT = "[ndr]"
#: How many connections an account of the type direct has unless it is said: as many to each of its
#: destinations as some servers take of one client, and some are left of those of all accounts.
DIRECT_CONNECTIONS = 40
#: Mails of an account of the type direct that may be under way for each of its connections: while
#: some wait for the DNS, or for servers that are slow to answer, the connections are for others.
_UNDER_WAY = 4


class AccountType(enum.Enum):
    """Where the mail of an account is sent."""

    SMTP = "smtp"
    """To one server, its own."""
    DIRECT = "direct"
    """To the mail servers of the recipients, as the DNS has them (RFC 5321 section 5.1)."""


class Auth(enum.Enum):
    """The mechanism by which to log in (RFC 4954)."""

    AUTO = "auto"
    PLAIN = "plain"
    LOGIN = "login"
    CRAM_MD5 = "cram-md5"
    XOAUTH2 = "xoauth2"
    OAUTHBEARER = "oauthbearer"

    @property
    def mechanism(self) -> str:
        """Its name in SASL."""
        return self.value.upper()

    @property
    def takes_token(self) -> bool:
        """It is for tokens, and takes no password (RFC 7628)."""
        return self in (Auth.XOAUTH2, Auth.OAUTHBEARER)


class NullSender(enum.Enum):
    """What an account does with mail that has the null reverse-path."""

    PASS = "pass"  # noqa: S105 -- no password
    """As it is (RFC 5321 section 4.5.5); a fixed sender is in its header all the same, also in that
    of our reports."""
    SKIP = "skip"
    REPLACE = "replace"


@attrs.frozen(kw_only=True)
class Account:
    """One way out: server, login, source address, pace, and whose mail takes it."""

    name: str = key(
        kinds.text,
        doc="Its unique name in logs, reports and fallbacks.",
    )
    type: AccountType = key(
        kinds.choice(AccountType),
        default=AccountType.SMTP,
        doc="Where the mail is sent: to one server (smtp), or to the mail servers of the recipients"
        " (direct).",
    )
    preset: str | None = key(
        kinds.text,
        default=None,
        doc="The provider, by its name in the list of presets, which then gives what is not"
        " written here; unset: none.",
    )
    server: str = key(
        names.host,
        default="",
        connection=True,
        doc="The server to which the mail is sent, a name or an IP address; an account of the type"
        " direct has none.",
    )
    port: int = key(
        quantities.port,
        default=25,
        connection=True,
        doc="The port of that server: 465 for TLS from the start, 587 for mail with a login.",
    )
    username: str = key(
        kinds.unless_empty(kinds.text),
        default="",
        connection=True,
        doc="The name to log in with; empty: no login.",
    )
    password: Secret = key(
        kinds.secret,
        default="",
        secret=True,
        connection=True,
        doc="The password of that login, or the place where it is kept.",
    )
    auth: Auth = key(
        kinds.choice(Auth),
        default=Auth.AUTO,
        connection=True,
        doc="How to log in; auto: by what the server offers.",
    )
    local_address: tuple[str, ...] = key(
        names.local_addresses,
        default=(),
        connection=True,
        doc="The address of this machine from which the connections come, or a pair, one of IPv4"
        " and one of IPv6; unset: the system chooses.",
    )
    helo_domain: str = key(
        names.helo_domain,
        default="localhost",
        connection=True,
        doc="The name in EHLO, or an address in brackets; unset: the hostname of [master_relay].",
    )
    tls: Tls = key(
        kinds.choice(Tls),
        default=Tls.AUTO,
        connection=True,
        doc="How the connection is encrypted.",
    )
    tls_verify: bool = key(
        quantities.flag,
        default=True,
        connection=True,
        doc="Whether the certificate of the server has to be valid and to bear its name.",
    )
    tls_ca: str | None = key(
        kinds.readable_file,
        default=None,
        connection=True,
        doc="A PEM file of authorities to trust; unset: those of the system.",
    )
    tls_name: str | None = key(
        names.host,
        default=None,
        connection=True,
        doc='The name that the certificate of the server has to bear; unset: the name of "server".',
    )
    tls_fingerprint: str | None = key(
        kinds.fingerprint,
        default=None,
        connection=True,
        doc="The fingerprint (SHA-256) of the server's certificate or of its public key; unset: any"
        " certificate that can be verified.",
    )
    tls_ciphers: str | None = key(
        kinds.ciphers,
        default=None,
        connection=True,
        doc="The ciphers of TLS 1.2, in OpenSSL's words; unset: those of TLS 1.3, and ECDHE with"
        " AES-GCM or ChaCha20.",
    )
    tls_client_certificate: str | None = key(
        kinds.readable_file,
        default=None,
        connection=True,
        doc="The certificate that the server is shown, a PEM file; unset: none is shown.",
    )
    tls_client_key: str | None = key(
        kinds.readable_file,
        default=None,
        connection=True,
        doc="The private key of that certificate, a PEM file without a passphrase; unset: it is in"
        " the file of the certificate.",
    )
    minimum_wait: float = key(
        quantities.duration,
        default=0.0,
        doc="How long to wait from the end of one mail to the start of the next; 0: full speed.",
    )
    senders: Masks = key(
        names.masks,
        default=EVERYONE,
        doc="Whose mail is sent through this account, as masks; unset: every sender.",
    )
    recipients: Masks = key(
        names.masks,
        default=EVERYONE,
        doc="The recipients whose mail is sent through this account, as masks; unset: every"
        " recipient.",
    )
    fixed_sender: str | None = key(
        names.mailbox,
        default=None,
        doc="The address that replaces the sender, in the envelope and in the header; unset: the"
        " sender is kept.",
    )
    fixed_sender_unless_private: bool = key(
        quantities.flag,
        default=False,
        doc='Whether mail with "Sensitivity: Private" keeps its own sender.',
    )
    fixed_sender_removes: tuple[str, ...] = key(
        kinds.listed(names.removable_field, empty=True),
        default=(
            "Disposition-Notification-To",
            "Return-Receipt-To",
            "Errors-To",
            "X-Sender",
            "X-Original-From",
        ),
        doc="Other header fields that are removed beside a fixed sender.",
    )
    null_sender: NullSender = key(
        kinds.choice(NullSender),
        default=NullSender.PASS,
        doc="What becomes of mail with the null sender: it is sent as it is (pass), never sent"
        " through this account (skip), or sent under the fixed sender (replace).",
    )
    max_connections: int = key(
        quantities.count,
        default=2,
        doc="The most connections to this server at the same time; of an account of the type"
        " direct, to all its destinations together.",
    )
    max_mails_per_connection: int = key(
        quantities.count,
        default=100,
        doc="The most mails over one connection.",
    )
    max_recipients: int | None = key(
        quantities.count,
        default=None,
        doc="The most recipients of one mail through this account; unset: any number.",
    )
    fallback: tuple[str, ...] | None = key(
        kinds.listed(kinds.text, empty=True),
        default=None,
        doc="The accounts, by name, that send its mail while this one cannot be used; unset: later"
        " accounts that match the same senders and recipients.",
    )
    enabled: bool = key(
        quantities.flag,
        default=True,
        doc="Whether mail is sent through this account.",
    )
    archive: bool = key(
        quantities.flag,
        default=False,
        doc="Whether a copy of each mail is kept as it was sent, see [archive].",
    )
    quota: tuple[Quota, ...] = key(
        quotas,
        default=(),
        doc="How many mails or recipients its server takes in any time of a certain length.",
    )
    over_quota: OverQuota = key(
        kinds.choice(OverQuota),
        default=OverQuota.WAIT,
        doc="What becomes of mail while that is used up: it waits, or the fallback takes it.",
    )
    quota_group: str | None = key(
        kinds.text,
        default=None,
        doc="A name for accounts that have their quotas in common; unset: the account has its own.",
    )
    replies: tuple[Rule, ...] = key(
        own_rules,
        default=(),
        doc="What replies of this server mean, for a provider whose words the relay does not know;"
        " the first row that fits counts.",
    )
    oauth2: OAuth2 | None = key(
        Nested(OAuth2),
        default=None,
        connection=True,
        doc="Logs in with a token instead of a password: a table of its own.",
    )

    def classify(self, phase: Phase, reply: Reply) -> Action:
        """Return what follows from a reply of the account's server that is not positive.

        For an account of the type direct, of a server of recipients.
        """
        if self.type is AccountType.DIRECT:
            return classify_stranger(phase, reply, own=self.replies)
        login = self.logs_in or self.tls_client_certificate is not None
        return classify(phase, reply, login=login, own=self.replies)

    def reached_as(self, other: Account) -> bool:
        """A session of one is as good for the other: server, login, TLS and the like agree.

        By what an application proves itself when it asks for a token, no session of it can tell.
        """
        same = self._without_proof().connects_as(other._without_proof())
        return same and self.type is other.type

    def connects_as(self, other: Account) -> bool:
        """What comes of opening a session holds for both: all of the connection agrees."""
        return all(
            getattr(self, name) == getattr(other, name)
            for name, each in keys_of(Account).items()
            if each.connection
        )

    def _without_proof(self) -> Account:
        if self.oauth2 is None:
            return self
        return attrs.evolve(self, oauth2=self.oauth2.without_proof())

    @property
    def direct(self) -> bool:
        """It has no server of its own: each of its mails has a destination."""
        return self.type is AccountType.DIRECT

    def destination(self, recipient: str) -> str:
        """Return the domain of a recipient, if the account is direct; or else ``""``."""
        return destination_of(recipient) if self.direct else ""

    @property
    def logs_in(self) -> bool:
        """Its sessions log in, with a password or a token."""
        return bool(self.username) or self.oauth2 is not None

    @property
    def sasl_user(self) -> str:
        """The name by which its sessions log in; empty: there is no login."""
        return (self.oauth2 and self.oauth2.mailbox) or self.username

    @property
    def login(self) -> tuple[str, int, str]:
        """What its server knows it by, whatever it is called here.

        Where there is no login, and no one server, that is where the connections come from.
        """
        if self.type is AccountType.DIRECT:
            return self.server, self.port, " ".join(self.local_address)
        return self.server, self.port, self.sasl_user

    @property
    def unnamed(self) -> Account:
        """The same, whatever it is called."""
        return attrs.evolve(self, name="")

    @cached_property
    def hop(self) -> Hop:
        """Its server, and how sessions with it begin."""
        return Hop(
            host=self.server,
            port=self.port,
            local_addresses=self.local_address,
            helo_name=self.helo_domain,
            login=self.logs_in,
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

    @cached_property
    def stranger_tls(self) -> TlsPolicy:
        """How sessions with a recipient's mail server are encrypted, unless a policy demands more.

        A certificate of a stranger's server says nothing, as long as its name comes from a DNS that
        anybody could have answered for (RFC 7672 section 1.3).
        """
        mode = Tls.OPPORTUNISTIC if self.tls is Tls.AUTO else self.tls
        return attrs.evolve(self.hop.tls, mode=mode, verify=False)

    @property
    def takes_null_sender(self) -> bool:
        """Mail with the null reverse-path may leave by this account."""
        return self.null_sender is not NullSender.SKIP

    @property
    def connections(self) -> int:
        """How many sessions may be open: one when the mails have to keep a distance."""
        return 1 if self.minimum_wait else self.max_connections

    @property
    def under_way(self) -> int:
        """How many mails may be under way: as many as sessions, and more where some have none."""
        if self.minimum_wait or not self.direct:
            return self.connections
        return _UNDER_WAY * self.max_connections
