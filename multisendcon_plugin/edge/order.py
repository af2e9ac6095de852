"""The order of commands: which of them are refused in which state of a session, and how.

RFC 5321 section 4.1.4, RFC 3030 section 2 (BDAT), RFC 3207 section 4.2 (STARTTLS), RFC 4954
section 4 (AUTH).  Commands that are not in the table may come at any time.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping

from ..mail.reply import Reply
from . import replies


class State(enum.Enum):
    """How far a session has come."""

    CONNECTED = "the client has not said who it is"
    GREETED = "there is no transaction"
    SENDER = "MAIL was accepted, and no RCPT so far"
    RECIPIENTS = "MAIL and RCPT were accepted"
    CHUNKS = "some of the content has come by BDAT"


WRONG_ORDER: Mapping[State, Mapping[bytes, Reply]] = {
    State.CONNECTED: {
        b"AUTH": replies.HELO_FIRST,
        b"MAIL": replies.HELO_FIRST,
        b"RCPT": replies.MAIL_FIRST,
        b"DATA": replies.MAIL_FIRST,
        b"BDAT": replies.MAIL_FIRST,
    },
    State.GREETED: {
        b"RCPT": replies.MAIL_FIRST,
        b"DATA": replies.MAIL_FIRST,
        b"BDAT": replies.MAIL_FIRST,
    },
    State.SENDER: {
        # RFC 4954 section 4: who hands a mail in must not change in the middle of it.
        b"AUTH": replies.NOT_DURING_MAIL,
        b"MAIL": replies.MAIL_TWICE,
        b"DATA": replies.RCPT_FIRST,
        b"BDAT": replies.RCPT_FIRST,
    },
    State.RECIPIENTS: {
        b"AUTH": replies.NOT_DURING_MAIL,
        b"MAIL": replies.MAIL_TWICE,
    },
    # RFC 3030 section 2: only BDAT, RSET, NOOP and QUIT make sense now; RCPT would add somebody who
    # has none of the content that has come.
    State.CHUNKS: {
        b"STARTTLS": replies.NOT_DURING_MAIL,
        b"AUTH": replies.NOT_DURING_MAIL,
        b"MAIL": replies.MAIL_TWICE,
        b"RCPT": replies.ONLY_CHUNKS,
        b"DATA": replies.ONLY_CHUNKS,
    },
}
