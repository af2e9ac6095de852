"""Explains a mail: which account takes each recipient, why no other one does, and what would leave.

Nothing is decided here.  A mail that somebody asks about goes through the edge, into an intake that
keeps it; accounts are those of the registry, and envelope and header what `outgoing` makes of them.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from ..edge.delivery import Routing, TransactionPolicy, author_of
from ..edge.submission import checked, submit, wire_form
from ..errors import AddressError, ContentError
from ..mail.envelope import Envelope
from ..mail.header import header_end
from ..mail.message import Message
from ..mail.reply import ReplyError
from ..outgoing import prepare
from ..routing.account import Account
from ..routing.hop import Tls
from ..routing.reasons import considered
from ..routing.registry import AccountRegistry
from ..settings.values import MasterRelay
from .errors import BadRequestError
from .explained import (
    Departure,
    ExplainedEnvelope,
    ExplainedHeader,
    ExplainedLimits,
    ExplainedRecipient,
    ExplainedSession,
    Explanation,
)
from .rehearsal import Rehearsal
from .values import Question, Quota

#: Octets of a message that are looked at: the header counts, and it may not be longer by far.
LONGEST_MESSAGE = 1024 * 1024
#: Accounts times recipients of one answer.
MOST_CONSIDERED = 20_000


async def explain(
    settings: MasterRelay,
    registry: AccountRegistry,
    question: Question,
    now: float,
) -> Explanation:
    """Explain a mail as though an application handed it in; nothing is stored or sent.

    :param now: what time it is, in seconds since the epoch.
    :raise BadRequestError: it is no mail, or would be refused whatever the accounts are.
    """
    sender = _address(question.sender, "sender", null_allowed=True)
    recipients = tuple(
        dict.fromkeys(
            _address(each, "recipient", null_allowed=False) for each in question.recipients
        )
    )
    most = max(1, MOST_CONSIDERED // len(tuple(registry)))
    if not 0 < len(recipients) <= most:
        raise BadRequestError(f"ask for 1 to {most} recipients, not for {len(recipients)}")
    message = _sample(sender, recipients[0])
    if question.message is not None:
        message = question.message.encode("utf-8", "surrogateescape")
    if len(message) > LONGEST_MESSAGE:
        raise BadRequestError(
            f"the message has {len(message)} bytes, and up to {LONGEST_MESSAGE} are looked at;"
            " its header and a part of its text are enough"
        )
    given = _header(message)
    author = "" if sender else author_of(given, settings.max_command_line)
    explained = _recipients(registry, sender, author, recipients)
    taken = tuple(each.address for each in explained if each.account is not None)
    if not taken:
        return Explanation(sender=sender, recipients=explained, accounts=())
    rehearsal = Rehearsal()
    policy = TransactionPolicy(settings, Routing(registry), rehearsal, lambda: now)
    try:
        await submit(policy, Envelope(reverse_path=sender, recipients=taken), message)
    except (AddressError, ContentError) as error:
        raise BadRequestError(f"no mail can be like this: {error}") from None
    except ReplyError as error:
        raise BadRequestError(f"the relay would not take this mail: {error.reply}") from None
    mail = _Mail(rehearsal.message(now), rehearsal.content, given)
    return _explanation(registry, mail, explained)


def explain_stored(registry: AccountRegistry, message: Message, start: bytes) -> Explanation:
    """Explain a mail that is in the spool, as it would be routed now.

    :param start: of its content: the header block, and two octets more if there are any.
    """
    envelope = message.envelope
    explained = _recipients(registry, envelope.reverse_path, envelope.author, envelope.recipients)
    mail = _Mail(message, start, start[: message.header_size])
    return _explanation(registry, mail, explained)


@attrs.frozen
class _Mail:
    """A mail that could leave.

    :param start: of its content; the header block at least.
    :param given: the header block that is asked about.
    """

    message: Message
    start: bytes
    given: bytes


def _address(text: str, what: str, *, null_allowed: bool) -> str:
    try:
        bare = text[1:-1] if text.startswith("<") and text.endswith(">") else text
        return checked(bare, null_allowed=null_allowed)
    except AddressError as error:
        raise BadRequestError(f"{what} {text[:200]!a} is no address: {error}") from None


def _sample(sender: str, recipient: str) -> bytes:
    """Return a short message; one with the null sender has no author."""
    author = f"From: {sender}\n" if sender else ""
    return f"{author}To: {recipient}\nSubject: Example\n\nThis is an example.\n".encode()


def _header(message: bytes) -> bytes:
    """Return the header block of a message as it is given, in wire form."""
    try:
        content = wire_form(message)
    except ContentError as error:
        raise BadRequestError(f"the message cannot be sent: {error}") from None
    return content[: header_end(content)]


def _recipients(
    registry: AccountRegistry, sender: str, author: str, recipients: Sequence[str]
) -> tuple[ExplainedRecipient, ...]:
    explained = []
    for address in recipients:
        accounts = considered(registry, sender, author, address)
        taken = next((each.name for each in accounts if each.taken), None)
        explained.append(ExplainedRecipient(address=address, account=taken, accounts=accounts))
    return tuple(explained)


def _explanation(
    registry: AccountRegistry, mail: _Mail, explained: tuple[ExplainedRecipient, ...]
) -> Explanation:
    envelope = mail.message.envelope
    by_account: dict[str, list[str]] = {}
    for each in explained:
        if each.account is not None:
            by_account.setdefault(each.account, []).append(each.address)
    departures = []
    for name, recipients in by_account.items():
        account = registry.account(name)
        if account is not None:
            fallbacks = tuple(registry.fallbacks(name, envelope, recipients))
            departures.append(_departure(account, fallbacks, tuple(recipients), mail))
    return Explanation(
        sender=envelope.reverse_path, recipients=explained, accounts=tuple(departures)
    )


def _departure(
    account: Account, fallbacks: tuple[str, ...], recipients: tuple[str, ...], mail: _Mail
) -> Departure:
    # Whether its server takes header fields beyond ASCII is not known before the session.
    leaving = prepare(account, mail.message, mail.start, utf8=True)
    if leaving is None:
        raise ValueError("the content is shorter than its header")
    hop = account.hop
    return Departure(
        name=account.name,
        fallbacks=fallbacks,
        envelope=ExplainedEnvelope(sender=leaving.reverse_path, recipients=recipients),
        session=ExplainedSession(
            server=hop.host,
            port=hop.port,
            tls=Tls.IMPLICIT.value if hop.implicit_tls else hop.tls.mode.value,
            tls_required=hop.tls_required,
            local_address=", ".join(hop.local_addresses) or None,
            helo=hop.helo_name,
            username=account.username,
            login=_login(account),
            mailbox=account.sasl_user,
            auth=account.auth.value,
        ),
        limits=ExplainedLimits(
            max_recipients=account.max_recipients,
            max_connections=account.connections,
            max_mails_per_connection=account.max_mails_per_connection,
            minimum_wait=account.minimum_wait,
            # What is used of them is not known here.
            quota=tuple(
                Quota(quota=str(each), used=None, left=None, opens=None) for each in account.quota
            ),
            over_quota=account.over_quota.value,
        ),
        header=ExplainedHeader(
            before=_text(mail.given), after=_text(leaving.start[: leaving.header_size])
        ),
        size=leaving.size,
        type=account.type.value,
    )


def _login(account: Account) -> str:
    if not account.logs_in:
        return "none"
    return "token" if account.oauth2 else "password"


def _text(block: bytes) -> str:
    """Return a header block as text; octets that are no UTF-8 stay what they are."""
    return block.decode("utf-8", "surrogateescape")
