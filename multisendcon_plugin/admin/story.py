"""What became of a mail, as lines for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import zip_longest
from typing import Any

from . import words


def lines(story: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines of a story: the mail, then what happened to it, in order of time."""
    recipients = ", ".join(map(words.path, story["recipients"]))
    yield f"{story['id']}  from {words.path(story['sender'])} to {recipients}"
    yield "  " + ", ".join(_mail(story))
    for event, following in zip_longest(story["events"], story["events"][1:]):
        if not _is_told_by(following, event):
            yield f"  {event_line(event, story['arrived'])}"


def _is_told_by(following: Mapping[str, Any] | None, event: Mapping[str, Any]) -> bool:
    """Tell whether an attempt came to no more than what the next event says."""
    return (
        following is not None
        and event["event"] == "attempt"
        and all(following[name] == event[name] for name in ("time", "recipients", "reply"))
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
    text = str(event["event"])
    if event["recipients"]:
        text += f" {', '.join(map(words.path, event['recipients']))}"
    if event["to_account"]:
        text += f" from {event['account']} to {event['to_account']}"
    elif event["account"]:
        text += f" by {event['account']}"
    if event["report"]:
        text += f" as {event['report']}"
    if event["reason"]:
        text += f" ({event['reason']})"
    if event["reply"]:
        text += f": {event['reply']}"
    if event["session"]:
        text += f" ({event['session']})"
    if event["due"] is not None:
        text += f"; next attempt {words.hour(event['due'], event['time'])}"
    if event["notified"]:
        text += "; the sender gets a report"
    return text
