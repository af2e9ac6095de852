"""Knows what TLS the mail servers of a domain have to have: MTA-STS (RFC 8461), DANE (RFC 7672).

Sends no mail and checks no certificate of a mail server: that is `relay.tls`, as `routing.hop`
says.
"""

from __future__ import annotations

from .discovery import Discovery
from .fetch import Fetcher
from .policies import DnsPolicies
from .store import PolicyStore

__all__ = ["Discovery", "DnsPolicies", "Fetcher", "PolicyStore"]
