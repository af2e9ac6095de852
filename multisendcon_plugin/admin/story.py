"""What became of a mail, as lines for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from . import words

#: Fields of an event that have their place in its line.
_PLACED = frozenset(
    {"time", "time_at", "event", "account", "recipients", "reply", "session", "reason", "id"}
)


def lines(story: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines of a story: the mail, then what happened to it, in order of time."""
    recipients = ", ".join(map(words.path, story["recipients"]))
    yield f"{story['id']}  from {words.path(story['sender'])} to {recipients}"
    yield "  " + ", ".join(_mail(story))
    for event in story["events"]:
        yield f"  {event_line(event, story['arrived'])}"


def _mail(story: Mapping[str, Any]) -> Iterator[str]:
    yield f"arrived {words.moment(story['arrived'])}"
    if story["client"]:
        yield f"from {_client(story['client'])}"
    if story["user"]:
        yield f"user {story['user']}"
    yield words.octets(story["size"])
    if story["message_id"]:
        yield f"Message-ID {story['message_id']}"
    if story["subject"]:
        yield f'Subject "{story["subject"]}"'


def _client(client: Any) -> str:
    return " ".join(map(str, client.values())) if isinstance(client, dict) else str(client)


def event_line(event: Mapping[str, Any], day_of: float) -> str:
    """Return the line of one event.

    :param day_of: a time; the date of the event is said if it was on another day.
    """
    parts = [f"{words.hour(event['time'], day_of)}  {event['event']}"]
    recipients = event.get("recipients") or []
    if recipients:
        parts.append(", ".join(map(words.path, recipients)))
    if event.get("account"):
        parts.append(f"by {event['account']}")
    line = " ".join(parts)
    if event.get("reason"):
        line += f" ({event['reason']})"
    if event.get("reply"):
        line += f": {event['reply']}"
    if event.get("session"):
        line += f" ({event['session']})"
    more = [f"{name} {value}" for name, value in event.items() if name not in _PLACED and value]
    return f"{line}; {', '.join(more)}" if more else line
