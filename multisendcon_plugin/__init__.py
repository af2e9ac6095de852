"""multisendcon: the smarthost that chooses the way out by the sender.

The public names, for other Twisted applications; see ``docs/embedding.rst``.  Each is loaded when
it is asked for: a program that reads the version, or a configuration, starts no relay.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .configuration import Configuration, load, parse
    from .daemon.clock import make_steady
    from .daemon.resolver import install_resolver
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
    from .mail.envelope import Envelope
    from .mail.reply import Reply, ReplyError
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

_MODULES = {
    "Configuration": "configuration",
    "Envelope": "mail.envelope",
    "RelayService": "service",
    "Reply": "mail.reply",
    "ReplyError": "mail.reply",
    "install_resolver": "daemon.resolver",
    "load": "configuration",
    "make_steady": "daemon.clock",
    "parse": "configuration",
}


def __getattr__(name: str) -> Any:
    """Load a public name (PEP 562)."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_MODULES.get(name, 'errors')}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
