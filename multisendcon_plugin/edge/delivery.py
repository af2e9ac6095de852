"""The delivery hook: which account takes each recipient, and the message on its way to the spool.

One `MessageDelivery` for each transaction.  It asks the account registry, which answers at once
and without side effects; the message is ours when the intake has committed it.
RFC 5321 section 4.4 (trace information) and 6.3 (loops), RFC 3848 (its keywords), RFC 6409 section
8 (what a submission lacks).
"""

from __future__ import annotations

import secrets
import sys
from collections.abc import Callable
from email.utils import formatdate
from functools import lru_cache

import attrs
from twisted.internet.defer import Deferred, fail
from twisted.mail.interfaces import IMessageDelivery, IMessageDeliveryFactory
from twisted.mail.smtp import IMessage
from zope.interface import implementer

from ..errors import AddressError
from ..interfaces import IIntake
from ..mail import header
from ..mail.address import destination_of, parse_mailbox
from ..mail.dsn import Notify
from ..mail.envelope import Client, Envelope
from ..mail.message import MOST_RECIPIENTS, Parcel, Recipient, parcels, queue_id
from ..mail.reply import Reply, ReplyError
from ..mail.submission_help import complete
from ..routing.registry import AccountRegistry, Route
from ..settings.values import MasterRelay
from . import replies
from .parameters import ForwardPath, ReversePath
from .rights import Rights
from .shown import name_shown

#: A recipient, and the account that takes it, as far as that is known before the header.
_Way = tuple[ForwardPath, Route | None]

#: How often a mail may come by here (RFC 5321 section 6.3).  Twice is no loop: lists and forwarders
#: send mail back to where it came from; nor is a few times, since relays behind each other may have
#: one hostname.  Two relays that point at each other end it after five rounds, long before
#: `max_received`.
MOST_PASSES = 5

_NULL = ReversePath(address="")
#: Octets that a recipient takes beside its text.
_OBJECTS_OF_RECIPIENT = 320


@attrs.define(eq=False)
class Routing:
    """By which accounts mail is routed now; also that of sessions which have begun before."""

    registry: AccountRegistry


@attrs.frozen
class TransactionPolicy:
    """What all transactions share, those of the same clients at least.

    :param wall: the clock; seconds since the epoch.
    :param completes: header fields that a mail lacks are added, and blind copies hidden; by default
        as `[master_relay]` says.
    :param success_reports: whoever hands mail in may have success reported to the sender.
    :param rights: of the client or user; ``None``: all.
    """

    settings: MasterRelay
    routing: Routing
    intake: IIntake
    wall: Callable[[], float]
    completes: bool = attrs.field()
    success_reports: bool = False
    rights: Rights | None = None

    @completes.default
    def _as_configured(self) -> bool:
        return self.settings.submission_help

    def date(self) -> str:
        """Return what time it is, for a header."""
        return _date(int(self.wall()))


# 4 us for each mail without the cache: half a percent of its CPU.
@lru_cache(maxsize=1)
def _date(second: int) -> str:
    return formatdate(second, localtime=True)


@implementer(IMessageDeliveryFactory)
@attrs.frozen
class MessageDeliveryFactory:
    """Makes the delivery hooks of one session.

    :param protocol: tells how the session speaks now, as a keyword of RFC 3848.
    :param client: tells who it is with.
    :param hold: takes memory for the mail, in octets; raises `ReplyError` when there is none.
    """

    policy: TransactionPolicy
    protocol: Callable[[], str]
    client: Callable[[], Client]
    hold: Callable[[int], None]

    def for_user(self, rights: Rights | None) -> MessageDeliveryFactory:
        """Return the same for a user who has logged in."""
        policy = attrs.evolve(self.policy, rights=rights, success_reports=True)
        return attrs.evolve(self, policy=policy)

    def getMessageDelivery(self) -> MessageDelivery:
        """Return the hook for the next transaction."""
        return MessageDelivery(self.policy, self.protocol, self.client, self.hold)


