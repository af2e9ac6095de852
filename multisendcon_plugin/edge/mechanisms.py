"""The logins that clients of the relay may use; others need passwords that can be read.

RFC 4616 (PLAIN), and LOGIN, which no RFC has.
"""

from __future__ import annotations

from twisted.mail import imap4, smtp

from ..mail.reply import ReplyError
from ..settings.users import user_key
from . import replies


class PLAINCredentials(imap4.PLAINCredentials):
    """PLAIN; nobody may act for somebody else (RFC 4616 section 2)."""

    def setResponse(self, response: bytes) -> None:
        super().setResponse(response)
        acts_for = response.partition(b"\0")[0]
        # Some programs send the name twice.
        if acts_for and _key(acts_for) != _key(self.username):
            raise ReplyError(replies.WRONG_CREDENTIALS)


def _key(name: bytes) -> str:
    return user_key(name.decode("utf-8", "surrogateescape"))


#: By name, what makes a challenger.
MECHANISMS = {b"PLAIN": PLAINCredentials, b"LOGIN": smtp.LOGINCredentials}
