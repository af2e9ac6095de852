"""What providers say, and what follows from it: the table in ``provider_replies.txt``.

A line has the phase, what follows, and the reply as the server writes it; " | " begins a further
line of the reply.  ``=`` before what follows: without its enhanced code the reply would not tell.
"""

from __future__ import annotations

import re
from pathlib import Path

import attrs

from multisendcon_plugin.mail.phase import Phase
from multisendcon_plugin.mail.reply import Reply

_TABLE = Path(__file__).with_suffix(".txt")
#: Refuses a mail for all its recipients.
TOO_MANY_FOR_ONE_MAIL = "554 Transaction failed: Recipient count exceeds 50."

_PHASES = {phase.value: phase for phase in Phase} | {"end": Phase.END}


@attrs.frozen
class Row:
    """One line of the table.

    :param lines: of the reply, after the code.
    """

    phase: Phase
    follows: str
    code: int
    lines: tuple[str, ...]

    @property
    def wire(self):
        *first, last = self.lines
        said = [*(f"{self.code}-{line}" for line in first), f"{self.code} {last}"]
        return "".join(f"{line}\r\n" for line in said).encode()

    @property
    def reply(self):
        return Reply.parse(self.code, [line.encode() for line in self.lines])

    def __str__(self):
        return f"{self.phase.value}, {self.follows}: {self.code} {' '.join(self.lines)[:60]}"

    def changed(self, change):
        return attrs.evolve(self, lines=tuple(map(change, self.lines)))


def _without_enhanced(line):
    return re.sub(r"^[245]\.\d+\.\d+ ", "", line)


def rows():
    """Return the rows as written, in capitals, in small letters, and without enhanced codes."""
    found = []
    for line in _TABLE.read_text().splitlines():
        if not line or line.startswith("#"):
            continue
        phase, follows, reply = line.split(maxsplit=2)
        needs_code, follows = follows.startswith("="), follows.lstrip("=")
        lines = tuple(reply[4:].split(" | "))
        row = Row(_PHASES[phase], follows, int(reply[:3]), lines)
        variants = [row, row.changed(str.upper), row.changed(str.lower)]
        if not needs_code:
            variants.append(row.changed(_without_enhanced))
        found += dict.fromkeys(variants)
    return found
