"""The phases of a session with an account's server."""

from __future__ import annotations

import enum


class Phase(enum.Enum):
    """Where in a session something happened, in the order of a session."""

    # Members are the only ones of their kind; that of `Enum` is a function in Python, and phases
    # are looked up several times for each mail.
    __hash__ = object.__hash__

    CONNECT = "connect"
    TLS = "tls"
    GREETING = "greeting"
    EHLO = "ehlo"
    LOGIN = "login"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"
    CONTENT = "content"
    END = "end of data"
    RSET = "rset"
    QUIT = "quit"
