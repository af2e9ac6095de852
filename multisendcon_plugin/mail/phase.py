"""The phases of the way to a server: the search for it, then the session with it."""

from __future__ import annotations

import enum


class Phase(enum.Enum):
    """Where something happened, in order."""

    # Members are the only ones of their kind; that of `Enum` is a function in Python, and phases
    # are looked up several times for each mail.
    __hash__ = object.__hash__

    DNS = "dns"
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
