"""What is written of an attempt: one value, and one transaction of the spool.  Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from ..mail.message import Delivery, NewMessage

#: What an account has to know after a restart: JSON values by name, each of which belongs to the
#: gate of that name.
AccountState = Mapping[str, Any]


@attrs.frozen(kw_only=True)
class Settlement:
    """All that an attempt changes in the spool; it becomes durable as a whole.

    :param delivery: as the spool has it.
    :param remaining: as it is from now on, with the recipients that are not settled; ``None``
        when the delivery has ended.
    :param parts: further deliveries into which it is divided, see `Delivery.divided`; only if it
        has not ended.  Whether they are held follows from what it is.
    :param reports: new messages (non-delivery and delay reports).
    :param account_state: of the delivery's account, all of it; ``None``: it stays as it is.
    :param awaited: a mail that is due waits for it.
    """

    delivery: Delivery
    remaining: Delivery | None
    parts: tuple[Delivery, ...] = ()
    reports: tuple[NewMessage, ...] = ()
    account_state: AccountState | None = None
    awaited: bool = False
