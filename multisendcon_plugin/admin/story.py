"""What became of a mail, as lines for people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from . import words

Event = Mapping[str, Any]


def lines(story: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines of a story: the mail, then what happened to it, in order of time."""
    recipients = ", ".join(map(words.path, story["recipients"]))
    yield f"{story['id']}  from {words.path(story['sender'])} to {recipients}"
    yield "  " + ", ".join(_mail(story))
    for event in told(story["events"]):
        yield f"  {event_line(event, story['arrived'])}"


def told(events: Iterable[Event]) -> Iterator[Event]:
    """Yield what is told of events: not an attempt that came to what the next of them says.

    :param events: of any mails, as they come; so an attempt is told with the event after it.
    """
    attempt: Event | None = None
    for event in events:
        if attempt is not None and _came_to(attempt, event):
            # The reply to an attempt has what went wrong with the account, too.
            yield {**event, "reply": attempt["reply"]}
            attempt = None
            continue
        if attempt is not None:
            yield attempt
        attempt = event if event["event"] == "attempt" else None
        if attempt is None:
            yield event
    if attempt is not None:
        yield attempt


def _came_to(attempt: Event, event: Event) -> bool:
    return (
        event["event"] in ("delivered", "deferred", "failed", "uncertain")
        and all(event.get(name) == attempt.get(name) for name in ("id", "time", "recipients"))
        and attempt["reply"].endswith(event["reply"])
    )


def _mail(story: Mapping[str, Any]) -> Iterator[str]:
    yield f"arrived {words.moment(story['arrived'])}{words.client(story['client'])}"
    yield words.octets(story["size"])
    if story["message_id"]:
        yield f"Message-ID {story['message_id']}"
    if story["subject"]:
        yield f'Subject "{story["subject"]}"'


def event_line(event: Mapping[str, Any], day_of: float) -> str:
    """Return the line of one event.

    :param day_of: a time; the date of the event is said if it was on another day.
    """
    return f"{words.hour(event['time'], day_of)}  {event_text(event)}"


def event_text(event: Mapping[str, Any]) -> str:
    """Return what has happened, without its time."""
    if event["report"]:
        return f"reported by mail {event['report']}"
    text = str(event["event"])
    if event["recipients"]:
        text += f" {', '.join(map(words.path, event['recipients']))}"
    if event["to_account"]:
        text += f" from {event['account']} to {event['to_account']}"
    elif event["account"]:
        text += f" by {event['account']}"
    if event["reason"]:
        text += f" ({event['reason']})"
    if event["reply"]:
        text += f": {event['reply']}"
    if over := _over(event):
        text += f" ({over})"
    if event["due"] is not None:
        text += f"; next attempt {words.hour(event['due'], event['time'])}"
    if event["notified"]:
        text += "; the sender gets a report"
    return text


def _over(event: Event) -> str:
    """Return over which session something was tried, or what kept it from having one."""
    if event["session"] or not event["policy"]:
        return str(event["session"])  # a policy is the end of it
    return f"policy for TLS: {event['policy']}"
