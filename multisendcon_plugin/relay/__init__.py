"""The relay: the ESMTP client that carries mail to the accounts' servers."""

from __future__ import annotations

from .. import twisted_mail  # noqa: F401 -- before all that imports Twisted's mail package
from .budget import ConnectionBudget
from .factory import AccountSenderFactory
from .relays import Relays
from .sender import AccountSender
from .trial import Trials

__all__ = ["AccountSender", "AccountSenderFactory", "ConnectionBudget", "Relays", "Trials"]
