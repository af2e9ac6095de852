"""Carries the mail of an account to the mail servers of its recipients, as the DNS has them.

The dialogue with each server is that of all accounts (`relay.factory`, `relay.attempt`); here is
which servers, in which order, and what follows when one of them cannot be used.
"""

from __future__ import annotations

from .direct_relay import DirectRelay, MailServers
from .routes import Ourselves, Routes

__all__ = ["DirectRelay", "MailServers", "Ourselves", "Routes"]
