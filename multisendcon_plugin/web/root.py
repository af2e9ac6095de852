"""All that is served: the API, and what docks beside it."""

from __future__ import annotations

from twisted.internet.interfaces import IReactorTime
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

from ..operations import Operations
from .api import Api, reply


class _Folder(Resource):
    """Has others below it, and is nothing itself."""

    def getChild(self, path: bytes, request: Request) -> Resource:  # noqa: ARG002
        return _Nothing()

    def render(self, request: Request) -> int:
        return _Nothing().render(request)


class _Nothing(Resource):
    """Stands for all paths that are not there."""

    isLeaf = True

    def render(self, request: Request) -> int:
        reply(request, 404, {"error": "there is nothing here; the API is at /api/v1"})
        return NOT_DONE_YET


def make_root(operations: Operations, clock: IReactorTime) -> Resource:
    """Return the resources; others may be put beside ``api``, ``healthz`` for example."""
    root, api = _Folder(), _Folder()
    api.putChild(b"v1", Api(operations, clock))
    root.putChild(b"api", api)
    return root
