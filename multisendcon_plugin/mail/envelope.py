"""The envelope: who a message is from and to, apart from what its header says.

RFC 5321 section 2.3.1; BODY is RFC 6152, SMTPUTF8 is RFC 6531, RET and ENVID are RFC 3461.  Pure
values.
"""

from __future__ import annotations

from typing import NamedTuple

import attrs

from .dsn import Return


class Client(NamedTuple):
    """Who handed a message in: for the log, and for whoever looks into abuse.

    :param address: of IP; ``"local"``: it came by a local socket.
    :param user: who had logged in; ``""``: nobody.
    :param helo: what the client called itself.
    :param tls: version and cipher; ``""``: in clear text.
    """

    address: str
    user: str
    helo: str
    tls: str

    def __str__(self) -> str:
        user = f", user {self.user}" if self.user else ""
        return f"client {self.address}{user}, {self.tls or 'no TLS'}, HELO {self.helo}"


@attrs.frozen(kw_only=True)
class Envelope:
    """Reverse-path and forward-paths of one message.

    Addresses are the text between ``<`` and ``>`` as the client wrote it, source route
    removed; the null reverse-path is ``""``.

    :param eight_bit: the client declared ``BODY=8BITMIME``.
    :param utf8: the client declared ``SMTPUTF8``.
    :param author: the address in ``From:``, which stands for the null reverse-path.
    :param returns: how much of the mail a report on its failure is to bring back (``RET``).
    :param envelope_id: the client's own name for this mail (``ENVID``), in xtext as it was written.
    :param client: ``None``: an application has handed it in, or we have.
    :param message_id: what ``Message-ID:`` says, see `header.identity`; as `subject`, it is for
        those who look for the mail: nothing about its way depends on it.
    :param subject: what ``Subject:`` says; encoded words are not decoded.
    """

    reverse_path: str
    recipients: tuple[str, ...]
    eight_bit: bool = False
    utf8: bool = False
    author: str = ""
    returns: Return | None = None
    envelope_id: str = ""
    client: Client | None = None
    message_id: str = ""
    subject: str = ""
