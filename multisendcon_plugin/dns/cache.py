"""What has been answered, for as long as it holds, within bounds.  Pure."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

import attrs

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


@attrs.frozen
class _Entry(Generic[Value]):
    value: Value
    expires: float
    size: int


class Cache(Generic[Key, Value]):
    """Keeps values until they expire, and those that were last used when there are too many.

    :param most: entries.
    :param room: for the sizes of all entries together.
    """

    def __init__(self, most: int, room: int) -> None:
        self._most = most
        self._room = room
        self._used = 0
        self._entries: OrderedDict[Key, _Entry[Value]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: Key, now: float) -> Value | None:
        """Return what is kept and still holds."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        if entry.expires <= now:
            self._drop(key)
            return None
        self._entries.move_to_end(key)
        return entry.value

    def put(self, key: Key, value: Value, expires: float, size: int) -> None:
        """Keep a value until a time; `size` is in the unit of the room."""
        self._drop(key)
        self._entries[key] = _Entry(value, expires, size)
        self._used += size
        while len(self._entries) > self._most or self._used > self._room:
            self._drop(next(iter(self._entries)))

    def _drop(self, key: Key) -> None:
        if entry := self._entries.pop(key, None):
            self._used -= entry.size
