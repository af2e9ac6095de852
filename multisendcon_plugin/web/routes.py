"""The paths of the API, and what each asks of `Operations`.

A handler gets what the request says, and answers a value, or an iteration over pieces of a list.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator, Callable, Mapping
from importlib.resources import files
from typing import Any, TypeVar

import attrs

from ..operations import Operations
from ..operations.configured import AccountKeys, NewText, Order, Removal, TableKeys
from ..operations.errors import BadRequestError
from ..operations.json_form import from_json
from ..operations.sign_ins import SignInStep
from ..operations.values import AccountTest, Chosen, Deletion, Filter, HistoryFilter, Move, Question

T = TypeVar("T")

#: What there is to ask, in OpenAPI 3.1; made of the values by ``tests.web.openapi``.
DESCRIPTION = json.loads(files(__package__).joinpath("openapi.json").read_bytes())
_NUMBER = re.compile("[0-9]{1,18}")


@attrs.frozen
class Call:
    """What a request says.

    :param name: what stands in the path for ``{name}`` or ``{id}``; ``""``: nothing does.
    :param query: what stands behind the path.
    :param body: objects, lists and plain values of JSON; ``None``: there is none.
    :param last_event: what ``Last-Event-ID:`` says; ``""``: nothing.
    :param as_lines: ``Accept:`` asks for lines of JSON.
    """

    operations: Operations
    name: str
    query: Mapping[str, str]
    body: Any
    last_event: str
    as_lines: bool

    def asked(self, kind: type[T]) -> T:
        """Return what the body asks for.

        :raise BadRequestError: it is not that.
        """
        return from_json({} if self.body is None else self.body, kind)


@attrs.frozen
class Listing:
    """A list, in pieces that are asked for when there is room."""

    pieces: AsyncGenerator[Any, None]


@attrs.frozen
class Events:
    """What happens from now on.

    :param after: and before, from this number on; ``None``: not so.
    """

    after: int | None


#: Answers a call: a value, a `Listing` or `Events`, at once or as an awaitable.
Handler = Callable[[Call], Any]


def _listing(call: Call, kind: type[T], listed: Callable[[T, int | None, str], Any]) -> Listing:
    asked = dict(call.query)
    limit = asked.pop("limit", None)
    after = asked.pop("after", "")
    return Listing(listed(from_json(asked, kind), None if limit is None else _count(limit), after))


def _count(text: str) -> int:
    if _NUMBER.fullmatch(text) and int(text):
        return int(text)
    raise BadRequestError(f'limit: "{text}" is no number of rows; write 1 or more')


def _events(call: Call) -> Events:
    return Events(int(call.last_event) if _NUMBER.fullmatch(call.last_event) else None)


def _test(call: Call) -> Any:
    asked = call.asked(AccountTest)
    if call.as_lines:
        return Listing(call.operations.test_steps(call.name, asked))
    return call.operations.test(call.name, asked)


def _login(call: Call) -> Any:
    return call.operations.sign_ins.begin_sign_in(call.name, call.asked(SignInStep))


def _configure(call: Call) -> Any:
    return call.operations.configuring.configure(call.asked(NewText))


def _configure_account(call: Call) -> Any:
    return call.operations.configuring.configure_account(call.name, call.asked(AccountKeys))


def _remove_account(call: Call) -> Any:
    return call.operations.configuring.remove_account(call.name, call.asked(Removal))


def _order_accounts(call: Call) -> Any:
    return call.operations.configuring.order_accounts(call.asked(Order))


def _configure_table(call: Call) -> Any:
    return call.operations.configuring.configure_table(call.name, call.asked(TableKeys))


async def _accounts(call: Call) -> Listing:
    return Listing(_one(await call.operations.accounts()))


async def _one(piece: Any) -> AsyncGenerator[Any, None]:
    yield piece


#: What may be asked for, by path and method.
ROUTES: Mapping[str, Mapping[str, Handler]] = {
    "openapi.json": {"GET": lambda _: DESCRIPTION},
    "events": {"GET": _events},
    "status": {"GET": lambda call: call.operations.status()},
    "accounts": {"GET": _accounts},
    "accounts/{name}": {"GET": lambda call: call.operations.account(call.name)},
    "accounts/{name}/test": {"POST": _test},
    "accounts/{name}/pause": {"POST": lambda call: call.operations.pause(call.name)},
    "accounts/{name}/resume": {"POST": lambda call: call.operations.resume(call.name)},
    "accounts/{name}/probe": {"POST": lambda call: call.operations.probe(call.name)},
    "accounts/{name}/login": {
        "GET": lambda call: call.operations.sign_ins.sign_in(call.name),
        "POST": _login,
    },
    "queue": {"GET": lambda call: _listing(call, Filter, call.operations.listing)},
    "queue/{id}": {"GET": lambda call: call.operations.message(call.name)},
    "queue/{id}/explain": {"GET": lambda call: call.operations.explain_waiting(call.name)},
    "queue/retry": {"POST": lambda call: call.operations.retry(call.asked(Chosen))},
    "queue/hold": {"POST": lambda call: call.operations.hold(call.asked(Chosen))},
    "queue/release": {"POST": lambda call: call.operations.release(call.asked(Chosen))},
    "queue/delete": {"POST": lambda call: call.operations.delete(call.asked(Deletion))},
    "queue/move": {"POST": lambda call: call.operations.move(call.asked(Move))},
    "history": {"GET": lambda call: _listing(call, HistoryFilter, call.operations.history)},
    "history/{id}": {"GET": lambda call: call.operations.story(call.name)},
    "explain": {"POST": lambda call: call.operations.explain(call.asked(Question))},
    "reload": {"POST": lambda call: call.operations.reload()},
    "configuration": {
        "GET": lambda call: call.operations.configuring.configuration(),
        "PUT": _configure,
    },
    "configuration/accounts": {
        "GET": lambda call: Listing(call.operations.configuring.configured_accounts()),
    },
    "configuration/accounts/{name}": {"PUT": _configure_account, "DELETE": _remove_account},
    "configuration/order": {"POST": _order_accounts},
    "configuration/tables/{name}": {"PUT": _configure_table},
}
