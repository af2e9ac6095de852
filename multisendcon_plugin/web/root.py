"""All that is served: the API, and what docks beside it."""

from __future__ import annotations

from twisted.internet.interfaces import IReactorTime
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

from ..operations import Operations
from .api import Api, reply

_NOTHING = "there is nothing here; the API is at /api/v1"


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
