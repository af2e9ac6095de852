"""What holds for clients that connect: who may, and by which policies.

Made of the settings, and replaced as a whole when these are others.  What is counted and remembered
of clients is not here: it stays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cache

import attrs
from twisted.internet.interfaces import IAddress

from ..settings.names import Network
from ..settings.users import user_key
from ..settings.values import BareLf, ClientSettings, MinimumTls
from . import replies
from .delivery import Routing, TransactionPolicy
from .mechanisms import MECHANISMS
from .peers import listed, peer_address, settings_for
from .policy import SessionPolicy
from .rights import RightsRegistry
from .tls import server_tls
from .tolerance import Tolerance

#: Of all connections, the part that is kept for clients in the allow list, by their address.  A
#: login does not get anybody into it: who guesses or is silent, and who only has not logged in yet,
#: are the same so far.
RESERVED = 1 / 5


class Admission:
    """What holds for clients that connect.

    :param transactions: the policy of all transactions, before what `clients` says.
    :param clients: what differs for some of them.
    :param seconds: a clock that is never set.
    :param before: what held until now, whose rates go on.
    :raise ConfigurationError: the certificate cannot be used.
    """

    def __init__(
        self,
        transactions: TransactionPolicy,
        clients: Sequence[ClientSettings],
        seconds: Callable[[], float],
        before: Admission | None = None,
    ) -> None:
        self.settings = settings = transactions.settings
        self._registry = transactions.routing.registry
        if before is not None:
            transactions = attrs.evolve(transactions, routing=before.routing)
        self.routing: Routing = transactions.routing
        self._transactions = transactions
        self._clients = clients
        known = before.rights if before else None
        self.rights: RightsRegistry = RightsRegistry(settings, clients, seconds, known)
        self.tls = server_tls(settings, transactions.wall)
        self.most_of_strangers = round(settings.max_connections * (1 - RESERVED))
        self.session_policy = cache(self._session_policy)

    def begin(self) -> None:
        """From now on it holds: in sessions that have begun before, too, mail is routed by it."""
        self.routing.registry = self._registry

    def is_allowed(self, client: IAddress | None) -> bool:
        """Tell whether a client may send without a login."""
        return _is_listed(client, self.settings.allow)

    def is_proxy(self, address: IAddress | None) -> bool:
        """Tell whether an address may speak for others."""
        return _is_listed(address, self.settings.proxies)

    def admits(self, client: IAddress | None) -> bool:
        """Tell whether a client may connect."""
        return self.settings.users_from_anywhere or self.is_allowed(client)

    def withdrawn_users(self, before: Admission) -> frozenset[str]:
        """Return whose login does not hold any more: they are gone, or have another password."""
        old, new = (
            {user_key(name): each for name, each in users.hashes.items()} if users else {}
            for users in (before.settings.users, self.settings.users)
        )
        return frozenset(name for name, each in old.items() if new.get(name) != each)

    def client_settings(self, host: str) -> ClientSettings | None:
        """Return what differs for a client."""
        return settings_for(host, self._clients) if host else None

    def transactions(self, host: str, own: ClientSettings | None) -> TransactionPolicy:
        """Return the policy of a client's transactions.

        :param own: what differs for it.
        """
        if own is None:
            return self._transactions
        return attrs.evolve(
            self._transactions,
            completes=own.submission_help,
            success_reports=own.success_reports,
            rights=self.rights.of_client(host, own),
        )

    def _session_policy(
        self, own: ClientSettings | None, *, is_stranger: bool, named: bool, login_in_clear: bool
    ) -> SessionPolicy:
        """Return what holds for the sessions of some clients.

        :param own: the settings for them.
        :param named: they are known by their address.
        """
        hostname = self.settings.hostname.encode("idna").decode()
        return SessionPolicy(
            settings=self.settings,
            hostname=hostname,
            minimum_tls=own.minimum_tls if own else MinimumTls.TLS_1_2,
            tolerance=Tolerance(hostname) if own and own.tolerant else None,
            fix_bare_lf=own is not None and own.bare_lf is BareLf.FIX,
            login_in_clear=login_in_clear,
            is_stranger=is_stranger,
            no_rights=replies.LOGIN_FIRST if named else replies.NO_CLIENT,
            mechanisms=MECHANISMS if self.settings.users and named else {},
            # Some devices try STARTTLS wherever it is offered, and give up when it fails.
            tls=self.tls if own is None or own.starttls else None,
        )


def host_of(addr: IAddress | None) -> str:
    """Return the address of a client; ``""``: it came by a local socket."""
    return str(getattr(addr, "host", ""))


def is_local(addr: IAddress | None) -> bool:
    """Tell whether a client is on this machine."""
    host = host_of(addr)
    return not host or peer_address(host).is_loopback


def _is_listed(addr: IAddress | None, networks: Iterable[Network]) -> bool:
    host = host_of(addr)
    # Who may write to a local socket is for its file to say.
    return not host or listed(host, networks)
