"""The contracts between the rooms: edge, spool, queue and relay know only these of each other.

Nothing here does anything.  Numbers named "time" are seconds since the epoch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from twisted.internet.defer import Deferred
from zope.interface import Attribute, Interface

from ..errors import SpoolError
from ..mail.envelope import Envelope
from ..mail.json_form import Texts
from ..mail.message import FIRST_POSITION, Delivery, LaneKey, Message, Parcel, Position
from ..mail.selection import Page, Selection, StoreFigures, Total
from ..outcome.attempt import Attempt, Outcome
from ..outcome.condition import Condition, Rest
from ..outcome.settlement import AccountState, Settlement
from ..outcome.usage import Usage, UsageClock, UsageLog
from ..routing.account import Account


class IContent(Interface):
    """The content of one message in wire form, read once from start to end."""

    def read() -> bytes | Deferred[bytes]:
        """Return the next piece, ``b""`` after the last.

        The answer is at hand or comes later; the next call comes after it.  Fails with
        `SpoolError`.
        """

    def close() -> None:
        """Stop reading before the end.  Allowed at any time, more than once."""


class IDraft(Interface):
    """A message that is still arriving.  Nothing of it outlives a crash before `commit`."""

    number = Attribute(
        "``int``: the number that the message will have; also names it to the client"
    )

    def write(data: bytes) -> Deferred[None] | None:
        """Add content in wire form.

        :return: ``None``, or a Deferred which fires when more may be written (back-pressure).
            A failed disk is reported when it is committed, not here.
        """

    def discard() -> None:
        """Forget the message.  Allowed at any time before `commit`, more than once."""


class Commit(NamedTuple):
    """A message that is whole, and is to be made durable.

    :param header_size: octets of the header block at the start of its content.
    :param texts: of envelope and parcels, as they are stored.
    """

    draft: IDraft
    envelope: Envelope
    header_size: int
    parcels: tuple[Parcel, ...]
    texts: Texts


#: The deliveries of a new message that has become durable, one for each parcel, or why nothing has.
Committed = tuple[Delivery, ...] | SpoolError


class WaitingInLane(NamedTuple):
    """What waits in one lane.

    :param mails: how many deliveries; at least 1.
    :param first: when the first of them is due, as `last`.
    """

    mails: int
    first: float
    last: float


class IStore(Interface):
    """The durable store of messages and deliveries.

    `tests/contracts` says in tests what every implementation keeps.  What cannot be written any
    more, whatever is tried, fails with `SpoolBrokenError`.
    """

    def draft(number: int | None = None) -> IDraft:
        """Begin a message.

        :param number: was given elsewhere, see `spool.numbering`; ``None``: one is given here.  If
            it is in use already, the draft is never committed.
        """

    def commit(commits: Sequence[Commit]) -> Deferred[list[Committed]]:
        """Make messages durable, together; one that fails takes no other with it.

        :return: what came of each, once it would survive a power cut; of one that is not stored,
            `SpoolFullError` or another `SpoolError`.
        """

    def settle(settlements: Sequence[Settlement]) -> Deferred[list[Committed]]:
        """Record what came of deliveries: of each of them, all or nothing.

        What remains of a delivery, the reports it caused and the state of its account become
        durable together; a message without deliveries is forgotten.  If one cannot be recorded, the
        others are.

        :return: for each, in the same order, the deliveries of its reports, or why it is not
            recorded.  Never fails.
        """

    def waiting(
        lane: LaneKey, limit: int, since: Position = FIRST_POSITION
    ) -> Deferred[tuple[Delivery, ...]]:
        """Read the deliveries of a lane, the earliest due first, at most `limit`.

        Those that are held are in no lane.

        :param since: leave out those that come before.
        """

    def bring_forward(lane: LaneKey, latest: float) -> Deferred[None]:
        """Let no delivery of a lane be due later than that."""

    def account_states() -> Deferred[dict[str, AccountState]]:
        """Read the state of each account that has left any.

        After a crash some of it may be missing, and if the clock was set its times are wrong: the
        caller must then count from its own start.  See `IClaims`.
        """

    def pauses() -> Deferred[dict[str, float]]:
        """Read which accounts somebody has paused, and since when."""

    def pause(account: str, since: float) -> Deferred[None]:
        """Note that an account is paused, until `resume`; also after a crash."""

    def resume(account: str) -> Deferred[None]:
        """Note that an account is not paused any more."""

    def usage() -> Deferred[UsageLog]:
        """Read what is known of the use of quotas; after a crash, too, nothing of it is missing."""

    def count(usages: Sequence[Usage], clock: UsageClock | None, awaited: bool) -> Deferred[None]:
        """Write use of quotas down, all or nothing: each in the place of the same one before.

        :param clock: gives all times from now on, and nothing stays but what is written now;
            ``None``: the same as before.
        :param awaited: a mail waits for it.
        """

    def content(message: Message) -> IContent:
        """Begin to read a message's content."""

    def heartbeat() -> Deferred[None]:
        """Fire when all that was to be written before has been, or could not be.

        Never fails: who asks wants to know that the store does not hang.
        """

    def figures() -> Deferred[StoreFigures]:
        """Return how large it is, and how it is written."""


