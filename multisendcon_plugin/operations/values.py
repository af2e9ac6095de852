"""What is asked of operations, and what they answer: the names of the fields are those of the JSON.

Pure values; `json_form` makes JSON of them.  Other programs rely on each name.
"""

from __future__ import annotations

import enum

import attrs

from ..mail.envelope import Client
from ..outcome.condition import State
from ..times import Time

#: Marks a field whose own fields stand in its place in JSON.
FLAT = {"flat": True}


# What is asked.


class DeliveryState(enum.Enum):
    """What a delivery that is not settled waits for."""

    WAITING = "waiting"
    """For its due time, or its turn."""
    ACTIVE = "active"
    """It is being tried."""
    RESTING = "resting"
    """Its account does not send now, or not to its destination."""
    QUOTA = "quota"
    """The quota of its account has no room."""
    HELD = "held"
    """Until somebody releases it."""


@attrs.frozen(kw_only=True)
class Filter:
    """Deliveries of which all is true that is said; what is ``None`` says nothing.

    :param sender: reverse-path; ``""`` and ``"<>"`` are the null one.
    :param recipient: one who is not settled.
    :param older_than: a duration such as ``"1h"``, or a moment in ISO 8601 before which it arrived.
    :param younger_than: in the same way: arrived since then.
    """

    account: str | None = None
    sender: str | None = None
    recipient: str | None = None
    state: DeliveryState | None = None
    older_than: str | None = None
    younger_than: str | None = None
    destination: str | None = None


@attrs.frozen(kw_only=True)
class Chosen:
    """What is to be done something with: exactly one of the two has to be given.

    :param ids: of messages; all deliveries of each are meant.
    :param filter: has to say something.
    :param dry_run: only count.
    """

    ids: tuple[str, ...] | None = None
    filter: Filter | None = None
    dry_run: bool = False


@attrs.frozen(kw_only=True)
class Deletion:
    """What is to be deleted.

    :param notify: the senders get a report.
    """

    chosen: Chosen = attrs.field(metadata=FLAT)
    notify: bool = False


@attrs.frozen(kw_only=True)
class Move:
    """What is to be moved.

    :param to_account: name of the account by which it is to leave.
    :param force: whatever the masks of that account say.
    """

    chosen: Chosen = attrs.field(metadata=FLAT)
    to_account: str
    force: bool = False


@attrs.frozen(kw_only=True)
class HistoryFilter:
    """Stories of which all is true that is said.

    :param since: a duration such as ``"1h"``, or a moment in ISO 8601: arrived after that.
    :param until: in the same way: arrived before that.
    :param id: of a message.
    """

    sender: str | None = None
    recipient: str | None = None
    message_id: str | None = None
    account: str | None = None
    since: str | None = None
    until: str | None = None
    id: str | None = None


@attrs.frozen(kw_only=True)
class Question:
    """A mail of which `explain` is to say where and how it would leave.

    :param sender: reverse-path; ``""`` and ``"<>"`` are the null one.
    :param message: header and content, with CRLF or LF line ends; ``None``: a short one.
    """

    sender: str
    recipients: tuple[str, ...]
    message: str | None = None


@attrs.frozen(kw_only=True)
class AccountTest:
    """How an account is to be tested.

    :param to: a mail is sent to this address.
    :param sender: its reverse-path, ``from`` in JSON; ``None``: one that the account takes.
    :param connections: try how many connections the server allows.
    """

    to: str | None = None
    sender: str | None = attrs.field(default=None, metadata={"json": "from"})
    connections: bool = False


# What is answered.


@attrs.frozen(kw_only=True)
class WaitingRecipient:
    """A recipient who is not settled.

    :param reason: why this account carries it.
    """

    address: str
    reason: str
    last_reply: str


@attrs.frozen(kw_only=True)
class WaitingDelivery:
    """One row of the queue.

    :param id: of the message; several deliveries of it have the same.
    :param size: octets, as SMTP counts them.
    :param due: not tried before.
    :param attempts: that have failed.
    :param tried: accounts that it was moved away from since it was last rescheduled.
    :param fault: why its destination rests, of an account of type direct; ``""``: it does not, or
        its account does.
    :param until: when that rest ends.
    """

    id: str
    account: str
    destination: str
    state: DeliveryState
    sender: str
    recipients: tuple[WaitingRecipient, ...]
    size: int
    arrived: Time
    due: Time
    attempts: int
    last_reply: str
    message_id: str
    subject: str
    tried: tuple[str, ...]
    fault: str = ""
    until: Time | None = None


@attrs.frozen(kw_only=True)
class WaitingMessage:
    """A message in the queue; in JSON, the fields of `next` are its own.

    :param next: the delivery that is due first.
    :param header: the header block.
    :param client: ``None``: an application has handed it in, or the relay has made it.
    """

    next: WaitingDelivery = attrs.field(metadata=FLAT)
    deliveries: tuple[WaitingDelivery, ...]
    header: str
    client: Client | None


@attrs.frozen(kw_only=True)
class Changed:
    """What was done, or would be.

    :param changed: deliveries.
    :param ids: of their messages.
    :param missing: ids that were asked for, and are not in the queue.
    """

    changed: int
    ids: tuple[str, ...]
    missing: tuple[str, ...] = ()
    dry_run: bool = False


