"""What of the configuration the queue goes by: one value, which is replaced as a whole.  Pure."""

from __future__ import annotations

import attrs

from ..routing.registry import AccountRegistry
from ..settings.destinations import Destinations
from ..settings.values import DeliverySettings, NdrSettings


@attrs.frozen(kw_only=True)
class QueuePolicy:
    """What the queue goes by.

    :param hostname: of this relay, in reports.
    :param destinations: how fast direct accounts send to a domain.
    """

    delivery: DeliverySettings
    ndr: NdrSettings
    hostname: str
    registry: AccountRegistry
    destinations: Destinations = attrs.field(factory=Destinations)


@attrs.define
class InForce:
    """The policy that holds now, for all parts of the queue, which ask each time."""

    policy: QueuePolicy
