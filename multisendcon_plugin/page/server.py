"""What serves ``[web]``: the page, and the API behind it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress

from ..edge.listening import NewPorts, Ports, close_all
from ..settings.web import WebSettings
from ..web.site import ApiSite

if TYPE_CHECKING:
    from .administrator import Administrator

#: Connections at the same time: a browser has up to six.
MOST_CONNECTIONS = 256


class WebServer(Service):
    """Listens while the relay runs, if the settings want it.

    :param settings: ``None``: there is to be no page.
    :param make: makes what is served, once it is wanted: it needs what no plain installation has.
    """

    def __init__(
        self, settings: WebSettings | None, make: Callable[[], Administrator], reactor: Any
    ) -> None:
        self._settings = settings
        self._make = make
        self._reactor = reactor
        self._page: Administrator | None = None
        self._site: ApiSite | None = None
        self._ports = Ports(lambda _: self._served(), reactor)

    def _served(self) -> ApiSite:
        if self._site is None:
            self._page = self._make()
            self._site = ApiSite(self._page, self._reactor, most=MOST_CONNECTIONS)
        return self._site

    @property
    def addresses(self) -> list[IAddress]:
        """Where it listens."""
        return self._ports.addresses

    def privilegedStartService(self) -> None:
        """Begin to listen.

        :raise ListenError: it is not possible.
        """
        super().privilegedStartService()
        self.use(self.prepared(self._settings))

    def prepared(self, settings: WebSettings | None) -> NewPorts:
        """Do all that can fail of a change of the settings; for `use`.

        :raise ListenError: it is not possible to listen there.
        """
        return NewPorts(()) if settings is None else self._ports.prepared(settings.listen)

    def use(self, new: NewPorts) -> Deferred[Any]:
        """Listen there, and nowhere else.

        :return: fires when the other ports are closed.
        """
        return close_all(self._ports.use(new))

    def stopService(self) -> Deferred[Any]:
        """Close the ports, then the connections."""
        super().stopService()
        return self._ports.close().addCallback(self._hang_up)

    def _hang_up(self, _: object) -> None:
        if self._site is not None:
            self._site.stop()
        if self._page is not None:
            self._page.stop()
