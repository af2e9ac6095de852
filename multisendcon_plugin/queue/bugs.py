"""What a lane makes of an exception that is a bug: it is told, and all else goes on."""

from __future__ import annotations

from twisted.logger import Logger
from twisted.python.failure import Failure

from ..mail.message import Delivery
from ..mail.phase import Phase
from ..mail.reply import Reply
from ..outcome.attempt import Attempt, all_deferred
from ..routing.account import Account

_REPLY = Reply(0, "4.3.0", "an internal error of the relay, see its log")

_log = Logger()


def tell_of_bug(account: Account) -> None:
    """Tell of the exception that is being handled."""
    _log.failure(
        "internal error in the lane of {account} (a bug); traceback follows", account=account.name
    )


def attempt_with_bug(failure: Failure, delivery: Delivery, now: float) -> Attempt:
    """Return what becomes of an attempt that has failed: the mail is tried again later.

    A relay never fails.
    """
    _log.failure(
        "{id}: internal error during the attempt (a bug); traceback follows",
        failure,
        id=delivery.message.id,
    )
    outcomes = all_deferred(delivery.recipients, Phase.CONNECT, _REPLY)
    return Attempt(outcomes=outcomes, mail_ended=now)
