"""The order of commands: what each is answered in each state of a session.

RFC 5321 section 4.1.4, RFC 3030 section 2 (BDAT), RFC 3207 section 4.2 (STARTTLS), RFC 4954
section 4 (AUTH).  Pure.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping

from ..mail.reply import Reply
from .replies import HELO_FIRST as HELO
from .replies import MAIL_FIRST as MAIL
from .replies import MAIL_TWICE as TWICE
from .replies import NOT_DURING_MAIL as BUSY
from .replies import ONLY_CHUNKS as CHUNK
from .replies import RCPT_FIRST as RCPT


class State(enum.IntEnum):
    """How far a session has come; a column of the table."""

    CONNECTED = 0  # the client has not said who it is
    GREETED = 1  # there is no transaction
    SENDER = 2  # MAIL was accepted, and no RCPT so far
    RECIPIENTS = 3  # MAIL and RCPT were accepted
    CHUNKS = 4  # some of the content has come by BDAT


#: The refusal of each command in each state; ``None``: it is in order.  RFC 4954 section 4: who
#: hands a mail in must not change in the middle of it.  RFC 3030 section 2: between chunks only
#: BDAT, RSET, NOOP and QUIT make sense; RCPT would add somebody who has none of the content that
#: has come.
# fmt: off
ORDER: Mapping[bytes, tuple[Reply | None, ...]] = {
    #            CONNECTED  GREETED  SENDER  RECIPIENTS  CHUNKS
    b"HELO":     (None,     None,    None,   None,       None),
    b"EHLO":     (None,     None,    None,   None,       None),
    b"STARTTLS": (None,     None,    None,   None,       BUSY),
    b"AUTH":     (HELO,     None,    BUSY,   BUSY,       BUSY),
    b"MAIL":     (HELO,     None,    TWICE,  TWICE,      TWICE),
    b"RCPT":     (MAIL,     MAIL,    None,   None,       CHUNK),
    b"DATA":     (MAIL,     MAIL,    RCPT,   None,       CHUNK),
    b"BDAT":     (MAIL,     MAIL,    RCPT,   None,       None),
    b"RSET":     (None,     None,    None,   None,       None),
    b"NOOP":     (None,     None,    None,   None,       None),
    b"VRFY":     (None,     None,    None,   None,       None),
    b"EXPN":     (None,     None,    None,   None,       None),
    b"HELP":     (None,     None,    None,   None,       None),
    b"QUIT":     (None,     None,    None,   None,       None),
}
# fmt: on
