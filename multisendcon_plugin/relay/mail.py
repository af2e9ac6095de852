"""A mail as one session says it: its paths, the start of its content, and the commands for them.

RFC 1870 (SIZE), RFC 6152 (8BITMIME), RFC 6531 (SMTPUTF8), RFC 3461 (DSN).  Pure.
"""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from ..mail.dsn import Notify, mail_parameters, rcpt_parameters
from ..mail.envelope import Envelope
from ..mail.message import Recipient


@attrs.frozen
class Mail:
    """A mail as a session sends it.

    :param recipients: positions in the delivery, and the paths to say.
    :param start: the first octets of the content, the header block at least.
    :param header_size: octets of the header block.
    :param size: octets of the whole content (RFC 1870 section 3).
    :param utf8: it may hold characters that take SMTPUTF8.
    """

    reverse_path: str
    recipients: tuple[tuple[int, str], ...]
    start: bytes
    header_size: int
    size: int
    utf8: bool
    own_sender: bool
    """The reverse-path is the client's, not a fixed one."""
    too_many: tuple[int, ...] = ()
    """Positions of recipients whom another transaction takes."""

    def to_first(self, most: int) -> Mail:
        """Return the mail to its first recipients, the others left to another transaction."""
        too_many = tuple(position for position, _ in self.recipients[most:])
        return attrs.evolve(self, recipients=self.recipients[:most], too_many=too_many)

    def mail_command(self, envelope: Envelope, offers: Mapping[str, str]) -> bytes:
        """Return MAIL with what the client asked for, as far as the server offers it."""
        command = f"MAIL FROM:<{self.reverse_path}>"
        if "SIZE" in offers:
            command += f" SIZE={self.size}"
        if envelope.eight_bit and "8BITMIME" in offers:
            command += " BODY=8BITMIME"
        if self.utf8 and "SMTPUTF8" in offers:
            command += " SMTPUTF8"
        if "DSN" in offers:
            command += mail_parameters(envelope.returns, envelope.envelope_id)
        return command.encode()

    def rcpt_command(self, recipient: Recipient, path: str, offers: Mapping[str, str]) -> bytes:
        """Return RCPT for a path that is the recipient's, with what its sender wants to be told."""
        command = f"RCPT TO:<{path}>"
        if "DSN" in offers:
            notify = recipient.notify
            if notify is not None and not self.own_sender:
                # The report on success would go to the fixed sender; ours goes to the sender.
                notify &= ~Notify.SUCCESS
            utf8 = "SMTPUTF8" in offers
            command += rcpt_parameters(notify, recipient.original, utf8=utf8)
        return command.encode()
