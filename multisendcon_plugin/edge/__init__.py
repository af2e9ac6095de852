"""The edge: the ESMTP server that takes mail in."""

from __future__ import annotations

from .. import twisted_mail  # noqa: F401 -- before all that imports Twisted's mail package
from .factory import RelayESMTPFactory
from .protocol import RelayESMTP
from .proxy import ProxyFactory
from .tls import ClientsTLS, ServerTLS

__all__ = ["ClientsTLS", "ProxyFactory", "RelayESMTP", "RelayESMTPFactory", "ServerTLS"]
