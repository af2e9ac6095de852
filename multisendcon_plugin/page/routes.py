"""The paths of the page, and what answers at each.

Below a path that ends with a name in braces, that is what stands in its place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .answers import Handler
from .pages import configuration, explain, overview

#: Links, in the order of the page.
NAVIGATION: Mapping[str, str] = {
    "Overview": "/",
    "Explain": "/explain",
    "Configuration": "/configuration",
}

#: By path and method.
ROUTES: Mapping[str, Mapping[str, Handler]] = {
    "": {"GET": overview.show},
    "configuration": {"GET": configuration.show, "POST": configuration.save},
    "configuration/reload": {"POST": configuration.reload},
    "explain": {"GET": explain.show, "POST": explain.answer},
}


def find(segments: Sequence[str]) -> tuple[Mapping[str, Handler], str] | None:
    """Return what answers at a path, by method, and what stands in it for a name.

    :param segments: of the path, decoded.
    """
    exact = ROUTES.get("/".join(segments))
    if exact is not None and not any(each.startswith("{") for each in segments):
        return exact, ""
    for place, segment in enumerate(segments):
        for slot in ("{name}", "{id}"):
            found = ROUTES.get("/".join([*segments[:place], slot, *segments[place + 1 :]]))
            if found is not None:
                return found, segment
    return None
