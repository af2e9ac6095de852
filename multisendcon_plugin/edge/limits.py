"""What a client may ask of a session."""

from __future__ import annotations

import attrs


@attrs.frozen(kw_only=True)
class Limits:
    """What a transaction may bring.

    :param message_size: octets of content.
    """

    message_size: int = 50 * 1024 * 1024
    recipients: int = 1000
