"""Turns what a command or a hook has raised into a reply."""

from __future__ import annotations

from twisted.logger import Logger
from twisted.mail import smtp
from twisted.python.failure import Failure

from ..errors import SpoolError, SpoolFullError
from ..events import MailNotStored, Publisher
from ..mail.reply import Reply, ReplyError
from . import replies

_log = Logger()


def reply_to(failure: Failure, peer: str, events: Publisher) -> Reply:
    """Turn what was raised into a reply, and tell what is a fault of ours.

    Those are 4xx: a 5xx would make the client give up a mail that has nothing wrong (RFC 5321
    section 4.2.1).

    :param peer: the address of the client.
    """
    error = failure.value
    if isinstance(error, ReplyError):
        return error.reply
    if isinstance(error, smtp.SMTPServerError):
        text = error.resp if isinstance(error.resp, bytes) else str(error.resp).encode()
        return Reply.parse(error.code, text.splitlines())
    if isinstance(error, SpoolError):
        reply = replies.SPOOL_FULL if isinstance(error, SpoolFullError) else replies.LOCAL_ERROR
        events.publish(MailNotStored(peer, reply, str(error)))
        return reply
    _log.failure(
        "internal error in a command of {address} (a bug); traceback follows", failure, address=peer
    )
    return replies.LOCAL_ERROR
