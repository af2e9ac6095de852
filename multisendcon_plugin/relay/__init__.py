"""The relay: the ESMTP client that carries mail to the accounts' servers."""

from .budget import ConnectionBudget
from .factory import AccountSenderFactory
from .sender import AccountSender
from .trial import Trials

__all__ = ["AccountSender", "AccountSenderFactory", "ConnectionBudget", "Trials"]
