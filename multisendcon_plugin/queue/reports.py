"""From a judgement to the reports that it calls for: read the original's header, build, route.

Builds nothing itself (`ndr` does) and sends nothing: a report is one more message in the spool.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from ..account import Account
from ..configuration import NdrSettings
from ..errors import SpoolError
from ..interfaces import IAccountRegistry, ISpool
from ..message import Message, Parcel, Recipient, Submission
from ..ndr import Action, Facts, Report, addressees, report

#: The account that takes reports to `ndr.server`; no name in a configuration is like this.
REPORTS_ACCOUNT = "[ndr]"

_log = Logger()


def reports_account(settings: NdrSettings, hostname: str) -> Account | None:
    """Return the way out for reports, if they do not leave by the accounts."""
    if settings.server is None:
        return None
    return Account(
        name=REPORTS_ACCOUNT,
        server=settings.server,
        port=settings.port,
        username=settings.username,
        password=settings.password,
        helo_domain=hostname,
    )


async def read_header(spool: ISpool, message: Message) -> bytes:
    """Return the header block of a stored message, or as much of it as can be read."""
    content = spool.content(message)
    header = b""
    try:
        while len(header) < message.header_size:
            piece = content.read()
            octets = await piece if isinstance(piece, Deferred) else piece
            if not octets:
                break
            header += octets
    except SpoolError:
        _log.failure("{id}: its header cannot be read", id=message.id)
    finally:
        content.close()
    return header[: message.header_size]


class ReportDesk:
    """Makes the reports of one relay."""

    log = Logger()

    def __init__(self, settings: NdrSettings, registry: IAccountRegistry, spool: ISpool) -> None:
        self._settings = settings
        self._registry = registry
        self._spool = spool

    async def write(self, facts: Facts) -> tuple[Submission, ...]:
        """Return the reports on what happened, ready for the spool."""
        message = facts.message
        recipients = addressees(facts, self._settings)
        if not recipients:
            if facts.action is Action.FAILED:
                self.log.warn(
                    "{id}: nobody can be told that mail to {recipients} was not delivered: {reply}",
                    id=message.id,
                    recipients=", ".join(f"<{each.recipient.address}>" for each in facts.outcomes),
                    reply=str(facts.outcomes[0].reply),
                )
            return ()
        header = await read_header(self._spool, message)
        made = [
            report(facts, header, settings=self._settings, recipient=recipient)
            for recipient in recipients
        ]
        return tuple(
            Submission(
                envelope=each.envelope,
                content=each.content,
                header_size=each.header_size,
                parcels=(parcel,),
            )
            for each in made
            if (parcel := self._parcel(each, message))
        )

    def _parcel(self, made: Report, message: Message) -> Parcel | None:
        recipient = made.envelope.recipients[0]
        if self._settings.server is not None:
            return Parcel(
                account=REPORTS_ACCOUNT,
                recipients=(Recipient(address=recipient, reason="a report"),),
            )
        route = self._registry.route_null(self._settings.sender, recipient)
        if route is None:
            self.log.error(
                "{id}: the report for <{recipient}> cannot be sent: no account takes mail from "
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
