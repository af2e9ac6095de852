"""Whether the relay lives (``/healthz``), and takes mail (``/readyz``): 200, else 503 and why."""

from __future__ import annotations

from collections.abc import Callable

from twisted.web.resource import Resource
from twisted.web.server import Request

from ..web.api import reply
from ..web.root import Page
from .health import ANSWER_WITHIN, Health


def add_probes(root: Resource, health: Health, not_ready: Callable[[], str]) -> None:
    """Put ``/healthz`` and ``/readyz`` into a folder of resources."""
    root.putChild(
        b"healthz",
        Page(lambda request: health.well().addCallback(lambda well: _answer(request, _why(well)))),
    )
    root.putChild(b"readyz", Page(lambda request: _answer(request, not_ready())))


def _answer(request: Request, wrong: str) -> None:
    if wrong:
        reply(request, 503, {"ok": False, "error": wrong})
    else:
        reply(request, 200, {"ok": True})


def _why(well: bool) -> str:
    hangs = f"the writer of the spool has not answered within {ANSWER_WITHIN:.0f} s"
    return "" if well else hangs
