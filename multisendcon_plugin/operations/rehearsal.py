"""An intake that keeps a mail to itself: so it is seen what the edge makes of one."""

from __future__ import annotations

import attrs
from twisted.internet.defer import Deferred, succeed
from zope.interface import implementer

from ..interfaces import IDraft, IIntake
from ..mail.envelope import Envelope
from ..mail.message import ADDED_DOT, Message, Parcel


@implementer(IDraft)
@attrs.define
class _Draft:
    """A message that nobody stores."""

    number: int = 0
    content: bytes = b""

    def write(self, data: bytes) -> None:
        self.content += data

    def discard(self) -> None:
        """Do nothing: nobody else has it."""


@implementer(IIntake)
class Rehearsal:
    """Takes over one message, for nobody."""

    full = False

    def __init__(self) -> None:
        self._draft = _Draft()
        self._envelope = Envelope(reverse_path="", recipients=())
        self._header_size = 0

    def draft(self, number: int | None = None) -> IDraft:  # noqa: ARG002 -- it is one of none
        return self._draft

    def commit(
        self,
        draft: IDraft,  # noqa: ARG002 -- there is one
        envelope: Envelope,
        header_size: int,
        parcels: tuple[Parcel, ...],  # noqa: ARG002 -- they are told with all reasons
    ) -> Deferred[None]:
        self._envelope, self._header_size = envelope, header_size
        return succeed(None)

    @property
    def content(self) -> bytes:
        """Of the message, in wire form."""
        return self._draft.content

    def message(self, now: float) -> Message:
        """Return it as it would be stored."""
        return Message(
            number=self._draft.number,
            envelope=self._envelope,
            size=len(self.content),
            header_size=self._header_size,
            arrived=now,
            dots=self.content.count(ADDED_DOT),
        )
