"""Public fakes, for tests of what sends mail through multisendcon and for the demonstration.

They run the real code; certificates are made on the spot.
"""

from __future__ import annotations

from .. import twisted_mail  # noqa: F401 -- before all that imports Twisted's mail package
from . import misdeeds
from .authority import Authority
from .evil import EvilProvider
from .memory_disk import MemoryDisk
from .memory_spool import MemorySpool
from .names import FakeNames
from .policies import FakePolicies
from .provider import Answer, Provider, ReceivedMail

__all__ = [
    "Answer",
    "Authority",
    "EvilProvider",
    "FakeNames",
    "FakePolicies",
    "MemoryDisk",
    "MemorySpool",
    "Provider",
    "ReceivedMail",
    "misdeeds",
]
