"""What a client may ask of a session."""

from __future__ import annotations

import attrs

from ..settings.values import MasterRelay


@attrs.frozen(kw_only=True)
class Limits:
    """What a session may bring, and how long it may take.

    :param message_size: octets of content.
    :param errors: errors of the protocol and failed logins, since the last mail, after which a
        client is taken for broken.
    :param command_line: octets of one line outside of content.
    :param idle: seconds of silence.
    :param transaction: seconds from MAIL to the end of the content.
    :param header_size: octets.
    :param received: `Received:` fields of a mail that still looks for its way (RFC 5321 section
        6.3), ours among them.
    :param smtputf8: addresses and header may go beyond ASCII, if the client says so (RFC 6531).
    :param fix_bare_lf: a line of content may end with a bare LF, which becomes CRLF.
    """

    message_size: int
    recipients: int
    errors: int
    command_line: int
    idle: float
    transaction: float
    header_size: int
    received: int
    fix_bare_lf: bool = False
    smtputf8: bool = True

    @classmethod
    def of(cls, settings: MasterRelay) -> Limits:
        """Return the limits that the configuration sets."""
        return cls(
            message_size=settings.max_message_size,
            recipients=settings.max_recipients,
            errors=settings.max_errors,
            command_line=settings.max_command_line,
            idle=settings.idle_timeout,
            transaction=settings.transaction_timeout,
            header_size=settings.max_header_size,
            received=settings.max_received,
            smtputf8=settings.smtputf8,
        )
