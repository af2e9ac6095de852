"""What a request says, read strictly: what can be understood in two ways is refused."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import parse_qs

from twisted.web.server import Request

#: Segments that a path may have; ours have fewer.
MOST_SEGMENTS = 16
#: Fields that a form may have.
MOST_FIELDS = 50_000
#: Octets of a form by which somebody signs in, whom we do not know yet.
SIGN_IN_FORM = 16 * 1024
_FORM = "application/x-www-form-urlencoded"


class RequestError(Exception):
    """A request is refused.

    :param headers: of the answer.
    """

    def __init__(self, status: int, text: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(text)
        self.status = status
        self.headers = headers or {}


def values(request: Request, name: str) -> list[str]:
    """Return the values of a header field; octets that are not ASCII are those of Latin-1."""
    # As octets: Twisted would fail to decode some.
    found = request.requestHeaders.getRawHeaders(name.encode()) or ()
    return [each.decode("latin-1") for each in found]


def value(request: Request, name: str) -> str:
    """Return the value of a header field; ``""``: there is none.

    :raise RequestError: there are several.
    """
    found = values(request, name)
    if len(found) > 1:
        raise RequestError(400, f"{name} is given twice")
    return found[0] if found else ""


def is_api(request: Request) -> bool:
    """Tell whether a program asks, which is answered by JSON."""
    return bool(request.path.startswith(b"/api/"))


def segments(request: Request) -> list[str]:
    """Return the segments of the path, each decoded; none for the first page.

    A slash that is encoded is part of its segment.

    :raise RequestError: there can be no such path.
    """
    if not request.path.startswith(b"/"):
        # RFC 9112, section 3.2.2: what is asked of a proxy, which we are not.
        raise RequestError(400, "what is asked for has to begin with a slash")
    octets = request.postpath or []
    if len(octets) > MOST_SEGMENTS:
        raise RequestError(404, "there is no path of so many segments")
    try:
        found = [each.decode() for each in octets]
    except UnicodeDecodeError:
        raise RequestError(404, "the path is no UTF-8") from None
    return found[:-1] if found[-1:] == [""] else found


def query(request: Request) -> dict[str, str]:
    """Return what stands behind the path; of what stands there twice, the last.

    What is no UTF-8 is shown as such: it may be a part of what strangers wrote, in a link of ours.
    """
    return {
        name.decode("utf-8", "replace"): each[-1].decode("utf-8", "replace")
        for name, each in request.args.items()
    }


def form(request: Request, longest: int | None = None) -> dict[str, list[str]]:
    """Return the fields of a form, each with all its values.

    :param longest: octets that it may have.
    :raise RequestError: it cannot be read.
    """
    content: Any = request.content
    octets = content.getvalue()
    if content.too_long or (longest is not None and len(octets) > longest):
        raise RequestError(413, "the form is too long")
    kind = value(request, "Content-Type").partition(";")[0].strip().lower()
    if octets and kind not in ("", _FORM):
        raise RequestError(415, f"a form has to be sent as {_FORM}")
    try:
        return parse_qs(
            octets.decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=MOST_FIELDS,
        )
    except ValueError:
        raise RequestError(400, "the form cannot be read") from None


def is_dry_run(request: Request) -> bool:
    """Tell whether a body of JSON says that nothing is to be done."""
    content: Any = request.content
    octets = content.getvalue()
    if b"dry_run" not in octets:
        return False
    try:
        asked = json.loads(octets)
    except (ValueError, RecursionError):
        return False
    return isinstance(asked, dict) and asked.get("dry_run") is True


def told(request: Request, method: str) -> str:
    """Return what was asked for, without anything of a form."""
    return f"{method} {request.path.decode('latin-1')}"


def not_possible(method: str, possible: Iterable[str]) -> RequestError:
    """Return that a method is not one of those that are possible."""
    return RequestError(405, f"{method[:20]} is not possible here", {"Allow": ", ".join(possible)})
