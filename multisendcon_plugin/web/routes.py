"""The paths of the API, and what each asks of `Operations`.

A handler gets what the request says, and answers a value, or an iteration over pieces of a list.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Any, TypeVar

import attrs

from ..operations import Operations
from ..operations.errors import BadRequestError
from ..operations.json_form import from_json
from ..operations.values import AccountTest, Chosen, Deletion, Filter, Move

T = TypeVar("T")


@attrs.frozen
class Call:
    """What a request says.

    :param name: what stands in the path for ``{name}`` or ``{id}``; ``""``: nothing does.
    :param query: what stands behind the path.
    :param body: objects, lists and plain values of JSON; ``None``: there is none.
    """

    operations: Operations
    name: str
    query: Mapping[str, str]
    body: Any

    def asked(self, kind: type[T]) -> T:
        """Return what the body asks for.

        :raise BadRequestError: it is not that.
        """
        return from_json({} if self.body is None else self.body, kind)


@attrs.frozen
class Listing:
    """A list, in pieces that are asked for when there is room."""

    pieces: AsyncGenerator[Any, None]


#: Answers a call: a value or a `Listing`, at once or as an awaitable.
Handler = Callable[[Call], Any]


def _queue(call: Call) -> Listing:
    asked = dict(call.query)
    limit = asked.pop("limit", None)
    after = asked.pop("after", "")
    return Listing(
        call.operations.listing(
            from_json(asked, Filter), None if limit is None else _count(limit), after
        )
    )


def _count(text: str) -> int:
    if text.isascii() and text.isdigit() and 0 < len(text) < 10 and int(text):
        return int(text)
    raise BadRequestError(f'limit: "{text}" is no number of rows; write 1 or more')


async def _accounts(call: Call) -> Listing:
    return Listing(_one(await call.operations.accounts()))


async def _one(piece: Any) -> AsyncGenerator[Any, None]:
    yield piece


#: What may be asked for, by path and method.
ROUTES: Mapping[str, Mapping[str, Handler]] = {
    "status": {"GET": lambda call: call.operations.status()},
    "accounts": {"GET": _accounts},
    "accounts/{name}": {"GET": lambda call: call.operations.account(call.name)},
    "accounts/{name}/test": {
        "POST": lambda call: call.operations.test(call.name, call.asked(AccountTest))
    },
    "accounts/{name}/pause": {"POST": lambda call: call.operations.pause(call.name)},
    "accounts/{name}/resume": {"POST": lambda call: call.operations.resume(call.name)},
    "accounts/{name}/probe": {"POST": lambda call: call.operations.probe(call.name)},
    "queue": {"GET": _queue},
    "queue/{id}": {"GET": lambda call: call.operations.message(call.name)},
    "queue/retry": {"POST": lambda call: call.operations.retry(call.asked(Chosen))},
    "queue/hold": {"POST": lambda call: call.operations.hold(call.asked(Chosen))},
    "queue/release": {"POST": lambda call: call.operations.release(call.asked(Chosen))},
    "queue/delete": {"POST": lambda call: call.operations.delete(call.asked(Deletion))},
    "queue/move": {"POST": lambda call: call.operations.move(call.asked(Move))},
}


def find(segments: list[str]) -> tuple[Mapping[str, Handler], str] | None:
    """Return what may be asked for at a path, by method, and what stands in it for a name.

    :param segments: of the path, decoded.
    """
    exact = ROUTES.get("/".join(segments))
    if exact is not None and not any(each.startswith("{") for each in segments):
        return exact, ""
    if len(segments) > 1:
        for slot in ("{name}", "{id}"):
            found = ROUTES.get("/".join([segments[0], slot, *segments[2:]]))
            if found is not None:
                return found, segments[1]
    return None
