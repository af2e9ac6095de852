"""What follows from a configuration for several parts of a relay: made once, while they run.

It can be made in a thread, and changes nothing: see `RelayService.reload`.
"""

from __future__ import annotations

import attrs

from ..configuration import Configuration
from ..queue import QueuePolicy
from ..routing.account import Account
from ..routing.registry import AccountRegistry
from ..settings.destinations import Destinations


@attrs.frozen
class Configured:
    """A configuration, with what follows from it for several parts."""

    configuration: Configuration
    registry: AccountRegistry

    @classmethod
    def of(cls, configuration: Configuration) -> Configured:
        """Return that of a configuration."""
        registry = AccountRegistry(configuration.accounts, configuration.reports_account)
        return cls(configuration, registry)

    @property
    def queue(self) -> QueuePolicy:
        """What the queue goes by."""
        return QueuePolicy(
            delivery=self.configuration.delivery,
            ndr=self.configuration.ndr,
            hostname=self.configuration.master_relay.hostname,
            registry=self.registry,
            destinations=Destinations(self.configuration.destinations),
        )

    @property
    def may_log_in(self) -> list[Account]:
        """Whoever may log in somewhere."""
        reports = self.configuration.reports_account
        return [*self.configuration.accounts, *([reports] if reports else [])]
