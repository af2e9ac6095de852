"""Facts about clients, which the edge tells.

They may come from another process, so they are made of what JSON has, and replies.  An address is
"local" when it came by a local socket.
"""

from __future__ import annotations

import attrs

from ..mail.reply import Reply


@attrs.frozen
class ClientRefused:
    """A client is sent away, since a list lacks it.

    :param key: the list, in ``[master_relay]``.
    """

    address: str
    key: str


@attrs.frozen
class LimitReached:
    """A client is sent away, or a mail of it refused, since there are too many.

    :param limit: in words, with its key.
    """

    address: str
    limit: str


@attrs.frozen
class ProxyRefused:
    """A connection without a PROXY header that can be read, where one has to be."""

    address: str
    why: str


@attrs.frozen(kw_only=True)
class CommandRefused:
    """A command is refused for good, or a whole mail is.

    :param user: who has logged in; ``""``: nobody.
    :param command: as far as it may be in a log; ``""``: the mail is refused, or it is a secret.
    :param sender: of the mail that it is about; ``""``: null; ``None``: it is about none.
    :param recipients: the first ones that the mail has so far, of whom there are `more`.
    """

    address: str
    user: str
    reply: Reply
    command: str
    sender: str | None
    recipients: tuple[str, ...]
    more: int


@attrs.frozen(kw_only=True)
class SessionEnded:
    """A session has failed, or we end it before its time; the fields are as in `CommandRefused`."""

    address: str
    user: str
    why: str
    command: str
    sender: str | None
    recipients: tuple[str, ...]
    more: int


@attrs.frozen
class MailNotStored:
    """A mail is refused for now: the spool could not take it."""

    address: str
    reply: Reply
    error: str


@attrs.frozen
class LoginAccepted:
    """A client has logged in."""

    address: str
    user: str


@attrs.frozen
class LoginRefused:
    """A client has tried to log in, in vain.

    :param user: what it said.
    """

    address: str
    user: str


@attrs.frozen
class EventsLeftOut:
    """Facts that repeat each other: so many more than were published in the last minute.

    :param address: or the network of a client, or a word for all others.
    :param kind: the name of their class; ``""``: of several.
    :param detail: what else they share.
    """

    address: str
    kind: str
    detail: str
    count: int


ClientEvent = (
    ClientRefused
    | LimitReached
    | ProxyRefused
    | CommandRefused
    | SessionEnded
    | MailNotStored
    | LoginAccepted
    | LoginRefused
    | EventsLeftOut
)
