"""A provider's mail server that takes every mail and remembers what it saw of it.

It runs the real code: Twisted's ESMTP server, mended as the master relay is, on a real socket.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import attrs
from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import (
    CramMD5Credentials,
    IUsernameHashedPassword,
    IUsernamePassword,
)
from twisted.cred.error import UnauthorizedLogin
from twisted.cred.portal import IRealm, Portal
from twisted.internet import ssl
from twisted.internet.defer import Deferred, DeferredList, maybeDeferred, succeed
from twisted.internet.interfaces import IAddress
from twisted.internet.task import deferLater
from twisted.mail.imap4 import PLAINCredentials
from twisted.mail.interfaces import IMessageDelivery, IMessageDeliveryFactory
from twisted.mail.smtp import IMessage, LOGINCredentials, SMTPFactory
from twisted.protocols.tls import TLSMemoryBIOFactory
from zope.interface import implementer

from ..edge.parameters import ForwardPath, ReversePath
from ..edge.policy import SessionPolicy
from ..edge.protocol import RelayESMTP
from ..events import Publisher
from ..mail.reply import Reply, ReplyError

_MECHANISMS = {
    "CRAM-MD5": CramMD5Credentials,
    "PLAIN": PLAINCredentials,
    "LOGIN": LOGINCredentials,
}


@attrs.frozen(kw_only=True)
class ReceivedMail:
    """What a provider saw of one mail.

    :param peer: the address that the connection came from.
    :param tls: the TLS version, ``""`` without TLS.
    :param username: who had logged in, ``""`` for nobody.
    :param session: the number of the session, from 1.
    :param mail_from_at: when MAIL was said; seconds of the provider's clock.
    :param received_at: when the final dot was seen.
    :param content: as a reader gets it: CRLF, not dot-stuffed.
    """

    peer: str
    helo: str
    tls: str
    username: str
    session: int
    mail_from_at: float
    received_at: float
    reverse_path: str
    recipients: tuple[str, ...]
    content: bytes


#: Asked before a command or a whole mail is answered: the phase ("login", "mail", "rcpt", "end")
#: and the username, the address or the content.  A `Reply` is said instead of the usual one; a
#: Deferred keeps the client waiting.
Answer = Callable[[str, str], Reply | Deferred[Any] | None]


class Provider(SMTPFactory):
    """A provider's mail server on a real socket.

    :param reactor: listens, and is the clock.
    :param users: logins by name; with some, mail is taken from nobody else.
    :param tls: see `Authority.server`; STARTTLS is offered with it.
    :param implicit_tls: sessions begin with TLS instead.
    :param mechanisms: logins on offer, of CRAM-MD5, PLAIN and LOGIN.
    :param answer: refuses, when it likes to.
    :param delay: seconds before MAIL is answered.
    :param received: called with each mail.
    :ivar mails: all mails so far.
    :ivar sessions: how many there were.
    """

    protocol: Any = RelayESMTP
    noisy = False

    def __init__(
        self,
        reactor: Any,
        *,
        hostname: str = "mx.provider.example",
        users: dict[str, str] | None = None,
        tls: ssl.CertificateOptions | None = None,
        implicit_tls: bool = False,
        mechanisms: Sequence[str] = ("CRAM-MD5", "PLAIN", "LOGIN"),
        answer: Answer | None = None,
        delay: float = 0.0,
        received: Callable[[ReceivedMail], None] | None = None,
    ) -> None:
        super().__init__()
        self.reactor = reactor
        self.hostname = hostname
        self.users = users or {}
        self.answer = answer
        self.delay = delay
        self.mails: list[ReceivedMail] = []
        self.sessions = 0
        self._tls = tls
        self._implicit_tls = implicit_tls
        self._mechanisms = mechanisms
        self._received = received
        self._port: Any = None
        self._open: set[Any] = set()
        self._awaited: list[tuple[int, Deferred[list[ReceivedMail]]]] = []

    @property
    def address(self) -> Any:
        """Where it listens."""
        return self._port.getHost()

    def listen(self, interface: str = "127.0.0.1", port: int = 0) -> int:
        """Begin to listen; return the port."""
        factory: Any = self
        if self._tls and self._implicit_tls:
            factory = TLSMemoryBIOFactory(self._tls, isClient=False, wrappedFactory=self)
        self._port = self.reactor.listenTCP(port, factory, interface=interface)
        return int(self._port.getHost().port)

    def stop(self) -> Deferred[Any]:
        """Listen no more, and cut all sessions off."""
        port, self._port = self._port, None
        sessions = tuple(self._open)
        for session in sessions:
            session.transport.abortConnection()
        stopped = maybeDeferred(port.stopListening) if port else succeed(None)
        return DeferredList([stopped, *(session.ended for session in sessions)])

    def wait_for(self, count: int) -> Deferred[list[ReceivedMail]]:
        """Wait until so many mails are here; the answer is all mails so far."""
        if len(self.mails) >= count:
            return succeed(self.mails)
        arrived: Deferred[list[ReceivedMail]] = Deferred()
        self._awaited.append((count, arrived))
        return arrived

    def buildProtocol(self, addr: IAddress | None) -> RelayESMTP:  # noqa: ARG002
        """Return the protocol of a new session."""
        self.sessions += 1
        challengers = {name.encode(): _MECHANISMS[name] for name in self._mechanisms}
        policy = SessionPolicy(
            hostname=self.hostname,
            login_in_clear=True,
            mechanisms=challengers if self.users else {},
            tls=None if self._implicit_tls else self._tls,
        )
        session: Any = self.protocol(policy, self.reactor, Publisher())  # nobody is told
        session.factory = self
        hooks = _Hooks(self, session, self.sessions)
        if self.users:
            session.portal = Portal(hooks, [hooks])
        else:
            session.deliveryFactory = hooks
        self._open.add(session)
        session.ended.addCallback(lambda _: self._open.discard(session))
        return cast("RelayESMTP", session)

    def record(self, mail: ReceivedMail) -> None:
        """Remember a mail."""
        self.mails.append(mail)
        if self._received:
            self._received(mail)
        for count, arrived in self._awaited:
            if count == len(self.mails):
                arrived.callback(self.mails)

    def ask(self, phase: str, about: str) -> Deferred[None]:
        """Fail with `ReplyError` if `answer` refuses."""
        asked: Deferred[Any] = succeed(None)
        if self.answer:
            asked = maybeDeferred(self.answer, phase, about)
        return asked.addCallback(_refuse)


def _refuse(reply: Reply | None) -> None:
    if reply:
        raise ReplyError(reply)


@implementer(ICredentialsChecker, IRealm, IMessageDeliveryFactory)
@attrs.define(eq=False)
class _Hooks:
    """Checks the login of one session, and makes its delivery hooks."""

    provider: Provider
    session: RelayESMTP
    number: int
    username: str = ""
    credentialInterfaces = (IUsernamePassword, IUsernameHashedPassword)

    def getMessageDelivery(self) -> _Delivery:
        return _Delivery(self)

    @property
    def tls(self) -> str:
        if not self.session.secure:
            return ""
        return str(self.session.transport.getHandle().get_protocol_version_name())

    def requestAvatar(self, avatar: Any, _: object, *__: object) -> Any:
        self.username = avatar.decode()
        return IMessageDeliveryFactory, self, lambda: None

    def requestAvatarId(self, credentials: Any) -> Any:
        asked = self.provider.ask("login", credentials.username.decode())
        return asked.addCallback(self._check, credentials)

    def _check(self, _: None, credentials: Any) -> bytes:
        username: bytes = credentials.username
        password = self.provider.users.get(username.decode())
        if password is None or not credentials.checkPassword(password.encode()):
            raise UnauthorizedLogin
        return username


@implementer(IMessageDelivery, IMessage)
class _Delivery:
    """One transaction, and its message."""

    def __init__(self, hooks: _Hooks) -> None:
        self._hooks = hooks
        self._provider = hooks.provider
        self._recipients: list[str] = []
        self._content = bytearray()

    @property
    def name(self) -> str:
        return f"mail-{len(self._provider.mails)}"

    def validateFrom(self, helo: tuple[bytes, bytes], origin: ReversePath) -> Any:
        self._helo, self._origin = helo, origin
        reactor = self._provider.reactor
        self._mail_from_at = reactor.seconds()
        asked = self._provider.ask("mail", origin.address)
        if self._provider.delay:
            asked.addCallback(lambda _: deferLater(reactor, self._provider.delay))
        return asked.addCallback(lambda _: origin)

    def validateTo(self, user: ForwardPath) -> Deferred[Callable[[], _Delivery]]:
        asked = self._provider.ask("rcpt", user.address)
        return asked.addCallback(self._recipient_taken, user)

    def _recipient_taken(self, _: None, user: ForwardPath) -> Callable[[], _Delivery]:
        self._recipients.append(user.address)
        return lambda: self

    def receivedHeader(self, *_: object) -> bytes:
        return b""

    def lineReceived(self, line: bytes) -> None:
        """A provider of ours adds nothing to the content."""

    def chunkReceived(self, chunk: bytes) -> None:
        self._content += chunk

    def eomReceived(self) -> Deferred[None]:
        received_at = self._provider.reactor.seconds()
        content = b"\r\n" + bytes(self._content)
        content = content.replace(b"\r\n.", b"\r\n")[2:]
        asked = self._provider.ask("end", content.decode("latin-1"))
        return asked.addCallback(self._taken, received_at, content)

    def _taken(self, _: None, received_at: float, content: bytes) -> None:
        hooks = self._hooks
        self._provider.record(
            ReceivedMail(
                peer=self._helo[1].decode(),
                helo=self._helo[0].decode(),
                tls=hooks.tls,
                username=hooks.username,
                session=hooks.number,
                mail_from_at=self._mail_from_at,
                received_at=received_at,
                reverse_path=self._origin.address,
                recipients=tuple(self._recipients),
                content=content,
            )
        )

    def connectionLost(self) -> None:
        self._content.clear()