@implementer(IMessageDelivery)
@attrs.define(eq=False)
class MessageDelivery:
    """One transaction: its sender, and its recipients with their accounts."""

    _policy: TransactionPolicy
    _protocol: Callable[[], str]
    _client: Callable[[], Client | None]
    _hold: Callable[[int], None]
    _origin: ReversePath = attrs.field(default=_NULL, init=False)
    _routes: dict[str, _Way] = attrs.field(factory=dict, init=False)
    _message: IncomingMessage | None = attrs.field(default=None, init=False)

    def validateFrom(self, helo: tuple[bytes, bytes] | None, origin: ReversePath) -> ReversePath:
        """Take the sender; whether an account takes its mail depends on the recipient too.

        :raise ReplyError: the client may not use it, or has sent too many mails; or the spool is
            full: a client need not send all its content first.
        """
        # An application that submits a mail need not be spared the sending of it.
        if helo is not None and self._policy.intake.full:
            raise ReplyError(replies.SPOOL_FULL)
        rights = self._policy.rights
        if rights is not None:
            if not rights.admits(origin.address):
                raise ReplyError(_not_permitted(550, rights, f"<{_shown(origin.address)}>"))
            if (rate := rights.count_mail()) is not None:
                limit = f"{rate.key} ({rate.most})"
                raise ReplyError(Reply(451, "4.7.1", f"{limit} reached, try again in a minute"))
        self._origin = origin
        return origin

    def validateTo(self, user: ForwardPath) -> Callable[[], IncomingMessage]:
        """Choose the account for a recipient; all recipients get the same message.

        The null reverse-path is routed when the header is here, see `IncomingMessage`.

        :raise ReplyError: no account takes mail from this sender to this recipient, there is no
            memory for it, or there are more recipients than a message can have deliveries.
        """
        if len(self._routes) >= MOST_RECIPIENTS:
            raise ReplyError(replies.TOO_MANY_RECIPIENTS)
        # Here, and not when the mail has come: a client that is refused one recipient knows which.
        sender, recipient = self._origin.address, user.address
        route = self._policy.routing.registry.route(sender, recipient) if sender else None
        if sender and route is None:
            raise ReplyError(_no_account(sender, recipient))
        # Not their lengths: one character can make all others of a text take four octets.
        text = sys.getsizeof(recipient) + sys.getsizeof(user.original)
        self._hold(_OBJECTS_OF_RECIPIENT + text)
        self._routes[recipient] = (user, route)
        return self._the_message

    def _the_message(self) -> IncomingMessage:
        if self._message is None:
            self._message = IncomingMessage(
                self._policy, self._origin, self._routes, self._client(), self._hold
            )
        return self._message

    def receivedHeader(
        self,
        helo: tuple[bytes, bytes] | None,
        origin: ReversePath,  # noqa: ARG002 -- the trace field keeps the sender to itself
        recipients: list[object],  # noqa: ARG002 -- and the recipients, who may be blind copies
    ) -> bytes:
        """Return our trace field (RFC 5321 section 4.4), without its last CRLF.

        Who has logged in does not stand there: it is for the log and the spool, not for recipients.

        :param helo: the client's name and address; ``None``: there was no client.
        """
        way = b""
        if helo is not None:
            name, peer = helo
            literal = b"IPv6:" + peer if b":" in peer else peer
            way = b"from %s ([%s])\r\n\t" % (name_shown(name), literal)
        protocol = self._protocol()
        return b"Received: %sby %s%s id %s;\r\n\t%s" % (
            way,
            self._policy.settings.hostname.encode(),
            b" with " + protocol.encode() if protocol else b"",
            (self._message or self._the_message()).name.encode(),
            self._policy.date().encode(),
        )


