"""Public fakes, for tests of what sends mail through multisendcon and for the demonstration.

They run the real code; certificates are made on the spot.
"""

from . import misdeeds
from .authority import Authority
from .evil import EvilProvider
from .provider import Answer, Provider, ReceivedMail

__all__ = ["Answer", "Authority", "EvilProvider", "Provider", "ReceivedMail", "misdeeds"]
