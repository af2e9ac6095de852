"""The commands of a session apart from mail: greeting, extensions, TLS, login.

RFC 5321 section 3.1, RFC 2034 (ENHANCEDSTATUSCODES), 3207 (STARTTLS), 4954 (AUTH).  The mail
transactions are in `protocol`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from twisted.cred.error import UnauthorizedLogin
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import connectionDone
from twisted.mail.interfaces import IMessageDelivery, IMessageDeliveryFactory
from twisted.python.failure import Failure

from ..events import LoginAccepted, LoginRefused
from ..mail.envelope import Client
from ..mail.escaping import shown
from ..mail.reply import Reply, ReplyError
from . import replies
from .authentication import Authentication
from .order import WRONG_ORDER, State
from .shown import command_shown, name_shown
from .tls import spoken
from .wire import ESMTPWire

_COMMANDS = {
    b"HELO": "do_HELO",
    b"EHLO": "do_EHLO",
    b"MAIL": "do_MAIL",
    b"RCPT": "do_RCPT",
    b"DATA": "do_DATA",
    b"BDAT": "do_BDAT",
    b"RSET": "do_RSET",
    b"NOOP": "do_NOOP",
    b"VRFY": "do_VRFY",
    b"EXPN": "do_EXPN",
    b"HELP": "do_HELP",
    b"QUIT": "do_QUIT",
    b"STARTTLS": "ext_STARTTLS",
    b"AUTH": "ext_AUTH",
}
#: What brings a mail on, or the session to its end; all others are limited, also when they are in
#: order: an answer costs more than the question.
_OF_MAILS = frozenset([b"MAIL", b"RCPT", b"DATA", b"BDAT", b"QUIT"])
#: Other commands that a client may say until a mail of it is taken; a stranger, until its login.
MOST_OTHER_COMMANDS = 100
MOST_OTHER_COMMANDS_OF_STRANGERS = 10
#: RFC 9422 section 4.2 allows no more digits.
_MOST_IN_LIMITS = 999_999
_BLANK = re.compile(rb"[ \t]")
# A web page can make a browser send its form to us, with a mail in it.
_WEB_COMMANDS = frozenset([b"CONNECT", b"GET", b"HEAD", b"OPTIONS", b"POST", b"PUT"])
#: Wrong logins of one session; guessing takes many.
MOST_WRONG_LOGINS = 3
#: Refused commands of a client that is not in the allow list and has not logged in.
MOST_ERRORS_OF_STRANGERS = 5
#: Seconds that such a client has for its login: connections are for others.  A mail program needs
#: one or two of them.
LOGIN_WITHIN = 60.0


class ESMTPSession(ESMTPWire):
    """One session with a client.

    :ivar user: who has logged in; ``""``: nobody.
    :ivar esmtp: the client has said EHLO, not HELO.
    :ivar login_in_clear: a login is possible without TLS.
    :ivar is_stranger: the client may do nothing but log in, soon and with few errors.
    :ivar no_rights: what is said to its mails until then.
    """

    portal: Any = None
    login_in_clear = False
    is_stranger = False
    no_rights = replies.LOGIN_FIRST

    def __init__(self, chal: Any = None, contextFactory: Any = None) -> None:
        super().__init__(chal, contextFactory)
        self._helo: tuple[bytes, bytes] | None = None
        self.user = ""
        self._client: Client | None = None
        self._authentication: Authentication | None = None
        self.esmtp = False
        self._login_begun = False
        self._wrong_logins = 0
        self._errors_as_stranger = 0
        self._other_commands = 0
        self._mail_tried = False
        self._login_by: IDelayedCall | None = None

    # What the mail transactions have to offer to the session.

    @property
    def state(self) -> State:
        """How far the session has come."""
        raise NotImplementedError

    def forget_transaction(self) -> None:
        """Give up the mail transaction, if there is one."""
        raise NotImplementedError

    def in_order(self, verb: bytes) -> None:
        """Refuse a command that may not come now."""
        refusal = WRONG_ORDER[self.state].get(verb)
        if refusal:
            raise ReplyError(refusal)

    def connectionMade(self) -> None:
        super().connectionMade()
        if self.is_stranger:
            self._login_by = self.callLater(LOGIN_WITHIN, self._login_is_late)
        if self.tolerance:
            self._helo = self.tolerance.greeting(self.peer)
        self.greet()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        super().connectionLost(reason)
        self._no_stranger_now()

    def greet(self) -> None:
        """Say the first words of the session."""
        # RFC 2034 section 4: greeting, HELO and EHLO have no enhanced code.
        self.say(Reply(220, "", f"{self.host.decode()} ESMTP ready"))
        self._flush()

    def carry_out(self, line: bytes) -> None:
        if self._authentication:
            self._challenge(self._authentication.answer, line)
            return
        if self.tolerance:
            line = self.tolerance.command(line)
        # RFC 5321 section 4.1.1: blanks behind a command are tolerated, and so are those before it.
        verb, *argument = _BLANK.split(line.strip(b" \t"), 1)
        verb = verb.upper()
        if verb in _WEB_COMMANDS:
            self.close_with(replies.NOT_THE_WEB)
            return
        method = _COMMANDS.get(verb)
        if method is None:
            raise ReplyError(replies.UNKNOWN_COMMAND)
        if verb in _OF_MAILS:
            self._mail_tried = True
        elif verb == b"RSET" and self._mail_tried:
            # Clients say it after a mail that was put off: each of these is limited as a refusal.
            self._mail_tried = False
        else:
            self._other_commands += 1
            most = MOST_OTHER_COMMANDS_OF_STRANGERS if self.is_stranger else MOST_OTHER_COMMANDS
            if self._other_commands > most:
                why = f"{most} commands that are not about mail"
                self.close_with(replies.TOO_MANY_COMMANDS, why)
                return
        getattr(self, method)(b"".join(argument).strip(b" \t"))

    def refuse_overlong(self, beginning: bytes) -> None:
        # Behind a BDAT comes content, and nobody has read how much of it.
        if beginning.lstrip(b" \t")[:4].upper() == b"BDAT":
            self.close_with(replies.CHUNK_UNKNOWN)
        else:
            self._refuse(replies.LINE_TOO_LONG)

    @property
    def command(self) -> str:
        """What is being carried out, as far as it may be in a log."""
        if self._authentication:
            return ""
        return command_shown(self._line, _COMMANDS, may_be_secret=self._login_begun)

    # Greeting and session.

    def do_HELO(self, rest: bytes) -> None:
        self._greeted(rest, esmtp=False)
        self.say(Reply(250, "", self.host.decode()))

    def do_EHLO(self, rest: bytes) -> None:
        self._greeted(rest, esmtp=True)
        self.say(Reply(250, "", "\n".join([self.host.decode(), *self.extension_lines()])))

    def _greeted(self, name: bytes, *, esmtp: bool) -> None:
        # RFC 5321 section 4.1.4: whatever name is taken, since mail must not be refused for it; and
        # it clears the transaction, like RSET.
        if not name:
            raise ReplyError(replies.ARGUMENT_MISSING)
        self.forget_transaction()
        self._helo = (name, self.peer.encode())
        self._client = None
        self.esmtp = esmtp

    def client(self) -> Client:
        """Return who the session is with now."""
        if self._client is None:
            name = self._helo[0] if self._helo else b""
            self._client = Client(
                address=self.peer,
                user=self.user,
                helo=name_shown(name).decode(),
                tls=spoken(self.transport),
            )
        return self._client

    def extension_lines(self) -> list[str]:
        """Return what EHLO advertises, in the words of its reply."""
        lines = [
            "PIPELINING",
            f"SIZE {self.settings.max_message_size}",
            "8BITMIME",
            *(["SMTPUTF8"] if self.settings.smtputf8 else []),
            "DSN",
            "ENHANCEDSTATUSCODES",
            "CHUNKING",
            f"LIMITS RCPTMAX={min(self.settings.max_recipients, _MOST_IN_LIMITS)}",
        ]
        # RFC 3207 section 4.2, RFC 4954 section 4: what would be refused now is not offered.
        if self.ctx and not (self.secure or self.authenticated):
            lines.append("STARTTLS")
        if self.offers_authentication:
            mechanisms = b" ".join(self.challengers).decode()
            lines.append(f"AUTH {mechanisms}")
        return lines

    @property
    def offers_authentication(self) -> bool:
        """A login is possible now."""
        possible = bool(self.challengers and self.portal and not self.authenticated)
        return possible and (self.secure or self.login_in_clear)

    def do_NOOP(self, rest: bytes) -> None:  # noqa: ARG002 -- any argument is allowed
        self.say(replies.NOTHING_DONE)

    def do_VRFY(self, rest: bytes) -> None:
        if not rest:
            raise ReplyError(replies.ARGUMENT_MISSING)
        # RFC 5321 section 7.3: it looks nothing up, so it tells nobody which addresses there are.
        self.say(replies.NOT_VERIFIED)

    def do_EXPN(self, rest: bytes) -> None:  # noqa: ARG002 -- there are no lists, whatever it asks
        raise ReplyError(replies.NOT_OFFERED)

    def do_HELP(self, rest: bytes) -> None:  # noqa: ARG002 -- any argument is allowed
        self.say(replies.HELP)

    def do_QUIT(self, rest: bytes) -> None:
        self._no_argument(rest)
        self.close_with(replies.GOOD_BYE)

    @staticmethod
    def _no_argument(rest: bytes) -> None:
        if rest:
            raise ReplyError(replies.NO_ARGUMENT)

    def _refuse(self, reply: Reply) -> None:
        # Also a response that is no line at all ends the exchange of AUTH.
        self._authentication = None
        super()._refuse(reply)
        if reply == replies.WRONG_CREDENTIALS:
            self._wrong_logins += 1
            if self._wrong_logins >= MOST_WRONG_LOGINS:
                self.close_with(replies.TOO_MANY_LOGINS, f"{MOST_WRONG_LOGINS} wrong logins")
        elif self.is_stranger:
            self._errors_as_stranger += 1
            if self._errors_as_stranger >= MOST_ERRORS_OF_STRANGERS:
                why = f"{MOST_ERRORS_OF_STRANGERS} errors without a login"
                self.close_with(replies.TOO_MANY_ERRORS, why)

    # TLS and login.

    def ext_STARTTLS(self, rest: bytes) -> None:
        self._no_argument(rest)
        if self.secure:
            raise ReplyError(replies.TLS_ALREADY)
        if self.ctx is None:
            raise ReplyError(replies.NOT_OFFERED)
        if self.authenticated:
            raise ReplyError(replies.AUTHENTICATED_ALREADY)
        self.in_order(b"STARTTLS")
        if self.more_is_here:
            # Sent before the handshake, it would be carried out as though it came after it
            # (CVE-2011-0411).
            self.close_with(replies.TLS_NOT_ALONE)
            return
        self.say(replies.BEGIN_TLS)
        # Nothing that was said in the clear holds any longer (RFC 3207 section 4.2).
        self.forget_transaction()
        self._helo = self.tolerance.greeting(self.peer) if self.tolerance else None
        self._client = None
        self.start_tls()

    def ext_AUTH(self, rest: bytes) -> None:
        self._login_begun = True
        if self.authenticated:
            raise ReplyError(replies.AUTHENTICATED_ALREADY)
        if not (self.challengers and self.portal):
            raise ReplyError(replies.NOT_OFFERED)
        if not self.offers_authentication:
            raise ReplyError(replies.TLS_FIRST)
        self.in_order(b"AUTH")
        if not rest:
            raise ReplyError(replies.ARGUMENT_MISSING)
        mechanism, _, initial_response = rest.partition(b" ")
        make_challenger = self.challengers.get(mechanism.upper())
        if make_challenger is None:
            raise ReplyError(replies.MECHANISM_UNKNOWN)
        self._authentication = Authentication(make_challenger())
        self._challenge(self._authentication.begin, initial_response.strip())

    def _challenge(self, step: Callable[[bytes], bytes | None], response: bytes) -> None:
        self._line = b""  # never to be logged
        authentication, self._authentication = self._authentication, None
        challenge = step(response)
        if challenge is not None:
            self._authentication = authentication
            self.say(Reply(334, "", challenge.decode()))
            return
        assert authentication is not None, "an exchange is under way"  # noqa: S101 -- for the type checker
        user = shown(authentication.challenger.username)
        login = self.portal.login(
            authentication.challenger, None, IMessageDeliveryFactory, IMessageDelivery
        )
        login.addCallbacks(self._cbAuthenticated, self._login_refused, errbackArgs=(user,))
        self.when(login, lambda _: self._logged_in(user))

    def _logged_in(self, user: str) -> None:
        self.events.publish(LoginAccepted(self.peer, user))
        self._no_stranger_now()
        self.user = user
        self._client = None
        self.say(replies.AUTHENTICATED)

    def _no_stranger_now(self) -> None:
        self.is_stranger = False
        if self._login_by and self._login_by.active():
            self._login_by.cancel()

    def _login_is_late(self) -> None:
        self.close_with(replies.NO_LOGIN, f"no login within {LOGIN_WITHIN:g} s")

    def _login_refused(self, failure: Failure, user: str) -> None:
        failure.trap(UnauthorizedLogin)
        self.events.publish(LoginRefused(self.peer, user))
        raise ReplyError(replies.WRONG_CREDENTIALS)
