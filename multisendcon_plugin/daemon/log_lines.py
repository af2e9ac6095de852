"""What the log says of each event: its lines, for an admin.

The texts are put together here: to fill fields into a format is what Twisted's log takes longest
for.  One thing has one name among the fields: `id` is a message's, `account` an account's,
`address` a client's.  The fields are what programs read (`json_lines`); docs/log.rst has them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import attrs

from .. import events
from ..mail.escaping import shown
from ..mail.message import Delivery, queue_id
from ..settings.commands import account_test
from .account_lines import ACCOUNT_LINES
from .log_line import CRITICAL, ERROR, INFO, WARN, Fields, Line, filled_in
from .sharing import shared


def _in_lines(pieces: list[str]) -> Iterable[list[str]]:
    return (pieces,) if len(pieces) == 1 else shared(pieces)  # it is one of nearly all mails


# Mails.


def _mail_accepted(event: events.MailAccepted) -> list[Line]:
    message = event.deliveries[0].message
    number, envelope = queue_id(message.number), message.envelope
    sender, client = envelope.reverse_path, envelope.client
    by = f" ({client})" if client else ""
    said = f"{number}: accepted from <{sender}>{by}, {message.size} bytes, for "
    lines: list[Line] = []
    texts, routes = _routes(event.deliveries)
    told = 0
    for some in _in_lines(texts):
        fields: Fields = {
            "id": number,
            "sender": sender,
            "client": dict(zip(client._fields, client, strict=True)) if client else None,
            "size": message.size,
            "recipients": routes[told : told + len(some)],
        }
        told += len(some)
        lines.append((INFO, said + ", ".join(some), fields))
    return lines


def _routes(deliveries: Iterable[Delivery]) -> tuple[list[str], list[dict[str, str]]]:
    """Return what is said of each recipient, and the same as fields."""
    texts, fields = [], []
    for delivery in deliveries:
        account = delivery.account
        for recipient in delivery.recipients:
            address, reason = recipient.address, recipient.reason
            texts.append(f"<{address}> by {account} ({reason})")
            fields.append({"address": address, "account": account, "reason": reason})
    return texts, fields


def _report_queued(event: events.ReportQueued) -> list[Line]:
    number, about = event.report.message.id, event.about.message.id
    # It has one recipient.
    (text,), recipients = _routes([event.report])
    fields: Fields = {"id": number, "about": about, "recipients": recipients}
    return [(INFO, f"{number}: report on {about}, for {text}", fields)]


def _delivery_moved(event: events.DeliveryMoved) -> list[Line]:
    number, rests = event.delivery.message.id, event.delivery.account
    why = event.reason or f"since account {rests} rests"
    text = f"{number}: moved to account {event.account}, {why}"
    return [(INFO, text, {"id": number, "account": event.account, "rests": rests})]


def _delivery_deleted(event: events.DeliveryDeleted) -> list[Line]:
    number, account = event.delivery.message.id, event.delivery.account
    recipients = [each.address for each in event.delivery.recipients]
    told = "its sender gets a report" if event.notified else "without a report"
    return [
        (
            WARN,
            f"{number}: mail for <{'>, <'.join(some)}> by account {account} deleted, {told}",
            {"id": number, "account": account, "recipients": some, "notified": event.notified},
        )
        for some in _in_lines(recipients)
    ]


def _about_delivery(text: str) -> Callable[[Any], list[Line]]:
    """Return what makes the line of an event that has a delivery and nothing else."""

    def lines(event: Any) -> list[Line]:
        fields = {"id": event.delivery.message.id, "account": event.delivery.account}
        return [(INFO, text.format(**fields), {**fields})]

    return lines


def _attempt_ended(event: events.AttemptEnded) -> list[Line]:
    lines: list[Line] = []
    number, account = queue_id(event.delivery.message.number), event.delivery.account
    session = f" ({event.attempt.session})" if event.attempt.session else ""
    for result in event.results:
        following = what_next(event) if result.waits else ""
        remaining = event.judgement.remaining if result.waits else None
        verdict = "left to another transaction" if result.split else result.verdict
        # Those of a split mail are counted only: the transactions to come have their lines.
        shared = (result.recipients,) if result.split else _in_lines(result.recipients)
        for recipients in shared:
            if result.split:
                who = f"{len(recipients)} recipient{'s' * (len(recipients) > 1)}"
            else:
                who = f"<{'>, <'.join(recipients)}>"
            said = f"{verdict} by account {account}: {result.reply}{session}{following}"
            fields: Fields = {
                "id": number,
                "recipients": recipients,
                "verdict": verdict,
                "account": account,
                "reply": result.reply,
                "session": event.attempt.session,
                "policy": event.attempt.policy,
                "due": remaining.due if remaining else None,
                "next_account": remaining.account if remaining else None,
            }
            lines.append((INFO, f"{number}: {who} {said}", fields))
    return lines


def what_next(event: events.AttemptEnded) -> str:
    """Return what follows for recipients who wait, as the end of a line."""
    remaining = event.judgement.remaining
    if remaining is None:
        return ""
    if remaining.account != event.delivery.account:
        return f"; moved to account {remaining.account}"
    return f"; next attempt in {remaining.due - event.at:.0f} s"


def _failure_untold(event: events.FailureUntold) -> Iterator[Line]:
    number, reply = event.message.id, str(event.outcomes[0].reply)
    for some in _in_lines([each.recipient.address for each in event.outcomes]):
        who = f"<{'>, <'.join(some)}>"
        text = f"{number}: mail to {who} not delivered, and nobody can be told: {reply}"
        yield WARN, text, {"id": number, "recipients": some, "reply": reply}


def _report_withheld(event: events.ReportWithheld) -> list[Line]:
    text = (
        f"{event.message.id}: no report to <{event.recipient}>, who has had {event.per_hour} in the"
        " last hour: see ndr.max_per_hour"
    )
    fields: Fields = {"id": event.message.id, "recipient": event.recipient, "most": event.per_hour}
    return [(WARN, text, fields)]


def _report_unroutable(event: events.ReportUnroutable) -> list[Line]:
    text = (
        f"{event.about}: report to <{event.recipient}> not sent: no account takes mail from"
        f" <{event.sender}>; set ndr.server, or give an account the sender mask <>"
    )
    fields: Fields = {"id": event.about, "recipient": event.recipient, "sender": event.sender}
    return [(ERROR, text, fields)]


# The spool.


def _spool_broken(event: events.SpoolBroken) -> list[Line]:
    consequence = (
        "new mail is rejected (451); readable mail is still delivered"
        if event.writes
        else "no mail is accepted or sent any more, and mail in transit may be sent again after the"
        " restart; check the disk, then restart the relay"
    )
    advice = f". {event.advice}" if event.advice else ""
    text = f"{event.file}: {event.error}; {consequence}{advice}"
    return [(CRITICAL, text, attrs.asdict(event))]


# Tokens.


def _token_refreshed(event: events.TokenRefreshed) -> list[Line]:
    until = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(event.valid_until))
    what = "gets tokens again" if event.recovered else "has a new token"
    text = f"account {event.account} {what}, valid until {until}"
    return [(INFO, text, attrs.asdict(event))]


def _token_refused(event: events.TokenRefused) -> list[Line]:
    follows = (
        f"its mail waits for that; {account_test(event.account)} says what to do"
        if event.needs_login
        else "it is tried again"
    )
    text = f"account {event.account} gets no token: {event.error}; {follows}"
    return [(ERROR if event.needs_login else WARN, text, attrs.asdict(event))]


# The program.


def _configuration_changed(event: events.ConfigurationChanged) -> list[Line]:
    fields = attrs.asdict(event)
    said = [f"{what} {', '.join(names)}" for what, names in fields.items() if names]
    text = "; ".join(said) or "no account was added, removed or changed"
    return [(INFO, f"the configuration was reloaded: {text}", fields)]


def _admin_acted(event: events.AdminActed) -> list[Line]:
    fields: Fields = {
        "address": event.address,
        "admin": event.admin,
        "action": event.text,
        "status": event.status,
        "security": True,
    }
    done = "" if event.status < 400 else f" (refused: {event.status})"
    return [(INFO, f"{event.admin} ({event.address}): {event.text}{done}", fields)]


def _alarm_told(event: events.AlarmTold) -> list[Line]:
    since = time.strftime("%Y-%m-%d %H:%M", time.localtime(event.since))
    word = "alarm over" if event.over else "alarm"
    text = f"{word}: {event.text} ({event.kind}, since {since})"
    fields = attrs.asdict(event, filter=attrs.filters.exclude("text"))
    return [(INFO if event.over else ERROR, text, fields)]


# Clients.


def _command_refused(event: events.CommandRefused) -> list[Line]:
    reply = str(event.reply)
    context = _context(reply, event)
    text = f"{event.address} rejected: {reply}{context}"
    return [(INFO, text, {"reply": reply, **_state(event)})]


def _session_ended(event: events.SessionEnded) -> list[Line]:
    context = _context(event.why, event)
    text = f"{event.address}: session closed: {event.why}{context}"
    return [(INFO, text, {"why": event.why, **_state(event)})]


def _state(event: events.CommandRefused | events.SessionEnded) -> Fields:
    """Return the fields that both have."""
    return {
        "address": event.address,
        "user": event.user,
        "command": event.command,
        "sender": event.sender,
        "recipients": event.recipients,
        "more": event.more,
    }


def _context(said: str, event: events.CommandRefused | events.SessionEnded) -> str:
    """Return the mail and the command that it is about, as far as they are not said already."""
    paths = [f"<{shown(each.encode())}>" for each in event.recipients]
    parts = []
    if event.sender is not None and (path := f"<{shown(event.sender.encode())}>") not in said:
        parts.append(f"from {path}")
    if event.command:
        _, bracket, path = event.command.partition("<")
        if not bracket or bracket + path not in said:
            parts.append(f"command: {event.command}")
    elif not all(path in said for path in paths):
        more = f" and {event.more} more" if event.more else ""
        parts.append(f"to {', '.join(paths)}{more}")
    return "".join(f"; {part}" for part in parts)


def _mail_not_stored(event: events.MailNotStored) -> list[Line]:
    code = event.reply.code
    text = f"mail from {event.address} temporarily rejected ({code}): {event.error}"
    return [(ERROR, text, {"address": event.address, "code": code, "error": event.error})]


#: By the name of the class of events.
_LEFT_OUT = {
    events.ClientRefused.__name__: "rejected: not in [master_relay] {detail}",
    events.LimitReached.__name__: "rejected: {detail}",
    events.CommandRefused.__name__: "rejected: {detail}",
    events.SessionEnded.__name__: "session closed:",
    "": "rejected or closed:",
}


def _events_left_out(event: events.EventsLeftOut) -> list[Line]:
    kind = _LEFT_OUT[event.kind].format(detail=event.detail)
    text = f"{event.address} {kind} ... and {event.count:,} more"
    return [(WARN, text, {**attrs.asdict(event), "security": True})]


LINES: Mapping[type, Callable[[Any], Iterable[Line]]] = {
    events.MailAccepted: _mail_accepted,
    events.AttemptEnded: _attempt_ended,
    events.DeliveryMoved: _delivery_moved,
    events.DeliveryHeld: _about_delivery("{id}: held by account {account} until it is released"),
    events.DeliveryReleased: _about_delivery("{id}: released, waits for account {account}"),
    events.DeliveryDeleted: _delivery_deleted,
    events.ReportQueued: _report_queued,
    events.FailureUntold: _failure_untold,
    events.ReportWithheld: _report_withheld,
    events.ReportUnroutable: _report_unroutable,
    **ACCOUNT_LINES,
    events.SpoolBroken: _spool_broken,
    events.SpoolFull: filled_in(
        ERROR, "there is no room for new mail, which is put off (452): {error}"
    ),
    events.SpoolHasRoom: filled_in(INFO, "there is room for new mail again"),
    events.ArchiveFailed: filled_in(
        ERROR,
        "copies of outgoing mail are not kept: {error}; the mail is sent all the same; see"
        " [archive] path",
    ),
    events.ArchiveRecovered: filled_in(
        WARN, "copies of outgoing mail are kept again; {missing} mails have none"
    ),
    events.HistoryInterrupted: filled_in(ERROR, "the history lacks something, mail goes on: {why}"),
    events.HistoryResumed: filled_in(
        INFO, "the history is written again; {left_out:,} events are missing in it"
    ),
    events.TokenRefreshed: _token_refreshed,
    events.TokenRefused: _token_refused,
    events.TokenNotStored: filled_in(
        ERROR,
        "account {account}: its new token cannot be written, so it is used from memory and would be"
        " lost with a restart: {error}; it is tried again",
    ),
    events.TokenStored: filled_in(INFO, "account {account}: its token is written now"),
    events.ConfigurationChanged: _configuration_changed,
    events.AdminSignedIn: filled_in(INFO, "{address}: {admin} has signed in", security=True),
    events.AdminRefused: filled_in(WARN, "{address} could not sign in as {admin}", security=True),
    events.AdminActed: _admin_acted,
    events.FrontProcessEnded: filled_in(
        CRITICAL, "the front process {why}; starting a new one in {pause:.0f} s"
    ),
    events.AlarmTold: _alarm_told,
    events.FrontProcessStarted: filled_in(INFO, "the front process serves the clients"),
    events.ClientRefused: filled_in(INFO, "{address} rejected: not in [master_relay] {key}"),
    events.LimitReached: filled_in(WARN, "{address} rejected: {limit}"),
    events.ProxyRefused: filled_in(WARN, "connection from {address} closed: PROXY header {why}"),
    events.CommandRefused: _command_refused,
    events.SessionEnded: _session_ended,
    events.MailNotStored: _mail_not_stored,
    events.LoginAccepted: filled_in(INFO, "{address} logged in as {user}", security=True),
    events.LoginRefused: filled_in(WARN, "{address} could not log in as {user}", security=True),
    events.EventsLeftOut: _events_left_out,
}
