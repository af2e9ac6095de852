"""From a judgement to the reports that it calls for: read the original, build, route.

Builds nothing itself (`ndr` does) and sends nothing: a report is one more message in the spool.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from ..account import REPORTS_ACCOUNT
from ..configuration import NdrSettings
from ..errors import SpoolError
from ..interfaces import IAccountRegistry, ISpool
from ..message import Message, NewMessage, Parcel, Recipient
from ..ndr import Action, Facts, Report, addressees, report, returned_size

_log = Logger()


async def _read_start(spool: ISpool, message: Message, size: int) -> bytes:
    """Return so many octets of a stored message, or as many of them as can be read."""
    content = spool.content(message)
    start = b""
    try:
        while len(start) < size:
            piece = content.read()
            octets = await piece if isinstance(piece, Deferred) else piece
            if not octets:
                break
            start += octets
    except SpoolError:
        _log.failure("{id}: content not read from the spool", id=message.id)
    finally:
        content.close()
    return start[:size]


class ReportWriter:
    """Makes the reports of one relay."""

    log = Logger()

    def __init__(self, settings: NdrSettings, registry: IAccountRegistry, spool: ISpool) -> None:
        self._settings = settings
        self._registry = registry
        self._spool = spool

    async def write(self, facts: Facts, *, avoid: str | None = None) -> tuple[NewMessage, ...]:
        """Return the reports on what happened, ready for the spool.

        :param avoid: an account at fault, behind which they would wait.
        """
        message = facts.message
        recipients = addressees(facts, self._settings)
        if not recipients:
            if facts.action is Action.FAILED:
                self.log.warn(
                    "{id}: mail to {recipients} not delivered, and nobody can be told: {reply}",
                    id=message.id,
                    recipients=", ".join(f"<{each.recipient.address}>" for each in facts.outcomes),
                    reply=str(facts.outcomes[0].reply),
                )
            return ()
        size = returned_size(facts)
        original = await _read_start(self._spool, message, max(size, message.header_size))
        made = [
            report(facts, original, settings=self._settings, recipient=recipient)
            for recipient in recipients
        ]
        return tuple(
            NewMessage(
                envelope=each.envelope,
                content=each.content,
                header_size=each.header_size,
                parcels=(parcel,),
            )
            for each in made
            if (parcel := self._parcel(each, message, avoid))
        )

    def _parcel(self, made: Report, message: Message, avoid: str | None) -> Parcel | None:
        recipient = made.envelope.recipients[0]
        if self._settings.account:
            return Parcel(
                account=REPORTS_ACCOUNT,
                recipients=(Recipient(address=recipient, reason="a report"),),
            )
        route = self._registry.route_null(self._settings.sender, recipient, avoid)
        if route is None:
            self.log.error(
                "{id}: report to <{recipient}> not sent: no account takes mail from "
                "<{sender}>; set ndr.server, or give an account the sender mask <>",
                id=message.id,
                recipient=recipient,
                sender=self._settings.sender,
            )
            return None
        return Parcel(
            account=route.account,
            recipients=(Recipient(address=recipient, reason=route.reason),),
        )
