"""Takes the copies of outgoing mail while it is sent, and has them written in a thread.

Whoever sends only appends to a queue, which is bounded: a full, slow or hanging disk costs copies,
and never delays a mail.  That copies are missing is told once, and when it is over.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from zope.interface import implementer

from ..events import ArchiveFailed, ArchiveRecovered, Publisher
from ..interfaces import IArchive, ICopy
from ..mail.message import Delivery
from ..outcome.attempt import Outcome, Verdict
from ..settings.operation import ArchiveSettings
from ..times import iso
from .copy_file import CopyFile
from .folder import LOOK_EVERY, ArchiveFolder

#: Octets that may wait for the disk.
MOST_WAITING = 64 * 1024 * 1024
#: Octets that each piece takes besides its own.
_OVERHEAD = 1024
#: Seconds without a missing copy, after which that is over.
CALM = 60.0
#: Seconds that a stop waits for what is not written yet.
STOPS_WITHIN = 5.0

_SLOW = "the disk does not keep up"
#: The server has the mail, or may have it.
_SENT = (Verdict.DELIVERED, Verdict.UNCERTAIN)


@implementer(IArchive)
class Archive(Service):
    """The archive of a relay.

    :param reactor: is called from the thread, and is the clock.
    :param wall: seconds since the epoch.
    :ivar missing: copies that are, since it was told last that none was.
    """

    def __init__(
        self,
        settings: ArchiveSettings,
        events: Publisher,
        reactor: Any,
        wall: Callable[[], float],
    ) -> None:
        self._settings = settings
        self._events = events
        self._reactor = reactor
        self._wall = wall
        self.missing = 0
        self._failed_at = 0.0
        self._writer: _Writer | None = None

    def startService(self) -> None:
        """Begin to keep copies, if there is a place for them."""
        super().startService()
        if self._settings.path:
            self._writer = _Writer(self, self._settings, self._reactor, self._wall)

    def reconfigure(self, settings: ArchiveSettings) -> None:
        """Keep copies by other settings from now on; those that were begun are finished."""
        if settings == self._settings:
            return
        self._settings = settings
        if self._writer is not None:
            # Without a place for new ones, those that are there stay.
            if settings.path:
                self._writer.change(settings)
        elif self.running:
            self.startService()

    def stopService(self) -> Deferred[None] | None:
        """Finish what is being written, unless that takes long."""
        super().stopService()
        writer, self._writer = self._writer, None
        if writer is None:
            return None
        ended = writer.ended
        timer = self._reactor.callLater(STOPS_WITHIN, writer.end)

        def in_time(_: None) -> None:
            if timer.active():
                timer.cancel()

        writer.change(None)
        return ended.addCallback(in_time)

    def begin(self, delivery: Delivery, reverse_path: str) -> ICopy | None:
        """Begin the copy of a mail that is about to be sent."""
        if self._writer is None or not self._settings.path:
            return None
        return _Copy(self, self._writer, delivery, reverse_path)

    def failed(self, error: str) -> None:
        """A copy is missing."""
        self.missing += 1
        self._failed_at = self._reactor.seconds()
        if self.missing == 1:
            self._events.publish(ArchiveFailed(error))

    def kept(self) -> None:
        """A copy was kept."""
        if self.missing and self._reactor.seconds() - self._failed_at >= CALM:
            missing, self.missing = self.missing, 0
            self._events.publish(ArchiveRecovered(missing))


@implementer(ICopy)
class _Copy:
    """A mail that is being sent.

    :ivar file: of the thread's; ``None``: there is none.
    :ivar error: of the thread's: why it cannot be kept.
    """

    def __init__(
        self, archive: Archive, writer: _Writer, delivery: Delivery, reverse_path: str
    ) -> None:
        self._archive = archive
        self._writer = writer
        self._delivery = delivery
        self._reverse_path = reverse_path
        self._begun = self._dropped = False
        self.file: CopyFile | None = None
        self.error = ""

    def write(self, octets: bytes) -> None:
        """Take a piece of the content, in wire form."""
        if self._dropped:
            return
        if self._writer.has_room:
            self._begun = True
            self._writer.put(self, octets)
        else:
            self._dropped = True
            self.discard()

    def end(self, outcomes: tuple[Outcome, ...], session: str) -> None:
        """Keep it if it was sent; else have it never been."""
        if not any(each.verdict in _SENT for each in outcomes):
            self.discard()
        elif self._dropped:
            self._archive.failed(_SLOW)
        elif self._begun:
            self._writer.put(self, (self._name(), self._facts(outcomes, session)))

    def discard(self) -> None:
        """Have it never been."""
        # What has nothing there leaves nothing there: the disk may hang for long.
        if self._begun:
            self._begun = False
            self._writer.put(self, None)

    def _name(self) -> str:
        delivery = self._delivery
        return f"{delivery.message.id}-{delivery.account}-{delivery.attempts + 1}"

    def _facts(self, outcomes: tuple[Outcome, ...], session: str) -> dict[str, Any]:
        delivery, message = self._delivery, self._delivery.message
        sent = self._writer.wall()
        recipients = [
            {
                "address": each.recipient.address,
                "verdict": each.verdict,
                "reply": str(each.reply),
            }
            for each in outcomes
        ]
        return {
            "id": message.id,
            "account": delivery.account,
            "attempt": delivery.attempts + 1,
            "arrived": message.arrived,
            "arrived_at": iso(message.arrived),
            "sent": sent,
            "sent_at": iso(sent),
            "sender": self._reverse_path,
            "recipients": recipients,
            "session": session,
        }


#: A piece of a copy; its name and facts at its end; ``None``: it is discarded.
_Work = bytes | tuple[str, dict[str, Any]] | None


class _Writer:
    """The thread that writes; a daemon, since the disk may hang for ever.

    :param archive: is told of what was kept and what was not, in the reactor's thread.
    :ivar ended: fires when all is written.
    """

    def __init__(
        self, archive: Archive, settings: ArchiveSettings, reactor: Any, wall: Callable[[], float]
    ) -> None:
        self._archive = archive
        self._settings = settings
        self._reactor = reactor
        self.wall = wall
        self._folder: ArchiveFolder | None = None
        self._inbox: SimpleQueue[tuple[_Copy, _Work] | ArchiveSettings | None] = SimpleQueue()
        # Each is changed by one thread only: what waits is their difference.
        self._put = self._taken = 0
        self.ended: Deferred[None] = Deferred()
        Thread(target=self.run, name="archive", daemon=True).start()

    @property
    def has_room(self) -> bool:
        """The disk keeps up."""
        return self._put - self._taken < MOST_WAITING

    def put(self, copy: _Copy, work: _Work) -> None:
        """Let something be done."""
        self._put += _cost(work)
        self._inbox.put((copy, work))

    def change(self, settings: ArchiveSettings | None) -> None:
        """Let other settings hold for what is put from now on; ``None``: there will be nothing."""
        self._inbox.put(settings)

    def run(self) -> None:
        """Work; in the thread."""
        more = self._prune()  # which sweeps it first
        while True:
            try:
                found = self._inbox.get(timeout=0 if more else LOOK_EVERY)
            except Empty:
                more = self._prune()
                continue
            if found is None:
                break
            if isinstance(found, ArchiveSettings):
                self._settings, self._folder, more = found, None, True
                continue
            copy, work = found
            self._do(copy, work)
            self._taken += _cost(work)
            if isinstance(work, tuple):
                more = self._prune()
        self._reactor.callFromThread(self.end)

    def end(self) -> None:
        """All is written, or is waited for no longer."""
        if not self.ended.called:
            self.ended.callback(None)

    def _do(self, copy: _Copy, work: _Work) -> None:
        try:
            if isinstance(work, bytes):
                self._write(copy, work)
            elif work is None:
                self._discard(copy)
            elif copy.file is not None:
                file, copy.file = copy.file, None
                self._open().keep(file, *work)
        except OSError as error:
            copy.error = error.strerror or str(error)
            with suppress(OSError):
                self._discard(copy)
        if isinstance(work, tuple):
            if copy.error:
                self._reactor.callFromThread(self._archive.failed, copy.error)
            elif self._archive.missing:
                self._reactor.callFromThread(self._archive.kept)

    def _write(self, copy: _Copy, octets: bytes) -> None:
        if not copy.error:
            copy.file = copy.file or self._open().begin()
            copy.file.write(octets)

    def _discard(self, copy: _Copy) -> None:
        file, copy.file = copy.file, None
        if file is not None:
            file.remove()

    def _open(self) -> ArchiveFolder:
        if self._folder is None:
            self._folder = ArchiveFolder(self._settings, self.wall)
        return self._folder

    def _prune(self) -> bool:
        try:
            return self._open().prune()
        except OSError:
            return False  # whoever wants to write there tells it


def _cost(work: _Work) -> int:
    """Return the octets that something takes while it waits, its objects included."""
    return _OVERHEAD + (len(work) if isinstance(work, bytes) else 0)
