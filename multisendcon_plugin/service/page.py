"""The page of a relay: loaded when it is wanted, as not each installation has what it needs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from twisted.internet.threads import deferToThreadPool

from ..configuration import Configuration
from ..events import Publisher
from ..operations import Operations
from ..page.server import WebServer
from ..settings.admins import Admin
from ..settings.web import WebSettings

if TYPE_CHECKING:
    from ..page.administrator import Administrator


def web_server(
    operations: Operations,
    configuration: Callable[[], Configuration],
    events: Publisher,
    reactor: Any,
) -> WebServer:
    """Return what serves ``[web]``.

    :param configuration: returns the one that holds now.
    """
    return page_server(
        operations,
        settings=lambda: configuration().web,
        names=lambda: [configuration().master_relay.hostname],
        events=events,
        reactor=reactor,
    )


def page_server(
    operations: Operations,
    *,
    settings: Callable[[], WebSettings | None],
    names: Callable[[], Sequence[str]],
    events: Publisher,
    reactor: Any,
    guest: Admin | None = None,
) -> WebServer:
    """Return what serves the page.

    :param settings: returns those that hold now.
    :param names: returns the names of the relay.
    :param guest: see `SignIn`; no configuration has one.
    """

    def in_thread(function: Callable[..., Any], *arguments: Any) -> Any:
        return deferToThreadPool(reactor, reactor.getThreadPool(), function, *arguments)

    def make() -> Administrator:
        from ..page.administrator import Administrator  # noqa: PLC0415

        return Administrator(
            operations,
            settings=lambda: settings() or WebSettings(),
            names=names,
            events=events,
            clock=reactor,
            in_thread=in_thread,
            guest=guest,
        )

    return WebServer(settings(), make, reactor)
