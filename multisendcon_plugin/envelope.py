"""The envelope: who a message is from and to, apart from what its header says.

RFC 5321 section 2.3.1; BODY is RFC 6152, SMTPUTF8 is RFC 6531.  Pure values.
"""

from __future__ import annotations

import attrs


@attrs.frozen(kw_only=True)
class Envelope:
    """Reverse-path and forward-paths of one message.

    Addresses are the text between ``<`` and ``>`` as the client wrote it, source route
    removed; the null reverse-path is ``""``.
    """

    reverse_path: str
    recipients: tuple[str, ...]
    eight_bit: bool = False
    """The client declared ``BODY=8BITMIME``."""
    utf8: bool = False
    """The client declared ``SMTPUTF8``."""
