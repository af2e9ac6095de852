"""Why one server gives no answer to one query.  Pure."""

from __future__ import annotations

import errno

from .answer import DnsError

_OURS = {errno.EAGAIN, errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}


class NoAnswerError(Exception):
    """A server gives no answer; the text says why, as what the server does."""


class UnsureError(Exception):
    """What comes by UDP may be forged.

    :param other_case: it would be an answer, but for the case of the letters.
    """

    def __init__(self, *, other_case: bool) -> None:
        super().__init__()
        self.other_case = other_case


def fault_of(error: OSError) -> NoAnswerError | DnsError:
    """Return what an error of a socket means: a fault of the server, or one of ours."""
    reason = error.strerror or type(error).__name__
    if error.errno in _OURS:
        return DnsError(f"there is no socket to ask the DNS: {reason}")
    if error.errno == errno.ECONNREFUSED:
        return NoAnswerError("refuses: no DNS server listens there")
    return NoAnswerError(f"cannot be reached: {reason}")
