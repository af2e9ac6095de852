"""The edge: the ESMTP server that takes mail in."""

from .factory import RelayESMTPFactory
from .protocol import RelayESMTP
from .proxy import ProxyFactory
from .tls import ServerTLS

__all__ = ["ProxyFactory", "RelayESMTP", "RelayESMTPFactory", "ServerTLS"]
