"""What waits in the spool: a message, its recipients, and its deliveries.

A message is stored once; a delivery is one message times one account times one destination,
the unit that is scheduled, retried and moved.  Pure values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache

import attrs

from .dsn import Notify
from .envelope import Envelope
from .phase import Phase
from .reply import Reply

#: What a lane is known by: the name of its account, and the destination within that.
LaneKey = tuple[str, str]

#: Where a delivery stands in its lane: its due time and its number.
Position = tuple[float, int]
#: Before all deliveries.
FIRST_POSITION: Position = (0.0, 0)

#: Numbers of deliveries that a message has: from its own number, times this, on.
PLACES = 65_536
#: Recipients of one message.  Each may have a delivery of its own from the start, and one more when
#: it is divided later: see `Delivery.divided`.
MOST_RECIPIENTS = PLACES // 2

#: What a sender is told of replies: characters of each, and of how many.
LONGEST_TOLD, MOST_TOLD_REPLIES = 300, 50
#: A dot that SMTP added (RFC 5321, section 4.5.2), and the line end before it.
ADDED_DOT = b"\r\n."

#: So many numbers there are: the place of each delivery has to fit in 64 bits as well.
_NUMBERS = 2**47
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


# Six times for each mail, 0.6 us each without the cache.
@lru_cache(maxsize=1024)
def queue_id(number: int) -> str:
    """Return the text by which logs, replies and trace fields name a message.

    Crockford's base 32: no letter that a reader mistakes for a digit.
    """
    digits = ""
    while number:
        number, digit = divmod(number, 32)
        digits = _ALPHABET[digit] + digits
    return digits or "0"


def number_of(name: str) -> int | None:
    """Return the number of the message that a text names, in any case; ``None``: it is no name."""
    number = 0
    for digit in name.upper():
        value = _ALPHABET.find(digit)
        if value < 0:
            return None
        number = number * 32 + value
    return number if name and number < _NUMBERS else None


@attrs.frozen(kw_only=True)
class Recipient:
    """A forward-path that is not settled yet.

    :param address: as the client wrote it.
    :param reason: why this account carries it, in words.
    :param notify: of what the sender wants to be told; ``None``: it did not say (``NOTIFY``).
    :param original: type and address that the sender first wrote, as the client gave them
        (``ORCPT``).
    """

    address: str
    reason: str
    notify: Notify | None = None
    original: str = ""


@attrs.frozen(kw_only=True)
class Untold:
    """A recipient that is settled, of whom the sender is to be told, but was not yet.

    :param delivered: or else refused.
    """

    recipient: Recipient
    delivered: bool
    phase: Phase
    reply: Reply


@attrs.frozen(kw_only=True)
class Message:
    """One stored message; its content is read from the spool by its number.

    :param size: octets in wire form (CRLF, dot-stuffed, without the final dot).
    :param header_size: octets of the header block at the start of the content, its last CRLF
        included.
    :param arrived: seconds since the epoch.
    :param dots: octets that SMTP added to it, which SIZE does not count (RFC 1870, section 3).
        Counted when the mail is stored, since a long one is not read again before MAIL is said.
    """

    number: int
    envelope: Envelope
    size: int
    header_size: int
    arrived: float
    dots: int = 0

    @property
    def id(self) -> str:
        """The name of the message in logs, replies and trace fields."""
        return queue_id(self.number)


@attrs.frozen(kw_only=True)
class Delivery:
    """The recipients of a message that leave together, by one account.

    :param destination: where it goes within its account; ``""``: all mail of the account goes the
        same way.
    :param due: not to be tried before; seconds since the epoch.
    :param attempts: attempts that have failed so far.
    :param tried_at: when the last of them ended; 0 when there was none.
    :param waited: seconds that it had waited by then while the relay was running.
    :param tried: accounts that it was moved away from since it was last rescheduled.
    :param uncertain: an attempt may have delivered it (RFC 1047).  No other account may send it a
        second time: it might arrive again under another sender.
    :param warned: the sender was told that the mail is delayed.
    :param last_reply: what was said at the last failed attempt.
    :param untold: what the sender is told when it pauses, or ends: see `telling`.
    :param held: it waits until somebody releases it; see `IQueueView`.
    """

    number: int
    message: Message
    account: str
    destination: str = ""
    recipients: tuple[Recipient, ...]
    due: float
    attempts: int = 0
    tried_at: float = 0.0
    waited: float = 0.0
    tried: tuple[str, ...] = ()
    uncertain: bool = False
    warned: bool = False
    last_reply: str = ""
    untold: tuple[Untold, ...] = ()
    held: bool = False

    @property
    def lane(self) -> LaneKey:
        """The lane in which it waits."""
        return self.account, self.destination

    @property
    def position(self) -> Position:
        """Where it stands in its lane."""
        return self.due, self.number

    @property
    def position_after(self) -> Position:
        """Where the rest of its lane begins."""
        return self.due, self.number + 1

    def moved_to(self, lane: LaneKey, reason: str, due: float) -> Delivery:
        """Return it as somebody has moved it; all accounts may be its fallback again.

        :param reason: why the account of that lane carries the recipients.
        """
        account, destination = lane
        return attrs.evolve(
            self,
            account=account,
            destination=destination,
            recipients=tuple(attrs.evolve(each, reason=reason) for each in self.recipients),
            due=due,
            tried=(),
        )

    def divided(self, destination: Callable[[str], str]) -> tuple[Delivery, ...]:
        """Return it by the destinations of its recipients: one delivery for each.

        The first one goes on under its number, and has what is untold; the others are new.

        :param destination: returns that of an address, within the account.
        """
        groups: dict[str, list[Recipient]] = {}
        for each in self.recipients:
            groups.setdefault(destination(each.address), []).append(each)
        divided = [
            attrs.evolve(self, destination=where, recipients=tuple(group))
            for where, group in groups.items()
        ]
        # By its first recipient, who is in no other delivery, and stays in this one: what divides
        # recipients is their domain, and here they have the same.  So no number is given twice,
        # also when its delivery has ended: somebody may still mean the other one.
        base = self.message.number * PLACES + MOST_RECIPIENTS
        order = {each: n for n, each in enumerate(self.message.envelope.recipients)}
        for n, part in enumerate(divided[1:], 1):
            number = base + order[part.recipients[0].address]
            divided[n] = attrs.evolve(part, number=number, untold=())
        return tuple(divided)


@attrs.frozen(kw_only=True)
class Parcel:
    """Recipients of a new message that leave together, by one account.

    :param destination: see `Delivery`.
    """

    account: str
    recipients: tuple[Recipient, ...]
    destination: str = ""


@attrs.frozen(kw_only=True)
class NewMessage:
    """A whole new message of our own making: content, envelope and parcels.

    :param content: wire form, header block first.
    """

    envelope: Envelope
    content: bytes
    header_size: int
    parcels: tuple[Parcel, ...]


def parcels(recipients: Iterable[tuple[LaneKey, Recipient]]) -> tuple[Parcel, ...]:
    """Group recipients by account and destination, in order of first appearance."""
    groups: dict[LaneKey, list[Recipient]] = {}
    for lane, recipient in recipients:
        groups.setdefault(lane, []).append(recipient)
    return tuple(
        [
            Parcel(account=account, destination=destination, recipients=tuple(group))
            for (account, destination), group in groups.items()
        ]
    )
