"""What became of one mail, as a value, and which stories somebody looks for.  Pure."""

from __future__ import annotations

import enum

import attrs

from ..mail.address import matching_form
from ..mail.envelope import Client
from ..times import Time

#: Where a story stands among all, in order of time: arrival in microseconds, number of the message.
Place = tuple[int, int]
#: Before all stories.
FIRST_PLACE: Place = (0, 0)
#: Behind all stories.
LAST_PLACE: Place = (2**62, 0)


class Kind(enum.StrEnum):
    """What can happen to a mail, in the order of what happens at the same time."""

    ACCEPTED = "accepted"
    ATTEMPT = "attempt"
    """A try, of which the events behind it say what came of it."""
    DELIVERED = "delivered"
    DEFERRED = "deferred"
    FAILED = "failed"
    UNCERTAIN = "uncertain"
    """It may have arrived: the reply to it was lost."""
    MOVED = "moved"
    HELD = "held"
    RELEASED = "released"
    DELETED = "deleted"
    REPORTED = "reported"
    ENDED = "ended"
    """Nothing of it waits any more."""


@attrs.frozen(kw_only=True)
class StoryEvent:
    """Something that happened to a mail.

    :param account: the one that it happened with; ``""``: with none.
    :param recipients: whom it concerns.
    :param reply: of the server, or ours about a connection; ``""``: there was none.
    :param session: over which it was tried, in words: addresses, TLS.
    :param policy: for TLS, to which that was held: ``dane``, ``mta-sts``, ``testing``,
        ``opportunistic`` or ``none``; ``""``: there is none for the server of an account.
    :param reason: why this account took them, or why they were moved.
    :param to_account: where they were moved.
    :param due: not tried again before; ``None``: that is not known, or never.
    :param report: the id of the report, which has a story of its own.
    :param notified: the sender of a deleted mail gets a report.
    :param late: the history began behind this event: it knows of it from the queue.
    """

    time: Time
    event: Kind
    account: str = ""
    recipients: tuple[str, ...] = ()
    reply: str = ""
    session: str = ""
    policy: str = ""
    reason: str = ""
    to_account: str = ""
    due: Time | None = None
    report: str = ""
    notified: bool = False
    late: bool = False


@attrs.frozen(kw_only=True)
class Story:
    """All that is known of a mail.

    :param id: its name in logs, replies and trace fields.
    :param sender: reverse-path; ``""`` is the null one.
    :param author: the address in ``From:``, which stands for the null reverse-path; ``""``: there
        is none, or there is a sender.
    :param message_id: as in the header, as is `subject`: see `header.identity`.
    :param size: octets, as SMTP counts them.
    :param client: ``None``: an application has handed it in, or it is a report of ours.
    :param user: who had logged in; ``""``: nobody.
    :param events: in order of time.
    """

    id: str
    arrived: Time
    sender: str
    recipients: tuple[str, ...]
    message_id: str
    subject: str
    size: int
    client: Client | None
    user: str
    events: tuple[StoryEvent, ...]
    author: str = ""


@attrs.frozen(kw_only=True)
class Search:
    """Stories of which all is true that is said; if nothing is, all of them.

    :param number: of the message.
    :param sender: in any form that matches (`matching_form`); ``""`` is the null reverse-path.
    :param recipient: as `sender`.
    :param message_id: with or without its angle brackets.
    :param account: one that has had the mail.
    :param since: seconds since the epoch: arrived then or later.
    :param until: arrived before.
    """

    number: int | None = None
    sender: str | None = None
    recipient: str | None = None
    message_id: str | None = None
    account: str | None = None
    since: float | None = None
    until: float | None = None

    def finds(self, story: Story) -> bool:
        """Tell whether a story is one of those."""
        return (
            (self.sender is None or _same(self.sender, story.sender))
            and (self.recipient is None or any(_same(self.recipient, r) for r in story.recipients))
            and (self.message_id is None or bare(self.message_id) == bare(story.message_id))
            and (self.account is None or any(_has_had(each, self.account) for each in story.events))
            and (self.since is None or self.since <= story.arrived)
            and (self.until is None or story.arrived < self.until)
        )


@attrs.frozen
class StoryPage:
    """One piece of a listing, in order of time.

    :param after: where the next piece begins; ``None``: there is none.  A piece may have no
        stories, and others follow.
    """

    stories: tuple[Story, ...]
    after: Place | None


def bare(message_id: str) -> str:
    """Return a Message-ID without its angle brackets, which shells make hard to write."""
    return message_id.strip("<> \t")


def _same(one: str, other: str) -> bool:
    return matching_form(one) == matching_form(other)


def _has_had(event: StoryEvent, account: str) -> bool:
    return account in (event.account, event.to_account)
