"""The paths of the page, and what answers at each.

Below a path that ends with a name in braces, that is what stands in its place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .answers import Handler
from .pages import changes, mails, overview, queue

#: Links, in the order of the page.
NAVIGATION: Mapping[str, str] = {"Overview": "/", "Mails": "/mails", "Queue": "/queue"}

#: By path and method.
ROUTES: Mapping[str, Mapping[str, Handler]] = {
    "": {"GET": overview.show},
    "mails": {"GET": mails.show},
    "mails/{id}": {"GET": mails.show_one},
    "queue": {"GET": queue.show},
    # Whoever loads the page of a question anew sees from where it came.
    **{
        f"mails/{{id}}/{verb}": {"GET": mails.show_one, "POST": changes.of_mail(verb)}
        for verb in changes.DONE
    },
    **{
        f"queue/{verb}": {"GET": queue.show, "POST": changes.of_queue(verb)}
        for verb in changes.DONE
    },
    "live": {"GET": overview.stream},
}


def find(segments: Sequence[str]) -> tuple[Mapping[str, Handler], str] | None:
    """Return what answers at a path, by method, and what stands in it for a name.

    :param segments: of the path, decoded: a name may have slashes.
    """
    # One with a slash in it is no path of ours.
    path = [each.replace("/", "%2F") for each in segments]
    exact = ROUTES.get("/".join(path))
    if exact is not None and not any(each.startswith("{") for each in path):
        return exact, ""
    for place in range(len(path)):
        for slot in ("{name}", "{id}"):
            found = ROUTES.get("/".join([*path[:place], slot, *path[place + 1 :]]))
            if found is not None:
                return found, segments[place]
    return None
