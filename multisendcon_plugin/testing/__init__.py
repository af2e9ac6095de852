"""Public fakes, for tests of what sends mail through multisendcon and for the demonstration.

They run the real code; certificates are made on the spot.
"""

from .authority import Authority
from .provider import Answer, Provider, ReceivedMail

__all__ = ["Answer", "Authority", "Provider", "ReceivedMail"]
