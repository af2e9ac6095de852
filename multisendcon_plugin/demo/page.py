"""The page of the demonstration, on which nobody has to sign in.

No configuration can have that: this is a server of its own beside the relay, on loopback alone.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from ..page.server import WebServer
from ..service import RelayService
from ..service.page import page_server
from ..settings.admins import Admin, Role
from ..settings.web import WebSettings

#: What it is made with; an installation may be without.
_NEEDED = ("jinja2", "tomlkit")
_GUEST = Admin(name="you", role=Role.CONFIGURE)


def demo_page(relay: RelayService, port: int, reactor: Any) -> WebServer | None:
    """Return what serves it; ``None``: the installation has no page."""
    if not all(map(find_spec, _NEEDED)):
        return None
    settings = WebSettings(listen=(f"tcp:port={port}:interface=127.0.0.1",))
    return page_server(
        relay.operations,
        settings=lambda: settings,
        names=list,
        events=relay.events,
        reactor=reactor,
        guest=_GUEST,
    )
