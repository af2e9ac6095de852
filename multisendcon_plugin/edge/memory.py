"""Limits the memory that incoming mails take, for all clients together and for each.

What is counted grows with what clients send: recipients, by the size of their text, and the
header.  The rest of the content goes to the disk as it comes.  It is given back when the
transaction ends; after the final dot, when the spool has answered, although the client has hung
up.  Pure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from ..mail.reply import ReplyError
from . import replies
from .peers import Place

#: Octets for all mails under way, and for those of one address (a /64 of IPv6).
MOST_OCTETS = 256 * 1024 * 1024
MOST_OCTETS_OF_ONE = MOST_OCTETS // 4
#: What a mail may take without being counted, so that a usual one costs a comparison; and by how
#: much it is counted when it takes more.
STEP = 64 * 1024


class Memory:
    """The octets that are counted.

    :ivar taken: by all.
    """

    def __init__(self) -> None:
        self.taken = 0
        self._by_place: Counter[Place | None] = Counter()

    def take(self, place: Place | None, octets: int) -> str:
        """Count octets; return which limit forbids it, for the log, or ``""``.

        :param place: what a client is counted by; ``None``: it came by a local socket, and all of
            these are counted together.
        """
        if self.taken + octets > MOST_OCTETS:
            return f"mails under way take {MOST_OCTETS >> 20} MiB of memory"
        if self._by_place[place] + octets > MOST_OCTETS_OF_ONE:
            return f"its mails under way take {MOST_OCTETS_OF_ONE >> 20} MiB of memory"
        self.taken += octets
        self._by_place[place] += octets
        return ""

    def give_back(self, place: Place | None, octets: int) -> None:
        """Count octets no longer."""
        self.taken -= octets
        self._by_place[place] -= octets
        if not self._by_place[place]:
            del self._by_place[place]


class MailMemory:
    """The memory of the mail that a session has under way.

    :param refused: told which limit is reached.
    """

    def __init__(self, memory: Memory, place: Place | None, refused: Callable[[str], None]) -> None:
        self._memory = memory
        self._place = place
        self._refused = refused
        self._held = 0
        self._room = STEP

    def hold(self, octets: int) -> None:
        """Take memory until `release`.

        :raise ReplyError: a limit is reached.
        """
        held = self._held + octets
        if held > self._room:
            more = -(-(held - self._room) // STEP) * STEP
            if why := self._memory.take(self._place, more):
                self._refused(why)
                raise ReplyError(replies.MEMORY_FULL)
            self._room += more
        self._held = held

    def release(self) -> None:
        """Give it all back: the mail is taken, refused or forgotten."""
        if self._room > STEP:
            self._memory.give_back(self._place, self._room - STEP)
            self._room = STEP
        self._held = 0