@attrs.frozen(kw_only=True)
class Quota:
    """How much of a quota is used.

    :param quota: as it is configured, such as ``"30 mails/1m"``.
    :param used: mails or recipients of the time that ends now; ``None``: the relay does not run.
    :param left: as many may be sent at once; ``None`` likewise.
    :param opens: when there is room again; ``None``: there is.
    """

    quota: str
    used: int | None
    left: int | None
    opens: Time | None


@attrs.frozen(kw_only=True)
class Login:
    """How the login of an account stands; nothing of it is secret.

    :param kind: ``"password"`` or ``"token"``.
    :param mailbox: the name to log in with.
    :param valid_until: the token is; ``None``: there is none.
    :param refreshed: when the token was got; ``None``: there is none.
    :param unused_since: when that with which tokens are got was used last; ``None``: it does not
        run out by that.
    :param expires: when the secret or certificate runs out with which tokens are got; ``None``:
        nobody has said so.
    :param trouble: why there is no new token, and what to do; ``""``: all is well.
    """

    kind: str
    mailbox: str
    valid_until: Time | None = None
    refreshed: Time | None = None
    unused_since: Time | None = None
    expires: Time | None = None
    trouble: str = ""


@attrs.frozen(kw_only=True)
class AccountCounts:
    """What came of the mail of an account since the relay was started.

    :param delivered: recipients, as for `deferred` and `failed`.
    :param rate: mails delivered per minute, on average of the last minutes.
    :param last_success: when a recipient was delivered; ``None``: never.
    :param last_failure: when an attempt ended with which nobody was.
    """

    delivered: int = 0
    deferred: int = 0
    failed: int = 0
    rate: float = 0.0
    last_success: Time | None = None
    last_failure: Time | None = None


@attrs.frozen(kw_only=True)
class AccountStatus:
    """How an account is; in JSON, the fields of `counts` are its own.

    :param fault: what is wrong with it; ``""``: nothing.
    :param since: when it came into this state; ``None``: before the relay was started.
    :param until: it begins no mail before; ``None``: that is not known.
    :param waiting: deliveries, also those that are being tried; not those that are held.
    :param oldest: when the oldest of those that wait arrived; ``None``: none waits.
    :param active: deliveries that are being tried.
    :param connections: sessions that are open.
    :param login: ``None``: it has none.
    :param resting_destinations: domains to which an account that delivers directly does not send
        now, while it does to all others.
    """

    name: str
    type: str
    enabled: bool
    state: State
    fault: str
    since: Time | None
    until: Time | None
    waiting: int
    held: int
    oldest: Time | None
    active: int
    connections: int
    counts: AccountCounts = attrs.field(metadata=FLAT)
    quota: tuple[Quota, ...] = ()
    login: Login | None = None
    resting_destinations: int = 0


class AlarmKind(enum.Enum):
    """What an alarm is about."""

    LOGIN = "login"
    """An account cannot log in, or may not send."""
    RESTING = "resting"
    """An account has been at fault for long."""
    QUOTA = "quota"
    """An account has used up its quota."""
    EXPIRES = "expires"
    """What an account logs in with runs out."""
    CERTIFICATE = "certificate"
    """A certificate of ours runs out, or cannot be read."""
    OLDEST_MAIL = "oldest_mail"
    """A mail waits for long."""
    SPOOL_FULL = "spool_full"
    """There is no room for new mail, or hardly any."""
    SPOOL_BROKEN = "spool_broken"
    """The spool cannot be believed any more."""
    HISTORY = "history"
    """The history lacks what happens now."""
    ARCHIVE = "archive"
    """Mail that is sent has no copies."""
    FRONT = "front"
    """The front process has ended, and is started again."""
    WEBHOOK = "webhook"
    """The webhook of alarms does not take them."""


@attrs.frozen(kw_only=True)
class Alarm:
    """What somebody is told of a trouble.

    :param account: which it is about; ``None``: about none.
    :param over: it has ended.
    """

    kind: AlarmKind
    account: str | None
    text: str
    since: Time
    over: bool = False


@attrs.frozen(kw_only=True)
class SpoolStatus:
    """How the spool is.

    :param full: there is no room for new mail.
    :param broken: nothing is written any more.
    :param error: what is wrong with it; ``""``: nothing.
    """

    full: bool
    broken: bool
    error: str


@attrs.frozen(kw_only=True)
class Status:
    """How the relay is.

    :param started: ``None``: it does not run, and only its spool was looked at.
    :param accepting: it takes new mail.
    :param waiting: deliveries of all accounts, as in `AccountStatus`.
    :param alarms: those that are not over.
    :param history: ``"on"``, ``"off"``, or what is wrong with it.
    :param front: the process that serves the clients is ``"running"`` or ``"restarting"``;
        ``"none"``: it is this one.
    """

    version: str
    started: Time | None
    accepting: bool
    waiting: int
    held: int
    oldest: Time | None
    accounts: tuple[AccountStatus, ...]
    alarms: tuple[Alarm, ...]
    history: str
    front: str
    spool: SpoolStatus
