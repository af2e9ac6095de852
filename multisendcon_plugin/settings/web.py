"""The settings of the page on which admins see and steer the relay.

As in `values`: each key is declared here and nowhere else.  Pure.
"""

from __future__ import annotations

import attrs

from . import kinds, names
from .admins import Admins
from .keys import key
from .names import Network


@attrs.frozen(kw_only=True)
class WebSettings:
    """``[web]``: the page for admins; the table switches it on."""

    listen: tuple[str, ...] = key(
        kinds.listed(names.endpoint),
        default=("tcp:port=2580:interface=127.0.0.1",),
        doc="Where the page and the API are served, as server endpoint strings of Twisted.",
    )
    users: Admins | None = key(
        kinds.admins,
        default=None,
        doc="A file of those who may use the page, as made by multisendcon user NAME --role view,"
        " operate or configure; unset: nobody can sign in.",
    )
    hostnames: tuple[str, ...] = key(
        kinds.listed(names.domain, empty=True),
        default=(),
        doc="The names by which browsers may reach the page, besides addresses of this machine.",
    )
    proxies: tuple[Network, ...] = key(
        kinds.listed(names.network, empty=True),
        default=(),
        doc="Addresses or networks of proxies that sign users in: of these, user_header is"
        " believed.",
    )
    user_header: str = key(
        names.http_field,
        default="X-Remote-User",
        doc="The header field in which a proxy names the user, who has to be in the file of users.",
    )
