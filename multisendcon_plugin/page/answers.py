"""What a page is asked, and what it answers: plain values between pages and HTTP."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import attrs

from ..operations import Operations
from ..operations.errors import BadRequestError
from ..settings.admins import Admin, Role
from .kept import Kept
from .live import LivePages


@attrs.frozen(kw_only=True)
class Asked:
    """A request for a page.

    :param name: what stands in the path for ``{name}`` or ``{id}``; ``""``: nothing does.
    :param query: what stands behind the path; of what stands there twice, the last.
    :param form: the fields of a form, each with all its values, in their order.
    :param admin: who asks.
    :param live: the pages that are open.
    :param holds: says whether who asks has not signed out since, nor lost a right.
    :param kept: secrets that they have written, and not saved.
    :param in_thread: has a function called in a thread, which takes longer than mail should wait.
    """

    operations: Operations
    admin: Admin
    live: LivePages
    holds: Callable[[], bool]
    kept: Kept = attrs.field(factory=Kept)
    name: str = ""
    query: Mapping[str, str] = attrs.field(factory=dict)
    form: Mapping[str, list[str]] = attrs.field(factory=dict)
    in_thread: Callable[..., Awaitable[Any]]

    def may(self, role: Role) -> bool:
        """Tell whether who asks may do what a role allows."""
        return self.admin.role.includes(role)

    def field(self, name: str, default: str = "") -> str:
        """Return the value of a field of the form that has one.

        :raise BadRequestError: it has several.
        """
        values = self.form.get(name, [default])
        if len(values) != 1:
            raise BadRequestError(f"{name} is given twice")
        return values[0]


@attrs.frozen(kw_only=True)
class Shown:
    """A page, or a piece of one that a script has asked for.

    :param template: its name.
    :param values: what the template is given.
    :param status: of HTTP.
    :param acted: what was done, as a sentence for the log; ``""``: nothing was.
    :param slow: it may be so long that its HTML is made in a thread.
    """

    template: str
    values: Mapping[str, Any] = attrs.field(factory=dict)
    status: int = 200
    acted: str = ""
    slow: bool = False


@attrs.frozen(kw_only=True)
class Done:
    """Something was done; another page tells of it.

    :param to: the path of that page, with a leading slash.
    :param text: what was done, as a sentence; so the log has it, too.
    """

    to: str
    text: str
    details: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class Streamed:
    """What goes on: is given the request and its clock, and ends it."""

    begin: Callable[[Any, Any], None]


Answer = Shown | Done | Streamed
#: Answers a request.
Handler = Callable[[Asked], Awaitable[Answer]]
