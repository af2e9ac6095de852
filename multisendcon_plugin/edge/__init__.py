"""The edge: the ESMTP server that takes mail in."""

from .factory import RelayESMTPFactory
from .protocol import RelayESMTP
from .proxy import ProxyFactory

__all__ = ["ProxyFactory", "RelayESMTP", "RelayESMTPFactory"]
