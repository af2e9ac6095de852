"""All that is served: the API, and what docks beside it."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IReactorTime
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

from ..operations import Operations
from .api import Api, reply

_NOTHING = "there is nothing here; the API is at /api/v1"


class Page(Resource):
    """One path that can be read, with nothing below it.

    :param answer: answers a request, now or later.
    """

    isLeaf = True

    def __init__(self, answer: Callable[[Request], object]) -> None:
        super().__init__()
        self._answer = answer

    def render(self, request: Request) -> int:
        if request.postpath:
            reply(request, 404, {"error": "there is nothing below this path"})
        elif request.method in (b"GET", b"HEAD"):
            self._answer(request)
        else:
            request.setHeader("Allow", "GET, HEAD")
            reply(request, 405, {"error": "this can only be read: GET or HEAD"})
        return NOT_DONE_YET


class Folder(Resource):
    """Has others below it, and is nothing itself.

    :param nothing: what is said for all other paths.
    """

    def __init__(self, nothing: str) -> None:
        super().__init__()
        self._nothing = nothing

    def getChild(self, path: bytes, request: Request) -> Resource:  # noqa: ARG002
        return _Nothing(self._nothing)

    def render(self, request: Request) -> int:
        return _Nothing(self._nothing).render(request)


class _Nothing(Resource):
    """Stands for all paths that are not there."""

    isLeaf = True

    def __init__(self, said: str) -> None:
        super().__init__()
        self._said = said

    def render(self, request: Request) -> int:
        reply(request, 404, {"error": self._said})
        return NOT_DONE_YET


def make_root(operations: Operations, clock: IReactorTime) -> Resource:
    """Return the resources; others may be put beside ``api``, ``healthz`` for example."""
    root, api = Folder(_NOTHING), Folder(_NOTHING)
    api.putChild(b"v1", Api(operations, clock))
    root.putChild(b"api", api)
    return root
