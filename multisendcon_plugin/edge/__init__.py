"""The edge: the ESMTP server that takes mail in."""

from .factory import RelayESMTPFactory
from .protocol import RelayESMTP
from .proxy import ProxyFactory
from .tls import ClientsTLS, ServerTLS

__all__ = ["ClientsTLS", "ProxyFactory", "RelayESMTP", "RelayESMTPFactory", "ServerTLS"]