class IQueueReading(Interface):
    """The deliveries in a store as an admin sees them, whatever their lane.

    Long listings are read in pieces.
    """

    def find(selection: Selection, limit: int, after: int = 0) -> Deferred[Page]:
        """Read a piece of the deliveries that are selected, also held ones.

        :param limit: how many at most; at least 1.
        :param after: of the `Page` before.
        """

    def last() -> Deferred[int]:
        """Return the greatest number of a delivery; 0: there is none."""

    def totals() -> Deferred[dict[str, Total]]:
        """Return what waits for each account that has any, by name.

        It is counted in pieces: what changes lanes meanwhile may be counted twice, or not at all.
        """

    def ages(moments: Sequence[float]) -> Deferred[dict[str, tuple[int, ...]]]:
        """Return how many deliveries of each account arrived when, also held ones; by name.

        It is counted in pieces, as for `totals`.

        :param moments: in seconds since the epoch, rising.
        :return: how many arrived before the first one, then between two, and last since the last.
            A mail whose transfer took long may be counted with those before it.
        """


class IQueueView(IQueueReading):
    """What changes the deliveries in the store by hand.

    Each change is one transaction that leaves alone what is not there any more: it takes the
    numbers of deliveries, and answers those that it has changed, as they are now.  The lanes know
    nothing of it: what changes deliveries that they may have in memory is `IQueueControl`.
    """

    def read(numbers: Sequence[int]) -> Deferred[tuple[Delivery, ...]]:
        """Read the deliveries that are still there of some."""

    def hold(numbers: Sequence[int]) -> Deferred[tuple[Delivery, ...]]:
        """Let deliveries wait until they are released: they are in no lane.

        They stay so over restarts, and when they are settled: a move is a settlement as well.
        """

    def release(numbers: Sequence[int]) -> Deferred[tuple[Delivery, ...]]:
        """Let deliveries that are held wait in their lanes again, due as they were."""

    def retry(numbers: Sequence[int]) -> Deferred[tuple[Delivery, ...]]:
        """Let deliveries be due by now, unless they are held."""


class IQueueControl(Interface):
    """What an admin does with the queue of a relay that runs.

    What takes numbers of deliveries answers those that it has changed, once that is durable.  An
    attempt that is under way ends first: what it has settled is not there any more.  Nothing is
    sent twice, and nothing is lost.
    """

    def hold(numbers: Sequence[int]) -> Deferred[tuple[int, ...]]:
        """See `IQueueView`, as for `release`."""

    def release(numbers: Sequence[int]) -> Deferred[tuple[int, ...]]:
        """Let deliveries wait in their lanes again."""

    def retry(numbers: Sequence[int]) -> Deferred[tuple[int, ...]]:
        """Let deliveries be due now, unless they are held; an account that rests is probed."""

    def move(numbers: Sequence[int], account: str, reason: str) -> Deferred[tuple[int, ...]]:
        """Move deliveries to another account, due now, whatever its masks say.

        :param reason: why that account carries the recipients.
        """

    def delete(numbers: Sequence[int], notify: bool) -> Deferred[tuple[int, ...]]:
        """Delete deliveries.

        :param notify: the sender gets a report.
        """

    def under_way() -> frozenset[int]:
        """Return the numbers of the deliveries that are being tried."""

    def rest(account: str, destination: str) -> Rest | None:
        """Return the rest of one destination of an account; ``None``: it has none of its own."""

    def conditions(accounts: Iterable[Account] | None = None) -> list[Condition]:
        """Return how each of some accounts is, or of all, in order of priority."""

    def pause(account: str) -> Deferred[None]:
        """Let an account begin no mail until `resume`, also over restarts."""

    def resume(account: str) -> Deferred[None]:
        """Let an account that was paused go on."""

    def probe(account: str) -> Deferred[None]:
        """Try one mail of an account that rests, now."""


