"""Facts about mails, accounts, the spool and the program.  Times are seconds since the epoch."""

from __future__ import annotations

import attrs

from ..mail.message import Delivery, Message
from ..outcome.attempt import AccountFault, Attempt, Outcome, Verdict
from ..outcome.failure import Action
from ..outcome.judgement import Judgement
from ..times import Time

# Mails.


@attrs.frozen
class MailAccepted:
    """A message is ours, and durable.

    :param deliveries: of one message; with its recipients, their accounts, and why these.
    """

    deliveries: tuple[Delivery, ...]


@attrs.frozen
class Result:
    """What an attempt came to for some recipients.

    :param reply: as text.
    :param waits: it goes on for them.
    :param split: they were too many for this transaction, and are left to another one.
    """

    verdict: Verdict
    reply: str
    waits: bool
    split: bool
    recipients: list[str]


@attrs.frozen
class AttemptEnded:
    """A delivery was tried.

    :param delivery: as it was before.
    :param judgement: what follows; the spool has it soon, if it can.
    :ivar results: what became of the recipients; those of whom the same is to be said are one.
    """

    delivery: Delivery
    attempt: Attempt
    judgement: Judgement
    at: float
    # Once for all who are told: the log, the history, and who follows what happens.
    results: list[Result] = attrs.field(init=False, eq=False, repr=False)

    @results.default
    def _results(self) -> list[Result]:
        failed = frozenset(self.judgement.failed)
        found: dict[tuple[Verdict, str, bool, bool], Result] = {}
        for outcome in self.attempt.outcomes:
            verdict, waits = outcome.verdict, False
            if verdict is not Verdict.DELIVERED:
                waits = outcome not in failed
                if not waits:
                    verdict = Verdict.FAILED
                elif outcome.action is Action.MOVE:
                    verdict = Verdict.DEFERRED
            same = verdict, str(outcome.reply), waits, waits and outcome.action is Action.SPLIT
            result = found.get(same)
            if result is None:
                result = found[same] = Result(*same, [])
            result.recipients.append(outcome.recipient.address)
        return list(found.values())


@attrs.frozen
class DeliveryMoved:
    """A delivery goes to another account.

    :param delivery: as it was before.
    :param account: where it goes.
    :param reason: why, if somebody wants it; ``""``: its own account rests.
    """

    delivery: Delivery
    account: str
    reason: str = ""


@attrs.frozen
class DeliveryHeld:
    """A delivery waits until somebody releases it, since somebody wants that."""

    delivery: Delivery


@attrs.frozen
class DeliveryReleased:
    """A delivery that was held waits in its lane again."""

    delivery: Delivery


@attrs.frozen
class DeliveryDeleted:
    """A delivery is gone, since somebody wants that.

    :param notified: its sender gets a report.
    """

    delivery: Delivery
    notified: bool


@attrs.frozen
class ReportQueued:
    """A report on a message waits to be delivered.

    :param about: a delivery of that message.
    :param report: the delivery of the report.
    """

    about: Delivery
    report: Delivery


@attrs.frozen
class FailureUntold:
    """A mail has failed for some recipients, and there is nobody to be told."""

    message: Message
    outcomes: tuple[Outcome, ...]


@attrs.frozen
class ReportWithheld:
    """Who would get a report has had as many in the last hour as ``max_per_hour`` allows."""

    message: Message
    recipient: str
    per_hour: int


@attrs.frozen
class ReportUnroutable:
    """No account takes a report.

    :param about: the id of the message that it reports on, or what else it is about.
    """

    about: str
    sender: str
    recipient: str


# Accounts.


@attrs.frozen
class AccountFaulted:
    """An account cannot be used, and begins no mail for a while.

    :param until: by the clock on the wall.
    :param changed: it was fit before, or the fault was of another kind.
    """

    account: str
    fault: AccountFault
    until: float
    changed: bool


@attrs.frozen
class AccountRecovered:
    """An account works again.

    :param unproven: it is as before its first mail, since it has another server or login now.
    """

    account: str
    unproven: bool = False


@attrs.frozen
class AccountPaused:
    """An account begins no mail until somebody resumes it, since somebody wants that."""

    account: str


@attrs.frozen
class AccountResumed:
    """An account that was paused is not any more."""

    account: str


@attrs.frozen
class ConnectionsLimited:
    """A server refuses more connections than these.

    :param lasts: seconds after which one more is tried.
    """

    account: str
    allowed: int
    configured: int
    lasts: float


# The spool.


@attrs.frozen
class SpoolBroken:
    """The spool can no longer be believed, until a restart.

    :param writes: what is there can still end; else nothing is written any more.
    :param advice: how to recover it, if it is damaged.
    """

    file: str
    error: str
    writes: bool
    advice: str


@attrs.frozen
class SpoolFull:
    """There is no room for new mail."""

    error: str


@attrs.frozen
class SpoolHasRoom:
    """There is room for new mail again."""


# The archive.


@attrs.frozen
class ArchiveFailed:
    """A copy of a mail that was sent is not kept; told once, until `ArchiveRecovered`."""

    error: str


@attrs.frozen
class ArchiveRecovered:
    """Copies are kept again.

    :param missing: how many were not.
    """

    missing: int


# The history.


@attrs.frozen
class HistoryInterrupted:
    """The history lacks what happens from now on, or has lost what it had; mail goes on.

    :param why: and what was done, in words.
    """

    why: str


@attrs.frozen
class HistoryResumed:
    """The history is written again.

    :param left_out: so many events are missing in it.
    """

    left_out: int


# The program.


@attrs.frozen(kw_only=True)
class ConfigurationChanged:
    """Another configuration holds from now on.

    :param added: names of accounts, as are the others.
    :param changed: with other settings than before.
    """

    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]


@attrs.frozen
class FrontProcessEnded:
    """The process that serves the clients has ended by itself, or could not be started.

    :param pause: seconds until another one is started.
    """

    why: str
    pause: float


@attrs.frozen
class FrontProcessStarted:
    """Clients are served by a process of their own."""


@attrs.frozen(kw_only=True)
class AlarmTold:
    """Somebody is told of something that needs an admin, or that it is over.

    :param kind: of `operations.values.AlarmKind`.
    :param account: which it is about; ``None``: about none.
    """

    kind: str
    account: str | None
    text: str
    since: Time
    over: bool
