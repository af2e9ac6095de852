"""What happens to mails, as it happens."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from ..mail.address import matching_form
from .connection import Relay, ServerSentEvent
from .errors import UnreachableError

#: Mails that are remembered as those that were asked for.
_REMEMBERED = 10_000


@attrs.frozen
class Wanted:
    """Picks the events of mails that are asked for, each with all that happens to it afterwards.

    :param chosen: as the history is asked.
    """

    _chosen: Mapping[str, str]
    _ids: OrderedDict[str, None] = attrs.field(factory=OrderedDict, init=False)

    def has(self, event: Mapping[str, Any]) -> bool:
        """Tell whether an event is about one of the mails."""
        id_ = event.get("id")
        if not isinstance(id_, str):
            return False  # it is not about a mail
        if id_ not in self._ids:
            if not all(_matches(event, name, value) for name, value in self._chosen.items()):
                return False
            if len(self._ids) == _REMEMBERED:
                self._ids.popitem(last=False)
        self._ids[id_] = None
        return True


def _matches(event: Mapping[str, Any], name: str, value: str) -> bool:
    match name:
        case "sender":
            return matching_form(event["sender"]) == matching_form(value)
        case "recipient":
            return any(matching_form(each) == matching_form(value) for each in event["recipients"])
        case "account":
            return value in (event["account"], event["to_account"])
        case "message_id":
            return bool(event["message_id"].strip("<>") == value.strip("<>"))
        case "id":
            return bool(event["id"] == value)
    return True  # "since": whatever happens now is later


def follow(relay: Relay, events: Iterator[ServerSentEvent]) -> Iterator[dict[str, Any]]:
    """Yield what happens, as objects of JSON.

    A connection that breaks is made again: the relay remembers its last events, for one who reads
    slowly for example.

    :param events: as the relay has begun to tell them.
    :raise UnreachableError: the relay has ended.
    """
    last = ""
    while True:
        before = last
        try:
            for event in events:
                last = event.id
                yield json.loads(event.data)
        except UnreachableError:
            if last == before:
                raise
        if last == before:
            return
        events = relay.events(last)
