"""multisendcon: the smarthost that chooses the way out by the sender.

The public names, for other Twisted applications; see ``docs/embedding.rst``.
"""

from . import twisted_mail  # noqa: F401 -- before all that imports Twisted's mail package
from .daemon.clock import make_steady
from .configuration import Configuration, load, parse
from .mail.envelope import Envelope
from .errors import (
    AddressError,
    ConfigurationError,
    ContentError,
    ListenError,
    MultisendconError,
    SpoolError,
    SpoolFullError,
    SpoolLockedError,
)
from .mail.reply import Reply, ReplyError
from .daemon.resolver import install_resolver
from .service import RelayService

__version__ = "0.1.0"

__all__ = [
    "AddressError",
    "Configuration",
    "ConfigurationError",
    "ContentError",
    "Envelope",
    "ListenError",
    "MultisendconError",
    "RelayService",
    "Reply",
    "ReplyError",
    "SpoolError",
    "SpoolFullError",
    "SpoolLockedError",
    "__version__",
    "install_resolver",
    "load",
    "make_steady",
    "parse",
]
