"""Values as the page writes them for people: times, sizes, spans of time.  Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

_KEY = re.compile("[a-z_]+: ")


def moment(seconds: float | None) -> str:
    """Return a time in seconds since the epoch as one of UTC; ``""`` for none."""
    if seconds is None:
        return ""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"


def machine_moment(seconds: float | None) -> str:
    """Return the same for the attribute ``datetime``."""
    return "" if seconds is None else f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"


def span(seconds: float | None) -> str:
    """Return a span of time in its two greatest units; ``""`` for none."""
    if seconds is None:
        return ""
    left = max(round(seconds), 0)
    parts: list[str] = []
    for name, size in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        count, left = divmod(left, size)
        if count or (name == "s" and not parts):
            parts.append(f"{count} {name}")
    return " ".join(parts[:2])


def about(seconds: float | None) -> str:
    """Return a span of time that is counted on, and so in minutes; ``""`` for none."""
    if seconds is None:
        return ""
    return span(seconds // 60 * 60) if seconds >= 60 else "under 1 min"


def size(octets: float | None) -> str:
    """Return a number of octets in the unit that fits; ``""`` for none."""
    if octets is None:
        return ""
    for unit in ("B", "KiB", "MiB"):
        if octets < 1024:
            return f"{octets:.0f} {unit}" if unit == "B" else f"{octets:.1f} {unit}"
        octets /= 1024
    return f"{octets:.1f} GiB"


def count(number: float) -> str:
    """Return a number with a blank between its thousands."""
    return f"{number:,.0f}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def sentence(text: str) -> str:
    """Return what errors say with a capital at its begin, unless that is the name of a key."""
    return text if _KEY.match(text) else text[:1].upper() + text[1:]


def warned(warnings: Sequence[str], most: int = 20) -> tuple[str, ...]:
    """Return warnings as lines below what was done, which is not their reason."""
    more = len(warnings) - most
    named = tuple(f"warning of the whole configuration: {each}" for each in warnings[:most])
    return named + ((f"and {more} more warnings",) if more > 0 else ())


def segment(name: str) -> str:
    """Return a name as one segment of a path."""
    return quote(name, safe="", errors="replace")


#: What is not seen, and acts on what is: controls but tabs and line ends, what turns the direction
#: of writing, what has no width, tags; and halves of characters.  Joiners are left: scripts and
#: emoji need them.
_UNSEEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e"
    "\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]"
)


def visible(text: object) -> str:
    r"""Return a text of strangers as it is shown: what would hide or turn a part is ``\u202e``."""
    return _UNSEEN.sub(lambda found: found[0].encode("unicode_escape").decode(), str(text))


#: By the name in templates.
FILTERS: Mapping[str, Callable[..., Any]] = {
    "moment": moment,
    "machine_moment": machine_moment,
    "span": span,
    "about": about,
    "size": size,
    "count": count,
    "segment": segment,
    "sentence": sentence,
    "visible": visible,
}
