"""Which route a path has, in the tables of the API and of the page.  Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

T = TypeVar("T")

#: No path of a table has more segments.
_MOST_SEGMENTS = 4


def find(routes: Mapping[str, T], segments: Sequence[str]) -> tuple[T, str] | None:
    """Return what is at a path, and what stands in it for a name.

    :param routes: by path; in one of its segments, ``{name}`` or ``{id}`` stands for any.
    :param segments: of the path, decoded: a name may have slashes.
    """
    if len(segments) > _MOST_SEGMENTS:
        return None
    # One with a slash in it is no path of a table.
    path = [each.replace("/", "%2F") for each in segments]
    exact = routes.get("/".join(path))
    if exact is not None and not any(each.startswith("{") for each in path):
        return exact, ""
    for place, segment in enumerate(segments):
        for slot in ("{name}", "{id}"):
            found = routes.get("/".join([*path[:place], slot, *path[place + 1 :]]))
            if found is not None:
                return found, segment
    return None
