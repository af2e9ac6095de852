"""The document as a play: commands with what they print, and what happens between them."""

from __future__ import annotations

import re
from pathlib import Path

import attrs

PATH = Path(__file__).parents[2] / "docs/operating.rst"

_PROMPT = "    $ "
#: What others than the admin do; a comment.
_ACT = ".. act: "

_ID = re.compile(r"\b1(?=[0-9]*[A-Z])[0-9A-HJKMNP-TV-Z]{9}\b")
#: What is different each time, and what stands for it; as wide, so that tables stay aligned.
_ALWAYS = (
    (r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d\+\d\d:\d\d", "2026-11-30 09:15:00+01:00"),
    (r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", "2026-11-30T08:15:00.000Z"),
    (r"(?<![\d:])\d\d:\d\d:\d\d(?![\d+.]|:\d)", "09:15:00"),
    (r"\b[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4}\b", "Mon, 30 Nov 2026"),
    (r"\b1[789]\d{8}\.\d+", "1796026500.0"),
    (r"\b\d+\.\d\d s\b", "0.05 s"),
    (r"\bport \d{4,5}\b", "port 587"),
    (r"\bin \d\dm\b", "in 29m"),
    (r"\bmail-\d\b", "mail-1"),
    (r"\bsha256:[0-9a-f]{64}\b", f"sha256:{'5a' * 32}"),
    # Mails a minute, unless there was none.
    (r"\b(?!0\.0)\d\.\d(?=  )", "1.0"),
)
_AGE = re.compile(r"(?<![\w.])\d+s\b")


@attrs.frozen
class Ids:
    """The ids of mails: those of the document are the same each time."""

    _shown: dict[str, str] = attrs.field(factory=dict)

    def shown(self, text):
        """Return a text as it stands in the document."""
        return _ID.sub(lambda found: self._shown.setdefault(found[0], self._next()), text)

    def real(self, text):
        """Return a text of the document as it is now."""
        for real, shown in self._shown.items():
            text = text.replace(shown, real)
        return text

    def _next(self):
        return f"1M8H24W{'ABCDEFGHJKMNPQRSTVWXYZ'[len(self._shown)]}32"


def normal(text):
    """Return what is printed without what is different each time."""
    for pattern, constant in _ALWAYS:
        text = re.sub(pattern, constant, text)
    # In a column, "12s" may be " 5s" the next time.
    return _AGE.sub(lambda found: "5s".rjust(len(found[0])), text)


def play(text, stage):
    """Return the document with what its commands print now."""
    ids = Ids()
    left = text.splitlines()
    played = []
    while left:
        line = left.pop(0)
        played.append(line)
        if line.startswith(_ACT):
            stage.act(*ids.real(line.removeprefix(_ACT)).split())
        elif line.startswith(_PROMPT):
            while _is_output(left):
                left.pop(0)
            printed = stage.run(ids.real(line.removeprefix(_PROMPT)))
            shown = ids.shown(normal(printed)).splitlines()
            played += [f"    {each}".rstrip() for each in shown]
    return "\n".join([*played, ""])


def _is_output(lines):
    """Tell whether a line is what was printed when the document was written."""
    following = next(filter(None, lines), "")
    return following.startswith("    ") and not following.startswith(_PROMPT)
