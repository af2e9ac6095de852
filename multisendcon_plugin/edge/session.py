"""The commands of a session apart from mail: greeting, extensions, TLS, login.

RFC 5321 section 3.1, RFC 2034 (ENHANCEDSTATUSCODES), 3207 (STARTTLS), 4954 (AUTH).  The mail
transactions are in `transaction`.  Pure.
"""

from __future__ import annotations

from collections.abc import Callable

from ..mail.escaping import shown
from ..mail.message import MOST_RECIPIENTS
from ..mail.reply import Reply, ReplyError
from . import replies
from .authentication import Authentication
from .order import ORDER, State
from .talk import Talk
from .transaction import Transaction


class Session:
    """What a session is apart from its mails.

    :ivar user: who has logged in; ``""``: nobody.
    :ivar esmtp: the client has said EHLO, not HELO.
    :ivar login_begun: the client has begun a login.
    :ivar exchange: the one of AUTH that is under way, whose responses are no commands.
    """

    def __init__(self, talk: Talk, mail: Transaction) -> None:
        self._talk = talk
        self._connection = talk.connection
        self._mail = mail
        self._reader = talk.reader
        self.user = ""
        self.esmtp = False
        self.login_begun = False
        self.exchange: Authentication | None = None

    # Greeting and session.

    def greet(self) -> None:
        """Say the first words of the session."""
        self.forget_greeting()
        # RFC 2034 section 4: greeting, HELO and EHLO have no enhanced code.
        self._talk.say(Reply(220, "", f"{self._talk.policy.hostname} ESMTP ready"))

    def forget_greeting(self) -> None:
        """Wait for that of the client; one that is tolerated need not say it."""
        tolerance = self._talk.policy.tolerance
        self._talk.helo = tolerance.greeting(self._connection.peer) if tolerance else None
        self._mail.state = State.GREETED if tolerance else State.CONNECTED

    def helo(self, rest: bytes) -> None:
        self._greeted(rest, esmtp=False)
        self._talk.say(Reply(250, "", self._talk.policy.hostname))

    def ehlo(self, rest: bytes) -> None:
        self._greeted(rest, esmtp=True)
        lines = [self._talk.policy.hostname, *self._extensions()]
        self._talk.say(Reply(250, "", "\n".join(lines)))

    def _greeted(self, name: bytes, *, esmtp: bool) -> None:
        # RFC 5321 section 4.1.4: whatever name is taken, since mail must not be refused for it; and
        # it clears the transaction, like RSET.
        if not name:
            raise ReplyError(replies.ARGUMENT_MISSING)
        self._mail.give_up()
        self._mail.state = State.GREETED
        self._talk.helo = (name, self._connection.peer.encode())
        self.esmtp = esmtp

    def _extensions(self) -> list[str]:
        """Return what EHLO advertises, in the words of its reply."""
        settings, connection = self._talk.policy.settings, self._connection
        lines = [
            "PIPELINING",
            f"SIZE {settings.max_message_size}",
            "8BITMIME",
            *(["SMTPUTF8"] if settings.smtputf8 else []),
            "DSN",
            "ENHANCEDSTATUSCODES",
            "CHUNKING",
            f"LIMITS RCPTMAX={min(settings.max_recipients, MOST_RECIPIENTS)}",
        ]
        # RFC 3207 section 4.2, RFC 4954 section 4: what would be refused now is not offered.
        if connection.ctx and not (connection.secure or connection.authenticated):
            lines.append("STARTTLS")
        if self._has_logins and not connection.authenticated and self._may_log_in:
            lines.append("AUTH " + b" ".join(connection.challengers).decode())
        return lines

    def noop(self, rest: bytes) -> None:  # noqa: ARG002 -- any argument is allowed
        self._talk.say(replies.NOTHING_DONE)

    def vrfy(self, rest: bytes) -> None:
        if not rest:
            raise ReplyError(replies.ARGUMENT_MISSING)
        # RFC 5321 section 7.3: it looks nothing up, so it tells nobody which addresses there are.
        self._talk.say(replies.NOT_VERIFIED)

    def expn(self, rest: bytes) -> None:  # noqa: ARG002 -- there are no lists, whatever it asks
        raise ReplyError(replies.NOT_OFFERED)

    def help(self, rest: bytes) -> None:  # noqa: ARG002 -- any argument is allowed
        self._talk.say(replies.HELP)

    def quit(self, rest: bytes) -> None:
        if rest:
            raise ReplyError(replies.NO_ARGUMENT)
        self._talk.close_with(replies.GOOD_BYE)

    # TLS and login.

    def starttls(self, rest: bytes) -> None:
        connection = self._connection
        if rest:
            raise ReplyError(replies.NO_ARGUMENT)
        if connection.secure:
            raise ReplyError(replies.TLS_ALREADY)
        if connection.ctx is None:
            raise ReplyError(replies.NOT_OFFERED)
        if connection.authenticated:
            raise ReplyError(replies.AUTHENTICATED_ALREADY)
        if refusal := ORDER[b"STARTTLS"][self._mail.state]:
            raise ReplyError(refusal)
        if self._reader.octets:
            # Sent before the handshake, it would be carried out as though it came after it
            # (CVE-2011-0411).
            self._talk.close_with(replies.TLS_NOT_ALONE)
            return
        self._talk.say(replies.BEGIN_TLS)
        # Nothing that was said in the clear holds any longer (RFC 3207 section 4.2).
        self._mail.give_up()
        self.forget_greeting()
        if not self._talk.closed:
            connection.start_tls()

    @property
    def _has_logins(self) -> bool:
        return bool(self._connection.challengers and self._connection.portal)

    @property
    def _may_log_in(self) -> bool:
        return self._connection.secure or self._talk.policy.login_in_clear

    def auth(self, rest: bytes) -> None:
        self.login_begun = True
        if self._connection.authenticated:
            raise ReplyError(replies.AUTHENTICATED_ALREADY)
        if not self._has_logins:
            raise ReplyError(replies.NOT_OFFERED)
        if not self._may_log_in:
            raise ReplyError(replies.TLS_FIRST)
        if refusal := ORDER[b"AUTH"][self._mail.state]:
            raise ReplyError(refusal)
        if not rest:
            raise ReplyError(replies.ARGUMENT_MISSING)
        mechanism, _, initial_response = rest.partition(b" ")
        make_challenger = self._connection.challengers.get(mechanism.upper())
        if make_challenger is None:
            raise ReplyError(replies.MECHANISM_UNKNOWN)
        exchange = Authentication(make_challenger())
        self._challenge(exchange, exchange.begin, initial_response.strip())

    def respond(self, exchange: Authentication, response: bytes) -> None:
        """Take a response of the exchange that is under way."""
        self.exchange = None
        self._challenge(exchange, exchange.answer, response)

    def _challenge(
        self, exchange: Authentication, step: Callable[[bytes], bytes | None], response: bytes
    ) -> None:
        self._reader.shown = b""  # never to be logged
        challenge = step(response)
        if challenge is not None:
            self.exchange = exchange
            self._talk.say(Reply(334, "", challenge.decode()))
            return
        user = shown(exchange.challenger.username)
        connection = self._connection
        login = connection.login(exchange.challenger, user)
        connection.when(login, lambda _: self._logged_in(user))

    def _logged_in(self, user: str) -> None:
        self._connection.logged_in(user)
        self._talk.tarpit.is_stranger = False
        self.user = user
        self._talk.say(replies.AUTHENTICATED)
