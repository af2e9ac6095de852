"""Looks at a request before anything else does: for which host it is, and who has it sent."""

from __future__ import annotations

import hmac
from collections.abc import Iterable

from twisted.web.server import Request

from .guard import forged, host_refused
from .reading import RequestError, value
from .sessions import Session


def check_origin(request: Request, method: str, names: Iterable[str]) -> None:
    """See that a request is meant for us, and sent by nobody's page but ours.

    :param names: by which we may be reached.
    :raise RequestError: it is not.
    """
    host = value(request, "Host")
    local = str(getattr(request.getHost(), "host", None) or "")
    if why := host_refused(host, {each.lower() for each in names}, local):
        raise RequestError(421, why)
    if why := forged(
        method,
        host=host,
        site=value(request, "Sec-Fetch-Site"),
        mode=value(request, "Sec-Fetch-Mode"),
        dest=value(request, "Sec-Fetch-Dest"),
        origin=value(request, "Origin"),
        secure=request.isSecure(),
    ):
        raise RequestError(403, why)


def check_token(request: Request, session: Session, form: dict[str, list[str]]) -> None:
    """See that a request has the token of its session; take it out of its form.

    :raise RequestError: it has not.
    """
    given = [*form.pop("token", []), value(request, "X-Token")]
    token = session.token.encode()
    if not any(hmac.compare_digest(each.encode(), token) for each in given):
        raise RequestError(403, "this form is of an earlier session; load the page again")
