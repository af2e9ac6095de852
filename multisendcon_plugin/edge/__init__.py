"""The edge: the ESMTP server that takes mail in."""

from .factory import RelayESMTPFactory
from .protocol import RelayESMTP

__all__ = ["RelayESMTP", "RelayESMTPFactory"]