class IClaims(Interface):
    """Which lanes this relay delivers, and from when to when.

    A spool on a local disk belongs to one process as a whole, from `open` to `close`.
    """

    def open() -> None:
        """Take hold of the store and sweep up messages that never became whole.

        :raise SpoolLockedError: another process has it.
        :raise SpoolError: it cannot be used.
        """

    def close(*, clean: bool = True) -> Deferred[None]:
        """Finish what is being written and let go of the store.

        :param clean: the times in it are right.
        """

    clean = Attribute("``bool``: the store was closed `clean` before it was opened")

    def lanes() -> Deferred[dict[LaneKey, WaitingInLane]]:
        """Tell what waits in each lane of ours in which anything does."""


class ISpool(IStore, IQueueView, IClaims):
    """All of a spool; who needs a part of it asks for that part."""


class IIntake(Interface):
    """Takes over messages: what the edge, and an application that hands mail in, talk to."""

    full = Attribute("``bool``: there was no room for the last message, a short time ago")

    def draft(number: int | None = None) -> IDraft:
        """Begin a message.  Its content is written to the draft.

        :param number: see `IStore.draft`.
        """

    def commit(
        draft: IDraft, envelope: Envelope, header_size: int, parcels: tuple[Parcel, ...]
    ) -> Deferred[None]:
        """Make the message durable and responsible for its delivery.

        Fails with `SpoolFullError` or another `SpoolError`; then the message is not ours.
        """


class IBatchIntake(IIntake):
    """An intake that takes over what comes in one turn as one list."""

    def commit_all(commits: Sequence[Commit]) -> Deferred[list[SpoolError | None]]:
        """Make messages durable, and be responsible for their delivery.

        One that fails takes no other with it.

        :return: for each why it is not ours; ``None``: it is.
        """


class ICopy(Interface):
    """The copy of a mail that is being sent.  Nothing here blocks, or fails."""

    def write(octets: bytes) -> None:
        """Take a piece of what is sent, in wire form."""

    def end(outcomes: tuple[Outcome, ...], session: str) -> None:
        """Keep it if the server has the mail, or may have it; else have it never been.

        :param session: the ends of the connection, in words.
        """

    def discard() -> None:
        """Have it never been."""


class IArchive(Interface):
    """Keeps copies of outgoing mail."""

    def begin(delivery: Delivery, reverse_path: str) -> ICopy | None:
        """Begin the copy of a mail that is about to be sent.

        :param reverse_path: as it leaves.
        :return: ``None``: none is kept.
        """


class IRelay(Interface):
    """Carries deliveries to the server of one account."""

    connections = Attribute("``int``: sessions that are open, also those that are idle")
    idle = Attribute("``int``: sessions that are kept for the next mails")

    def attempt(delivery: Delivery, open_content: Callable[[], IContent]) -> Deferred[Attempt]:
        """Try a delivery once.  Never fails: what the server does is in the `Attempt`.

        As many may be under way as the account may have connections.

        :param open_content: begins to read the message; called once for each session that is tried.
        """

    def probe(destination: str) -> None:
        """Let the next attempts for a destination try servers that rest, too, for an admin."""

    def reconfigured(account: Account) -> IRelay:
        """Go on with other settings of the account.

        :return: what carries its mail from now on: this one, where its sessions are good for that;
            else another one, and this one drains.  Both together have no more connections than the
            account may have.
        """

    def drain() -> None:
        """Close each connection when it is not needed any more: after the mail that is on its way.

        An attempt that has no session yet fails.
        """

    def stop(grace: float) -> Deferred[None]:
        """Close all connections.

        :param grace: seconds that a mail which is on its way may take to finish.
        """
