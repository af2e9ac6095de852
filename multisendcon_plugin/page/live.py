"""What pages are told while they are open: the board of the overview, and the flow of mails.

One sampler for all of them: each message is made once, however many are open, and nothing is made,
counted or listened to when none is.  A page hears:

* ``flow``: what has happened to mails, a part of it if it is much; with a number by which a page
  that comes again hears what it has missed.
* ``board``: the board as HTML; ``cells``: those of its cells that have another text now.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.web.server import Request

from ..operations import Operations
from ..operations.flow import Flow
from ..operations.parts import Part
from ..web.event_stream import Stream, message
from .board import Board, board, changed
from .passing import row

#: Pages that may be open at the same time.
MOST = 64
#: Seconds from one sample to the next.
EVERY = 1.0
#: Rows of the flow in a sample, and those that are kept for pages that come.
ROWS, KEPT = 10, 200
#: Seconds for which the flow goes on for a page that has lost its connection.
LINGER = 10.0
#: Parts of the time that are left to the mail for each that the boards take.
LEFT = 49


@attrs.define(eq=False)
class _Page:
    """One that is open.

    :ivar holds: who looks at it still may.
    """

    stream: Stream
    view: _View
    holds: Callable[[], bool]


@attrs.define(eq=False)
class _View:
    """What some pages look at: the same accounts.

    :ivar board: as they have it; ``None``: they have none yet.
    :ivar whole: the message of it; ``None``: it has not been made of what it is now.
    """

    part: Part
    board: Board | None = None
    whole: bytes | None = None
    pages: set[_Page] = attrs.field(factory=set)


class LivePages:
    """The pages that are open.

    :param html: makes HTML of a template.
    :param clock: the spool's.
    """

    log = Logger()

    def __init__(
        self,
        operations: Operations,
        html: Callable[[str, Mapping[str, Any]], bytes],
        clock: IReactorTime,
    ) -> None:
        self._operations = operations
        self._html = html
        self._clock = clock
        self._views: dict[Part, _View] = {}
        self._flow: Flow | None = None
        self._timer: IDelayedCall | None = None
        self._left_at = 0.0
        # Higher than before a restart: there is at most one in a second.
        self._number = int(clock.seconds())
        self._kept: deque[tuple[int, int, bytes]] = deque()
        self._drawing = False
        self._draw_at = 0.0

    @property
    def full(self) -> bool:
        """No more pages may be open."""
        return len(self._pages) >= MOST

    @property
    def _pages(self) -> list[_Page]:
        return [page for view in self._views.values() for page in view.pages]

    def begin(self, request: Request, part: Part, holds: Callable[[], bool]) -> None:
        """Tell a page what happens, until it goes.

        :param holds: says whether who looks at it still may.
        """
        if request.method == b"HEAD":
            request.setHeader("Content-Type", "text/event-stream")
            request.finish()
            return
        view = self._views.setdefault(part, _View(part))
        page = _Page(Stream(request, self._clock), view, holds)
        request.notifyFinish().addBoth(lambda _: self._gone(page))
        after = request.getHeader(b"Last-Event-ID") or b""
        seen = int(after) if after.isdigit() and len(after) < 19 else 0
        missed = b"".join(octets for number, _, octets in self._kept if number > seen)
        page.stream.send(b"retry: 2000\n\n" + missed)
        if view.board is not None:
            page.stream.send(self._whole(view))
        view.pages.add(page)
        self._go_on()

    def _gone(self, page: _Page) -> None:
        page.view.pages.discard(page)
        if not page.view.pages and self._views.get(page.view.part) is page.view:
            del self._views[page.view.part]
        self._left_at = self._clock.seconds()

    def _go_on(self) -> None:
        if self._timer is None:
            self._flow = self._operations.flow()
            self._timer = self._clock.callLater(0, self._sample)

    def _sample(self) -> None:
        pages = self._pages
        for page in pages:
            if not page.holds():
                page.stream.close()
        if not pages and self._clock.seconds() >= self._left_at + LINGER:
            self.stop()
            return
        self._timer = self._clock.callLater(EVERY, self._sample)
        if self._flow is not None:
            self._tell_flow(*self._flow.take(ROWS))
        if self._views and not self._drawing and self._clock.seconds() >= self._draw_at:
            self._drawing = True
            Deferred.fromCoroutine(self._draw()).addErrback(self._failed).addBoth(self._drawn)

    def stop(self) -> None:
        """Listen to nothing any more."""
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        if self._flow is not None:
            self._flow.end()
        self._timer = self._flow = None
        self._kept.clear()

    # The flow.

    def _tell_flow(self, told: list[dict[str, Any]], left_out: int) -> None:
        if not told and not left_out:
            return
        self._number += 1
        plain = {"rows": [row(each) for each in told], "left_out": left_out}
        octets = message("flow", plain, self._number)
        self._kept.append((self._number, len(told), octets))
        while sum(rows for _, rows, _ in self._kept) > KEPT:
            self._kept.popleft()
        for page in self._pages:
            page.stream.send(octets)

    # The boards.

    async def _draw(self) -> None:
        taken = 0.0
        for view in tuple(self._views.values()):
            overview = await self._operations.overviews.of(view.part)
            began = self._clock.seconds()
            drawn = board(overview, view.part, self._operations.now())
            if view.pages:
                self._show(view, drawn)
            taken += self._clock.seconds() - began
        self._draw_at = self._clock.seconds() + LEFT * taken

    def _show(self, view: _View, drawn: Board) -> None:
        cells = changed(view.board, drawn) if view.board is not None else None
        if cells == {}:
            return
        view.board, view.whole = drawn, None
        octets = self._whole(view) if cells is None else message("cells", cells)
        for page in tuple(view.pages):
            page.stream.send(octets)

    def _whole(self, view: _View) -> bytes:
        if view.whole is None:
            html = self._html("board.html", {"board": view.board}).decode()
            view.whole = message("board", {"html": html})
        return view.whole

    def _failed(self, failure: Any) -> None:
        self.log.failure("internal error of the page (a bug); traceback follows", failure)

    def _drawn(self, _: object) -> None:
        self._drawing = False
