"""What becomes of a question to the DNS, and the contract of who answers it.

That a name or a record is not there is an answer; that nobody could say is a `DnsError`.
"""

from __future__ import annotations

import enum
from typing import Protocol

import attrs
from twisted.internet.defer import Deferred

from ..errors import MultisendconError
from .records import Record

#: The types of records that may be asked for.
TYPES = ("A", "AAAA", "MX", "PTR", "TLSA", "TXT")


class Kind(enum.Enum):
    """What the DNS says of a name and a type (RFC 2308 section 2)."""

    FOUND = "found"
    #: The name is there, without records of this type.
    NO_DATA = "no data"
    #: There is no such name.
    NO_NAME = "no name"


@attrs.frozen(kw_only=True)
class Answer:
    """What the DNS says.

    :param records: of the type that was asked for, in any order; none unless `kind` is `FOUND`.
    :param secure: it was verified (DNSSEC) by a server that is believed; also that something is
        not there.  That a name stands for another one is part of it.
    :param canonical: the name that has the records: the one at the end of its aliases (CNAME).
    :param expires: until when it holds, in seconds of the clock of the reactor.
    """

    kind: Kind
    records: tuple[Record, ...] = ()
    secure: bool = False
    canonical: str
    expires: float


class DnsError(MultisendconError):
    """The DNS gives no answer; the text says which question, and why.

    :param temporary: there may be one later: no server answers, or the domain is in disorder.
        Else what was asked for is no name, and never will be.
    :param nobody: whatever is asked, no server answers.
    """

    def __init__(self, text: str, *, temporary: bool = True, nobody: bool = False) -> None:
        super().__init__(text)
        self.temporary = temporary
        self.nobody = nobody


class Names(Protocol):
    """Who answers questions."""

    def query(self, name: str, rdtype: str) -> Deferred[Answer]:
        """Ask for the records of a name.

        Names are absolute, with or without the dot at the end, in ASCII (A-labels).  The Deferred
        may be cancelled.

        :param rdtype: one of `TYPES`.
        :raise DnsError: in the Deferred: there is no answer.
        """
