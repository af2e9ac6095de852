"""The server's side of one session: octets and answers in, replies and actions out.

It carries out one command at a time, in order.  Stock `twisted.mail.smtp.ESMTP` carries out each
line as it comes, so a hook that answers later mixes up replies and even recipients
(twisted/twisted#8126).  Here the next line is not looked at until the last one is answered.

What it wants done, it tells its `Connection`.  RFC 2920, RFC 5321 section 4.1.  Pure: no transport,
no clock, no reactor.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from ..mail.reply import Reply, ReplyError
from . import replies
from .reading import LineError
from .session import Session
from .shown import command_shown
from .talk import Connection, T, Talk
from .tarpit import OF_MAILS
from .transaction import Transaction

#: Commands of one session in one turn of the reactor; then it is the turn of others.
COMMANDS_AT_A_TIME = 50
_BLANK = re.compile(rb"[ \t]")
# A web page can make a browser send its form to us, with a mail in it.
_WEB_COMMANDS = frozenset([b"CONNECT", b"GET", b"HEAD", b"OPTIONS", b"POST", b"PUT"])


class Dialogue:
    """One session.

    :ivar talk: what is said.
    :ivar mail: the mail under way.
    :ivar session: the rest.
    :ivar commands: what carries out each command; it gets the argument.
    :ivar busy: commands are being carried out.
    """

    def __init__(self, connection: Connection) -> None:
        self.talk = Talk(connection)
        self.mail = mail = Transaction(self.talk)
        self.session = session = Session(self.talk, mail)
        self.commands: dict[bytes, Callable[[bytes], None]] = {
            b"HELO": session.helo,
            b"EHLO": session.ehlo,
            b"STARTTLS": session.starttls,
            b"AUTH": session.auth,
            b"MAIL": mail.mail,
            b"RCPT": mail.rcpt,
            b"DATA": mail.data,
            b"BDAT": mail.bdat,
            b"RSET": mail.rset,
            b"NOOP": session.noop,
            b"VRFY": session.vrfy,
            b"EXPN": session.expn,
            b"HELP": session.help,
            b"QUIT": session.quit,
        }
        self.busy = False
        self._stopping = False
        self._nothing_follows = False

    # Octets in.

    def receive(self, octets: bytes) -> None:
        """Take the next octets from the client, and carry out what can be carried out now."""
        talk, mail, reader = self.talk, self.mail, self.talk.reader
        if talk.closed:
            return
        reader.octets += octets
        self.busy = True
        commands = 0
        while reader.octets and not (talk.waiting or talk.pausing or talk.closed):
            try:
                if mail.takes_content:
                    mail.take()
                elif commands == COMMANDS_AT_A_TIME:
                    talk.pause(0.0)
                else:
                    commands += 1  # also a line that is refused before it is a command
                    line = reader.line()
                    if line is None:
                        break
                    self._carry_out(line)
            except LineError as error:
                talk.close_with(error.reply, error.why)
            except ReplyError as error:
                self._refuse(error.reply)
            except Exception:
                self._refuse(talk.connection.reply_to_failure())
        self.busy = False
        if not (talk.waiting or talk.pausing):
            reader.shown = b""

    def _carry_out(self, line: bytes) -> None:
        talk = self.talk
        if exchange := self.session.exchange:
            self.session.respond(exchange, line)
            return
        if talk.policy.tolerance:
            line = talk.policy.tolerance.command(line)
        # RFC 5321 section 4.1.1: blanks behind a command are tolerated, and so are those before it.
        verb, *argument = _BLANK.split(line.strip(b" \t"), 1)
        verb = verb.upper()
        command = self.commands.get(verb)
        if command is None:
            if verb in _WEB_COMMANDS:
                talk.close_with(replies.NOT_THE_WEB)
                return
            raise ReplyError(replies.UNKNOWN_COMMAND)
        if verb in OF_MAILS:
            talk.tarpit.mail_tried = True
        elif ending := talk.tarpit.other_command(verb):
            talk.close_with(*ending)
            return
        command(argument[0].strip(b" \t") if argument else b"")

    def _refuse(self, reply: Reply) -> None:
        # Also a response that is no line at all ends the exchange of AUTH.
        self.session.exchange = None
        self.talk.refuse(reply)
        if self.mail.owes_reply:
            self.mail.end()

    # Answers in.

    def answer(self, answer: T, then: Callable[[T], None]) -> None:
        """Go on with a hook's answer, for which the dialogue was waiting."""
        self.talk.waiting = False
        try:
            if not self.talk.closed:
                then(answer)
        except ReplyError as error:
            self._refuse(error.reply)
        except Exception:
            self._refuse(self.talk.connection.reply_to_failure())
        self._answered()

    def fail(self, reply: Reply) -> None:
        """Go on without the answer of a hook, which has failed: the command is refused so."""
        self.talk.waiting = False
        self._refuse(reply)
        self._answered()

    def _answered(self) -> None:
        if self.talk.closed:
            self.mail.end()
        elif self._stopping:
            self.talk.close_with(replies.SHUTTING_DOWN)
        elif not (self.busy or self.talk.pausing):
            self._go_on()

    def resume(self) -> None:
        """Go on after a pause."""
        self.talk.pausing = False
        self._go_on()

    def _go_on(self) -> None:
        if self.talk.reader.octets:
            self.receive(b"")
        else:
            self.talk.reader.shown = b""
        if self._nothing_follows:
            self.nothing_follows()

    # The ends.

    def nothing_follows(self) -> None:
        """The client sends no more, but may read its replies to what it has sent.

        So that is carried out and answered, and then the connection ends.  A client that has gone
        for good looks the same: its whole mails are taken too, and it may send them again.
        """
        self._nothing_follows = True
        talk = self.talk
        if not (talk.waiting or talk.pausing or talk.closed):
            if unfinished := self.unfinished:
                talk.connection.ended_early(f"the client hung up {unfinished}")
            talk.hang_up()

    @property
    def unfinished(self) -> str:
        """What a client that hangs up now leaves unfinished; ``""``: nothing."""
        if self.mail.owes_reply:
            return "before the reply to a mail, which is taken; it may send it again"
        return "in the middle of a mail" if self.mail.origin else ""

    def stop(self) -> None:
        """End the session, but say the reply first that takes over a message."""
        self._stopping = True
        if not self.mail.owes_reply:
            self.talk.close_with(replies.SHUTTING_DOWN)

    def lost(self) -> None:
        """The connection is gone, or we have hung up."""
        self.talk.closed = True
        self.talk.reader.octets.clear()
        if not self.mail.owes_reply:  # or the mail is still on its way into the spool
            self.mail.end()

    @property
    def command(self) -> str:
        """What is being carried out, as far as it may be in a log."""
        if self.session.exchange:
            return ""
        return command_shown(
            self.talk.reader.shown, self.commands, may_be_secret=self.session.login_begun
        )
