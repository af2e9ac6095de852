"""Whether the relay lives (``/healthz``), and takes mail (``/readyz``): 200, else 503 and why."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred, succeed
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

from ..operations.health import ANSWER_WITHIN, Health
from .api import reply


class Probe(Resource):
    """Answers whether something is as it should be.

    :param ask: returns what is wrong; ``""``: nothing.
    """

    isLeaf = True

    def __init__(self, ask: Callable[[], Deferred[str]]) -> None:
        super().__init__()
        self._ask = ask

    def render_GET(self, request: Request) -> int:  # noqa: N802
        """Answer."""
        self._ask().addCallback(self._answer, request)
        return NOT_DONE_YET

    def _answer(self, wrong: str, request: Request) -> None:
        if wrong:
            reply(request, 503, {"ok": False, "error": wrong})
        else:
            reply(request, 200, {"ok": True})


def add_probes(root: Resource, health: Health, not_ready: Callable[[], str]) -> None:
    """Put ``/healthz`` and ``/readyz`` into a folder of resources."""
    root.putChild(b"healthz", Probe(lambda: health.well().addCallback(_in_words)))
    root.putChild(b"readyz", Probe(lambda: succeed(not_ready())))


def _in_words(well: bool) -> str:
    hangs = f"the writer of the spool has not answered within {ANSWER_WITHIN:.0f} s"
    return "" if well else hangs
