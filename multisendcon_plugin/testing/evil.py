"""A provider's mail server that misbehaves where its script says so, and nowhere else.

Built on Twisted's plain protocol class alone: it can break any rule of RFC 5321, and it runs in
memory with a clock as well as on a real socket.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from twisted.internet import ssl
from twisted.internet.defer import Deferred, DeferredList, maybeDeferred, succeed
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure

from ..mail.phase import Phase
from .misdeeds import Misdeed, Turn, behave
from .provider import ReceivedMail


class EvilProvider(Factory):
    """A provider's mail server with a script of misdeeds.

    :param reactor: listens, and is the clock.
    :param script: what it does wrong, by phase.  `Phase.TLS` is the answer to STARTTLS, or with
        `implicit_tls` the beginning of the session; `Phase.CONTENT` its first octets.
    :param tls: see `Authority.server`; STARTTLS is offered with it.
    :param implicit_tls: sessions begin with TLS instead.
    :param offers: of EHLO, beside STARTTLS and AUTH; any login is good.
    :ivar sessions: all so far.
    :ivar mails: what it took and acknowledged.
    :ivar unacknowledged: what it took whole, but did not, or not yet, say so.
    :ivar clear: every octet that came outside TLS.
    """

    noisy = False

    def __init__(
        self,
        reactor: Any,
        script: Mapping[Phase, Misdeed] | None = None,
        *,
        tls: ssl.CertificateOptions | None = None,
        implicit_tls: bool = False,
        offers: Sequence[str] = (),
    ) -> None:
        self.reactor = reactor
        self.script = dict(script or {})
        self.tls = tls
        self.implicit_tls = implicit_tls
        self.offers = [offer.encode() for offer in offers]
        self.sessions: list[EvilSession] = []
        self.mails: list[ReceivedMail] = []
        self.unacknowledged: list[ReceivedMail] = []
        self.clear = bytearray()
        self._port: Any = None

    def listen(self, interface: str = "127.0.0.1", port: int = 0) -> int:
        """Begin to listen; return the port."""
        self._port = self.reactor.listenTCP(port, self, interface=interface)
        return int(self._port.getHost().port)

    def stop(self) -> Deferred[Any]:
        """Listen no more, and cut all sessions off."""
        port, self._port = self._port, None
        for session in self.sessions:
            session.drop(reset=True)
        stopped = maybeDeferred(port.stopListening) if port else succeed(None)
        return DeferredList([stopped, *(session.ended for session in self.sessions)])

    def buildProtocol(self, addr: IAddress | None) -> EvilSession:  # noqa: ARG002
        """Return the protocol of a new session."""
        session = EvilSession(self)
        self.sessions.append(session)
        return session


class EvilSession(Protocol):
    """One session of an `EvilProvider`.

    :ivar lines: what the client said, without content.
    :ivar recipients: those of the mail under way that were accepted so far.
    :ivar said: what was said to the client since the last 354.
    :ivar ended: fires when the connection is gone.
    """

    transport: Any

    def __init__(self, provider: EvilProvider) -> None:
        self.provider = provider
        self.lines: list[bytes] = []
        self.said = b""
        self.ended: Deferred[None] = Deferred()
        self.secure = False
        self.instead_of_tls: bytes | None = None
        self.longest_content: int | None = None
        self._input = bytearray()
        self._reading = self._answering = self._in_content = self._taking = False
        self._calls: list[Any] = []
        self._helo = self._username = ""
        self._reset()

    # The connection.

    def connectionMade(self) -> None:
        if self.provider.implicit_tls:
            self._turn(Phase.TLS, b"", self._greet)
        else:
            self._greet()

    def _greet(self) -> None:
        if self.provider.implicit_tls:
            self._start_tls()
        self._turn(Phase.GREETING, _reply(220, b"mx.provider.example ESMTP"))

    def connectionLost(self, reason: Failure = connectionDone) -> None:  # noqa: ARG002
        for call in self._calls:
            if call.active():
                call.cancel()
        self.ended.callback(None)

    def drop(self, *, reset: bool) -> None:
        """End the connection."""
        self._answering = True
        if not self.ended.called:
            (self.transport.abortConnection if reset else self.transport.loseConnection)()

    def later(self, seconds: float, function: Callable[..., None], *arguments: Any) -> None:
        """Call a function, if the connection is still there then."""
        self._calls.append(self.provider.reactor.callLater(seconds, function, *arguments))

    def say(self, octets: bytes) -> None:
        """Say something."""
        self.said += octets
        self.transport.write(octets)

    def dataReceived(self, data: bytes) -> None:
        if not self.secure:
            self.provider.clear += data
        if self.instead_of_tls is not None:
            self.say(self.instead_of_tls)
            return
        self._input += data
        self._read()

    def read_on(self) -> None:
        """The answer is given: look at what the client says next."""
        self._answering = False
        self._read()

    def _read(self) -> None:
        if self._reading:
            return
        self._reading = True
        while self._input and not self._answering:
            if not (self._read_content() if self._in_content else self._read_line()):
                break
        self._reading = False

    def _read_line(self) -> bool:
        line, end, rest = self._input.partition(b"\r\n")
        if end:
            self._input = rest
            self.lines.append(bytes(line))
            self._command(bytes(line))
        return bool(end)

    def _turn(self, phase: Phase, usual: bytes, go_on: Callable[[], None] = lambda: None) -> None:
        self._answering = True
        self.provider.script.get(phase, behave)(Turn(self, usual, go_on))

    def _start_tls(self) -> None:
        self.secure = True
        self.transport.startTLS(self.provider.tls)

    # The dialogue.

    def _command(self, line: bytes) -> None:
        command, _, argument = line.partition(b" ")
        verb = command.upper().decode("latin-1")
        if verb in ("EHLO", "HELO"):
            self._helo = argument.decode("latin-1")
            self._turn(Phase.EHLO, _reply(250, b"mx.provider.example", *self._offers(verb)))
        elif verb == "STARTTLS" and self.provider.tls:
            self._turn(Phase.TLS, _reply(220, b"2.0.0 go ahead"), self._start_tls)
        elif verb == "AUTH":
            self._username = _username(argument)
            self._turn(Phase.LOGIN, _reply(235, b"2.7.0 welcome"))
        elif verb == "MAIL":
            self._turn(Phase.MAIL, _reply(250, b"2.1.0 sender ok"), lambda: self._begin(argument))
        elif verb == "RCPT" and self._reverse_path is not None:
            path = _path(argument)
            self._turn(
                Phase.RCPT,
                _reply(250, b"2.1.5 recipient ok"),
                lambda: self.recipients.append(path),
            )
        elif verb == "DATA" and self.recipients:
            self._turn(Phase.DATA, _reply(354, b"go ahead"), self._begin_content)
        elif verb == "RSET":
            self._turn(Phase.RSET, _reply(250, b"2.0.0 reset"), self._reset)
        elif verb == "QUIT":
            self._turn(Phase.QUIT, _reply(221, b"2.0.0 bye"), lambda: self.drop(reset=False))
        else:
            self.say(_reply(503, b"5.5.1 not now"))

    def _offers(self, verb: str) -> list[bytes]:
        if verb == "HELO":
            return []
        starttls = [b"STARTTLS"] if self.provider.tls and not self.secure else []
        # Offered in the clear too: a client must know better.
        return [*self.provider.offers, *starttls, b"AUTH PLAIN"]

    def _reset(self) -> None:
        self._reverse_path: str | None = None
        self.recipients: list[str] = []

    def _begin(self, argument: bytes) -> None:
        self._reset()
        self._reverse_path = _path(argument)
        self._mail_from_at = self.provider.reactor.seconds()

    def _begin_content(self) -> None:
        self.said = b""
        self._in_content = True
        self._begun = self._taking = False

    def _take(self) -> None:
        self._taking = True

    def _read_content(self) -> bool:
        """Read content; true when there may be more to read."""
        if not self._begun:
            self._begun = True
            self._input[:0] = b"\r\n"  # the first line may be the dot
            self._searched = 0
            self._turn(Phase.CONTENT, b"", self._take)
            return True
        if self.longest_content is not None and len(self._input) - 2 > self.longest_content:
            self.drop(reset=False)
            return False
        end = self._input.find(b"\r\n.\r\n", self._searched)
        if end < 0:
            self._searched = max(0, len(self._input) - 4)
            return False
        content = bytes(self._input[: end + 2])
        del self._input[: end + 5]
        self._in_content = False
        if self._taking:
            mail = self._mail(content.replace(b"\r\n.", b"\r\n")[2:])
            self.provider.unacknowledged.append(mail)
            self._turn(Phase.END, _reply(250, b"2.0.0 queued"), lambda: self._acknowledged(mail))
        return True

    def _acknowledged(self, mail: ReceivedMail) -> None:
        self.provider.unacknowledged.remove(mail)
        self.provider.mails.append(mail)
        self._reset()

    def _mail(self, content: bytes) -> ReceivedMail:
        handle = self.transport.getHandle() if self.secure else None
        return ReceivedMail(
            peer=self.transport.getPeer().host,
            helo=self._helo,
            tls=handle.get_protocol_version_name() if handle else "",
            username=self._username,
            session=self.provider.sessions.index(self) + 1,
            mail_from_at=self._mail_from_at,
            received_at=self.provider.reactor.seconds(),
            reverse_path=self._reverse_path or "",
            recipients=tuple(self.recipients),
            content=content,
        )


def _reply(code: int, *lines: bytes) -> bytes:
    *first, last = lines
    return b"".join([*(b"%d-%s\r\n" % (code, line) for line in first), b"%d %s\r\n" % (code, last)])


def _username(argument: bytes) -> str:
    """Read the argument of AUTH PLAIN (RFC 4616)."""
    with suppress(ValueError, IndexError):
        return b64decode(argument.split()[1]).split(b"\0")[1].decode("latin-1")
    return ""


def _path(argument: bytes) -> str:
    return argument.partition(b"<")[2].partition(b">")[0].decode("latin-1")
