"""One try of a mail: as many transactions, over as many sessions, as it needs for its `Attempt`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

import attrs
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from ..interfaces import IArchive, IContent
from ..mail.message import Delivery
from ..mail.phase import Phase
from ..outcome.attempt import AccountFault, Attempt, Scope, all_deferred
from ..routing.account import Account
from .broken import SessionBrokenError
from .refusal_review import RefusalReview
from .sender import AccountSender
from .transaction import Transaction

_BEFORE_RCPT = frozenset({Phase.RSET, Phase.MAIL})


class Sessions(Protocol):
    """The sessions of an account, as an attempt needs them; `AccountSenderFactory` has them.

    :ivar account: as it is now.
    :ivar scope: whom faults of its server are about.
    :ivar most_recipients: that one transaction may have.
    :ivar afresh: numbers of deliveries whose next attempt is not to have a session that was kept.
    """

    account: Account
    scope: Scope
    afresh: set[int]
    archive: IArchive | None
    most_recipients: float
    refusals: RefusalReview
    now: Callable[[], float]

    def kept_session(self) -> AccountSender | None:
        """Return a session that was kept from an earlier mail, ready for the next one."""

    async def fresh_session(self) -> AccountSender:
        """Open a session."""

    def keep_or_quit(self, session: AccountSender, *, keep: bool, now: float) -> None:
        """Keep a session for the next mail, or end it."""

    def learn(self, most: float) -> None:
        """Remember that the server takes fewer recipients at once."""


@attrs.define(eq=False)
class AttemptUnderWay:
    """An attempt, from its first session to its result.

    It never tries a mail again that the server may have, and never decides what follows from an
    outcome.

    :ivar done: fires with the `Attempt`.
    """

    _sessions: Sessions
    _delivery: Delivery
    _open_content: Callable[[], IContent]
    _kept: bool = False
    _most: float = 0.0
    _mail_ended: float | None = None
    done: Deferred[Attempt] = attrs.field(factory=Deferred)

    def begin(self) -> None:
        """Send the mail over a session that is kept, or else over a fresh one."""
        sessions = self._sessions
        if sessions.afresh and self._delivery.number in sessions.afresh:
            sessions.afresh.discard(self._delivery.number)
            session = None
        else:
            session = sessions.kept_session()
        self._kept = session is not None
        if session is None:
            self._open_session()
        else:
            self._carry(session)

    def _open_session(self) -> None:
        self._kept = False
        opened = Deferred.fromCoroutine(self._sessions.fresh_session())
        opened.addCallbacks(self._carry, self._not_begun).addErrback(self._failed)

    def _carry(self, session: AccountSender) -> None:
        self._most = self._sessions.most_recipients
        sessions = self._sessions
        # Those of now: it may have been opened before they changed.
        session.account = sessions.account
        archive = sessions.archive if session.account.archive else None
        now = sessions.now if session.account.quota else None
        transaction = Transaction(
            session, self._delivery, self._open_content, self._most, archive=archive, now=now
        )
        session.talk(transaction.go_on, partial(self._over, session, transaction), self._failed)

    def _not_begun(self, failure: Failure) -> None:
        """There is no session for it."""
        failure.trap(SessionBrokenError)
        broken: Any = failure.value
        sessions = self._sessions
        action = sessions.account.classify(broken.phase, broken.reply)
        scope = broken.scope or sessions.scope
        fault = AccountFault.of(broken.phase, broken.reply, action, scope)
        recipients = self._delivery.recipients
        outcomes = all_deferred(recipients, fault.phase, fault.reply, fault.action)
        self.done.callback(
            Attempt(
                outcomes=outcomes,
                fault=fault,
                mail_ended=self._mail_ended,
                inconclusive=broken.given_up,
            )
        )

    def _failed(self, failure: Failure) -> None:
        """An error of ours has ended it."""
        if not self.done.called:
            self.done.errback(failure)

    def _over(self, session: AccountSender, transaction: Transaction) -> None:
        sessions, outcomes = self._sessions, transaction.outcomes
        fault = outcomes.fault
        if fault and sessions.scope is not fault.scope:
            fault = attrs.evolve(fault, scope=sessions.scope)
        now = sessions.now()
        if transaction.begun:
            self._mail_ended = now
        if transaction.copy is not None:
            transaction.copy.end(outcomes.all(), session.description)
        if self._kept and (transaction.refused or (fault and fault.phase in _BEFORE_RCPT)):
            # It may be about the session, so nothing is concluded yet, and a fresh session tries
            # once more: some servers say 550 or 554 at MAIL FROM, or close, when a session has had
            # as many mails as they allow.
            session.quit()
            again = self._open_session
        else:
            sessions.keep_or_quit(session, keep=fault is None, now=now)
            if outcomes.most == self._most:
                attempt = Attempt(
                    outcomes=outcomes.all(),
                    fault=fault,
                    mail_ended=self._mail_ended,
                    counted=transaction.counted,
                    said=transaction.said,
                    session=session.description,
                    reports_success=transaction.reports_success,
                    scope=sessions.scope,
                )
                sessions.refusals.taken += transaction.taken
                if fault:
                    attempt = sessions.refusals.review(self._delivery, attempt)
                self.done.callback(attempt)
                return
            sessions.learn(outcomes.most)
            again = self.begin
        account = sessions.account
        if transaction.begun and (account.minimum_wait or account.quota):
            # The server may have counted this MAIL FROM: the lane lets the wait pass, and finds
            # room for the next one.
            if again != self.begin:
                sessions.afresh.add(self._delivery.number)
            attempt = Attempt(
                outcomes=outcomes.all(),
                mail_ended=self._mail_ended,
                counted=transaction.counted,
                said=transaction.said,
                inconclusive=True,
            )
            self.done.callback(attempt)
        else:
            again()