@implementer(IMessage)
class IncomingMessage:
    """The content of a transaction on its way into a draft, our trace field on top."""

    def __init__(
        self,
        policy: TransactionPolicy,
        origin: ReversePath,
        routes: dict[str, _Way],
        client: Client | None,
        hold: Callable[[int], None],
    ) -> None:
        self._policy = policy
        self._client = client
        self._hold = hold
        self._origin = origin
        self._routes = routes
        self._draft = policy.intake.draft()
        # In logs, replies and trace fields.
        self.name = queue_id(self._draft.number)
        self._trace = b""
        self._start = bytearray()
        self._look_again_at = 0
        self._header: bytes | None = None

    def lineReceived(self, line: bytes) -> None:
        """Take our trace field."""
        self._trace = line + b"\r\n"

    def chunkReceived(self, chunk: bytes) -> Deferred[None] | None:
        """Take content in wire form; the header block is kept together.

        :raise ReplyError: the header is too large or there is no memory for it, the mail has come
            round in a loop, or the client may not be its author.
        """
        if self._header is not None:
            return self._draft.write(chunk)
        self._start += chunk
        if len(self._start) < self._look_again_at:
            return None
        if header.header_complete(self._start):
            return self._write_start()
        if len(self._start) > self._policy.settings.max_header_size:
            raise ReplyError(replies.HEADER_TOO_LARGE)
        # Not at each chunk: a header that comes octet by octet must not cost its square.
        self._make_room(2 * len(self._start))
        return None

    def _make_room(self, size: int) -> None:
        """Hold memory for the header, of which as much as this is here or may soon be."""
        if size > self._look_again_at:
            self._hold(size - self._look_again_at)
            self._look_again_at = size

    def _write_start(self) -> Deferred[None] | None:
        start = bytes(self._start)
        self._start.clear()
        top = header.insertion_point(start)
        separator = b"\r\n" if header.separator_needed(start) else b""
        start = start[:top] + self._trace + separator + start[top:]
        end = header.header_end(start)
        block = start[:end]
        if end > self._policy.settings.max_header_size:
            raise ReplyError(replies.HEADER_TOO_LARGE)
        self._make_room(end)
        hops = header.count_received(block)
        if hops > self._policy.settings.max_received:
            raise ReplyError(replies.LOOP)
        if hops > MOST_PASSES < header.count_passes(block, self._policy.settings.hostname.encode()):
            raise ReplyError(replies.LOOP_HERE)
        if header.addresses_exceed(block):
            raise ReplyError(replies.TOO_MANY_AUTHORS)
        rights = self._policy.rights
        rest = start[end:]
        if rights is not None and rights.bind_authors:
            _check_authors(block, rights)
            if rest and not rest.startswith(b"\r\n"):
                # Some readers go on behind a line that is no field, to another "From:": see
                # `header_end`.
                rest = b"\r\n" + rest
        if self._policy.completes:
            # Unique beyond the life of a spool; the name is for those who search in logs.  It is
            # stored with the mail: each attempt, and each account, sends the same one.
            message_id = f"<{self.name}.{secrets.token_hex(8)}@{self._policy.settings.hostname}>"
            block = complete(
                block,
                author=self._origin.address,
                date=self._policy.date(),
                message_id=message_id,
            )
        self._header = block
        return self._draft.write(block + rest)

    def eomReceived(self) -> Deferred[None]:
        """Commit the message.

        Fails with `ReplyError` when it cannot be routed, or `SpoolError` when it cannot be stored.
        """
        try:
            if self._header is None:
                self._write_start()
            longest = self._policy.settings.max_command_line
            author = "" if self._origin.address else author_of(self._header or b"", longest)
            by_account = self._parcels(author)
        except Exception:
            self._draft.discard()
            return fail()
        origin = self._origin
        block = self._header or b""
        message_id, subject = header.identity(block)
        envelope = Envelope(
            reverse_path=origin.address,
            recipients=tuple(self._routes),
            eight_bit=origin.eight_bit,
            utf8=origin.utf8,
            author=author,
            returns=origin.returns,
            envelope_id=origin.envelope_id,
            client=self._client,
            message_id=message_id,
            subject=subject,
        )
        committed: Deferred[None] = self._policy.intake.commit(
            self._draft,
            envelope,
            len(block),
            by_account,
        )
        return committed

    def _parcels(self, author: str) -> tuple[Parcel, ...]:
        """Return the recipients by account and destination.

        The null reverse-path is routed by ``From:``.
        """
        registry = self._policy.routing.registry
        routed = []
        for path, known in self._routes.values():
            route = known or registry.route_null(author, path.address)
            if route is None:
                raise ReplyError(_no_account(author, path.address))
            notify = path.notify
            if notify is not None and not self._policy.success_reports:
                # Nobody knows whether the sender is who is to be told: reports of success to a
                # forged one would be a weapon.  The word is left out here, so that no server behind
                # us reports in our place; whoever wanted nothing else is told nothing.  All other
                # wishes are obeyed.
                notify &= ~Notify.SUCCESS
            recipient = Recipient(
                address=path.address, reason=route.reason, notify=notify, original=path.original
            )
            destination = destination_of(path.address) if route.direct else ""
            routed.append(((route.account, destination), recipient))
        return parcels(routed)

    def connectionLost(self) -> None:
        """Forget the message: its end never came, or it was refused."""
        self._draft.discard()


def author_of(block: bytes, longest: int) -> str:
    """Return the first address of ``From:``; ``""`` when it could not be a reverse-path.

    :param longest: characters; the registry is to see no address that is longer than an envelope's.
    """
    address = header.first_address(block)
    if len(address) > longest:
        return ""
    try:
        return parse_mailbox(address)
    except AddressError:
        return ""


def _no_account(sender: str, recipient: str) -> Reply:
    who = f"from <{_shown(sender)}> to <{_shown(recipient)}>"
    return Reply(550, "5.7.1", f"no account is configured for mail {who}")


def _check_authors(block: bytes, rights: Rights) -> None:
    for author in header.authors(block):
        if not author:
            raise ReplyError(_not_permitted(554, rights, "what From: has beside its addresses"))
        if not rights.admits(author):
            raise ReplyError(_not_permitted(554, rights, f"From: <{_shown(author)}>"))


def _not_permitted(code: int, rights: Rights, what: str) -> Reply:
    return Reply(code, "5.7.1", f"{_shown(rights.who)} may not send as {what}")


def _shown(address: str) -> str:
    """Return an address for a line of a reply: ASCII, and short enough for two (RFC 5321 4.5.3)."""
    return address.encode("ascii", "backslashreplace").decode()[:200]
