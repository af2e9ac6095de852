"""What came of a mail until now, in few words.  Pure."""

from __future__ import annotations

from collections import Counter

from ...history import Kind, Story
from ..wording import count

_WORDS = {
    Kind.ACCEPTED: "waits",
    Kind.DEFERRED: "waits",
    Kind.MOVED: "waits",
    Kind.RELEASED: "waits",
    Kind.UNCERTAIN: "may have arrived",
    Kind.HELD: "held",
    Kind.DELIVERED: "delivered",
    Kind.FAILED: "failed",
    Kind.DELETED: "deleted",
}
#: After which nothing more happens to a recipient: at the same time, others stand behind it.
_LAST = (Kind.DELIVERED, Kind.FAILED, Kind.DELETED)


def outcome(story: Story) -> str:
    """Return what came of a mail, with numbers of recipients where they differ."""
    latest: dict[str, Kind] = {}
    for event in story.events:
        if event.event in _WORDS:
            for recipient in event.recipients:
                if latest.get(recipient) not in _LAST:
                    latest[recipient] = event.event
    numbers = Counter(_WORDS[kind] for kind in latest.values())
    if len(numbers) == 1:
        return next(iter(numbers))
    return ", ".join(f"{count(number)} {word}" for word, number in numbers.most_common())


def accounts(story: Story) -> list[str]:
    """Return the names of the accounts that have had a mail, in order of time."""
    found: dict[str, None] = {}
    for event in story.events:
        found |= {name: None for name in (event.account, event.to_account) if name}
    return list(found)
