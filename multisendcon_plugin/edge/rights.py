"""What a client or a user may do: which senders they may use, and how many mails a minute.

Most may do everything, and have no `Rights`.  Pure.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Hashable, Sequence

import attrs

from ..mail.address import matching_form
from ..mail.masks import Masks
from ..settings.users import user_key
from ..settings.values import ClientSettings, HeaderFrom, MasterRelay
from .peers import counted_as

_MINUTE = 60.0


class Rate:
    """No more mails than so many in any minute, of each client or user.

    In any, not in each of the clock's: at its turn, twice as many could come in a second.  It knows
    of the mails of the last minute, and of nobody who has sent none.

    :param key: the setting.
    :param most: mails.
    :param seconds: a clock that is never set.
    """

    def __init__(self, key: str, most: int, seconds: Callable[[], float]) -> None:
        self.key = key
        self.most = most
        self._seconds = seconds
        self._mails: deque[tuple[float, Hashable]] = deque()
        self._counts: Counter[Hashable] = Counter()

    def go_on_from(self, before: Rate) -> None:
        """Know the mails that were counted there, also those that are from now on."""
        self._mails, self._counts = before._mails, before._counts

    def is_reached(self, who: Hashable) -> bool:
        """Tell whether they have to wait."""
        over = self._seconds() - _MINUTE
        while self._mails and self._mails[0][0] <= over:
            _, gone = self._mails.popleft()
            self._counts[gone] -= 1
            if not self._counts[gone]:
                del self._counts[gone]
        return self._counts[who] >= self.most

    def count(self, who: Hashable) -> None:
        """Count a mail."""
        self._mails.append((self._seconds(), who))
        self._counts[who] += 1


@attrs.frozen
class Rights:
    """Of one client or user.

    An application that submits mail is bound to nothing: it is the admin's own.

    :param who: their address or name.
    :param senders: reverse-paths that they may use; ``None``: every one.
    :param bind_authors: they may be the author of a mail under these addresses only.  `Sender:` and
        `Resent-` fields are free: they say who has handed somebody's mail on.
    :param rates: as whom they are counted, and where.
    """

    who: str
    senders: Masks | None = None
    bind_authors: bool = False
    rates: tuple[tuple[Hashable, Rate], ...] = ()

    def admits(self, sender: str) -> bool:
        """Tell whether they may use a sender; the null reverse-path has to be named."""
        if self.senders is None:
            return True
        if not sender:
            # Anything can be sent under it, so `*` is not enough.
            return self.senders.admits_null
        return self.senders.match(matching_form(sender)) is not None

    def count_mail(self) -> Rate | None:
        """Count a mail that begins; return the rate that does not allow it, if one does not."""
        for who, rate in self.rates:
            if rate.is_reached(who):
                return rate
        for who, rate in self.rates:
            rate.count(who)
        return None


class RightsRegistry:
    """Knows the rights of all clients and users.

    :param seconds: a clock that is never set.
    :param before: knew them until now: it has counted the mails of the last minute.
    """

    def __init__(
        self,
        settings: MasterRelay,
        clients: Sequence[ClientSettings],
        seconds: Callable[[], float],
        before: RightsRegistry | None = None,
    ) -> None:
        self._bind_authors = settings.header_from is HeaderFrom.MATCH
        senders = settings.users.senders if settings.users else {}
        self._senders = {user_key(name): masks for name, masks in senders.items()}
        most = settings.max_mails_per_minute_per_user
        self._user_rate = Rate("max_mails_per_minute_per_user", most, seconds) if most else None
        self._client_rates = {
            client: Rate("max_mails_per_minute", client.max_mails_per_minute, seconds)
            for client in clients
            if client.max_mails_per_minute
        }
        if before:
            self._go_on_from(before)

    def _go_on_from(self, before: RightsRegistry) -> None:
        if self._user_rate and before._user_rate:
            self._user_rate.go_on_from(before._user_rate)
        rates = {client.addresses: rate for client, rate in before._client_rates.items()}
        for client, rate in self._client_rates.items():
            if client.addresses in rates:
                rate.go_on_from(rates[client.addresses])

    def of_client(self, host: str, own: ClientSettings) -> Rights | None:
        """Return the rights of a client, ``None``: all.

        :param own: the settings for it.
        """
        rate = self._client_rates.get(own)
        if own.senders is None and rate is None:
            return None
        return Rights(
            who=host,
            senders=own.senders,
            bind_authors=self._bind_authors and own.senders is not None,
            rates=((counted_as(host), rate),) if rate else (),
        )

    def of_user(self, name: str, client: Rights | None) -> Rights | None:
        """Return the rights of a user who has logged in, ``None``: all.

        :param client: those of the client, for what is not said of the user.
        """
        key = user_key(name)
        senders, rate = self._senders.get(key), self._user_rate
        if senders is None and rate is None:
            return client
        rates = client.rates if client else ()
        # Those of the user come first: who logs in is somebody, wherever they are.
        if senders is None and client:
            senders = client.senders
        return Rights(
            who=name,
            senders=senders,
            bind_authors=self._bind_authors and senders is not None,
            rates=(*rates, (key, rate)) if rate else rates,
        )
