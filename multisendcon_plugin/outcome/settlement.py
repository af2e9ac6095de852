"""What is written of an attempt: one value, and one transaction of the spool.  Pure."""

from __future__ import annotations

import attrs

from ..mail.message import Delivery, NewMessage


@attrs.frozen(kw_only=True)
class Settlement:
    """All that an attempt changes in the spool; it becomes durable as a whole.

    :param delivery: as the spool has it.
    :param remaining: as it is from now on, with the recipients that are not settled; ``None``
        when the delivery has ended.
    :param reports: new messages (non-delivery and delay reports).
    :param mail_ended: the end of the account's last mail, in seconds since the epoch.
    """

    delivery: Delivery
    remaining: Delivery | None
    reports: tuple[NewMessage, ...] = ()
    mail_ended: float | None = None
