"""The page of a relay as a whole resource, served over connections in memory."""

from __future__ import annotations

from twisted.internet.defer import maybeDeferred

from multisendcon_plugin.page.administrator import Administrator
from multisendcon_plugin.page.server import MOST_CONNECTIONS
from multisendcon_plugin.settings.admins import Admin, Admins
from multisendcon_plugin.settings.names import network
from multisendcon_plugin.settings.users import user_key
from multisendcon_plugin.settings.web import WebSettings
from multisendcon_plugin.web.site import ApiSite
from tests.operations.desk import Desk

#: Where requests come from: a proxy that says who asks.
PROXY = "192.168.1.1/32"


def users(*admins):
    """Return the file of those who may use the page."""
    return Admins("admins", {user_key(each.name): each for each in admins})


class Served:
    """The page, and what it is served by.

    :param settings: of ``[web]``.
    :param kinds: of events that are kept.

    :ivar settings: those that hold now.
    :ivar told: the events of these kinds.
    """

    def __init__(
        self,
        desk=None,
        *,
        settings,
        names=("relay",),
        in_thread=maybeDeferred,
        guest=None,
        kinds=(),
    ):
        self.desk = desk or Desk()
        self.settings = settings
        self.told = []
        for kind in kinds:
            self.desk.events.subscribe(kind, self.told.append)
        self.page = Administrator(
            self.desk.operations,
            settings=lambda: self.settings,
            names=lambda: names,
            events=self.desk.events,
            clock=self.desk.clock,
            in_thread=in_thread,
            guest=guest,
        )
        self.site = ApiSite(self.page, self.desk.clock, most=MOST_CONNECTIONS)


class SignedIn(Served):
    """The page for one user, of whom a proxy says who they are."""

    def __init__(self, desk=None, *, role, **more):
        settings = WebSettings(users=users(Admin(name="ann", role=role)), proxies=(network(PROXY),))
        super().__init__(desk, settings=settings, **more)
