"""What the replies answer that are due in a transaction.  Pure."""

from __future__ import annotations

import enum


class Due(enum.IntEnum):
    """What the next reply answers."""

    RSET = enum.auto()
    MAIL = enum.auto()
    RCPT = enum.auto()
    """One that is not the last."""
    LAST_RCPT = enum.auto()
    DATA = enum.auto()
    CONTENT = enum.auto()
    """Nothing: the content is going out, and no reply is due before its end."""
    END = enum.auto()
    """The final dot."""
    VAIN_RCPT = enum.auto()
    """RCPT that was sent together with a MAIL that was refused."""
    VAIN_DATA = enum.auto()
    """DATA that was sent together with the commands before it, which have left no recipient."""
    LONE_DOT = enum.auto()
    """The content of no recipient, which is empty."""


#: What is due with MAIL, once that was refused.
IN_VAIN = {Due.RCPT: Due.VAIN_RCPT, Due.LAST_RCPT: Due.VAIN_RCPT, Due.DATA: Due.VAIN_DATA}
