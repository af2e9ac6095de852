"""Reads what a domain publishes for MTA-STS (RFC 8461): its TXT record, and its policy.

What is not known is ignored; of a field that is there more than once, the first counts (section
3.2).  Pure: fetches nothing.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable

import attrs

from ..errors import MultisendconError

#: Octets of a policy (section 3.3 lets us choose; this is what it proposes).
MOST_OCTETS = 64 * 1024
#: Seconds that a policy may be kept (section 3.2): a year.
LONGEST = 31_557_600

_VERSION = "STSv1"
# Section 3.1.
_RECORD = re.compile(r"v=STSv1[ \t]*;", re.ASCII)
_FIELD = re.compile(r"[ \t]*([A-Za-z0-9][A-Za-z0-9_.-]{0,31})=([!-:<>-~]+)[ \t]*", re.ASCII)
_ID = re.compile(r"[A-Za-z0-9]{1,32}", re.ASCII)
# Section 3.2.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,31}", re.ASCII)
_SECONDS = re.compile(r"[0-9]{1,10}", re.ASCII)
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_PATTERN = re.compile(rf"(?=.{{1,255}}\Z)(?:\*\.)?{_LABEL}(?:\.{_LABEL})*", re.ASCII)


class Mode(enum.StrEnum):
    """What a domain wants of those who send to it (section 5)."""

    ENFORCE = "enforce"
    TESTING = "testing"
    NONE = "none"


class PolicyError(MultisendconError):
    """A policy cannot be used; the text says why."""


@attrs.frozen
class StsPolicy:
    """A policy.

    :param patterns: of the names of mail servers, in lower case; a ``*.`` at the start stands for
        one label.
    :param max_age: seconds.
    """

    mode: Mode
    patterns: tuple[str, ...]
    max_age: int

    def admits(self, host: str) -> bool:
        """Tell whether a mail server may be used (section 4.1).

        :param host: its name as the DNS has it, in A-labels.
        """
        host = host.lower().removesuffix(".")
        label, _, parent = host.partition(".")
        return host in self.patterns or (bool(label) and f"*.{parent}" in self.patterns)

    @property
    def lines(self) -> tuple[str, ...]:
        """What it says; `read_policy` reads the same from it."""
        return (
            f"version: {_VERSION}",
            f"mode: {self.mode}",
            *(f"mx: {pattern}" for pattern in self.patterns),
            f"max_age: {self.max_age}",
        )


def policy_id(texts: Iterable[str]) -> str | None:
    """Return the id of a domain's policy (section 3.1).

    :param texts: of the TXT records at ``_mta-sts.`` and the domain.
    :return: ``None``: it has none, or says so in a way that nobody can read.
    """
    records = [text for text in texts if _RECORD.match(text)]
    if len(records) != 1:
        return None
    _, *fields = records[0].split(";")
    if not fields[-1].strip(" \t"):
        fields.pop()
    found = [_FIELD.fullmatch(field) for field in fields]
    ids = [field[2] for field in found if field and field[1] == "id"]
    if not ids or not all(found) or not _ID.fullmatch(ids[0]):
        return None
    return ids[0]


def read_policy(octets: bytes) -> StsPolicy:
    """Read a policy (section 3.2).

    :raise PolicyError: it cannot be used.
    """
    if len(octets) > MOST_OCTETS:
        raise PolicyError(f"it is longer than {MOST_OCTETS // 1024} KiB")
    fields: dict[str, str] = {}
    patterns: dict[str, None] = {}
    for number, line in enumerate(octets.decode("utf-8", "replace").split("\n"), start=1):
        text = line.removesuffix("\r")
        if not text.strip(" \t"):
            continue
        # Not by one expression for the line: blanks within it would cost their number squared.
        name, colon, value = text.partition(":")
        if not (colon and _NAME.fullmatch(name)):
            raise PolicyError(f"its line {number} is no field and value")
        value = value.strip(" \t")
        if name != "mx":
            fields.setdefault(name, value)
        elif _PATTERN.fullmatch(value):
            patterns[value.lower()] = None
        else:
            raise PolicyError(f"its line {number}, mx, is no name of a host")
    return _policy(fields, tuple(patterns))


def _policy(fields: dict[str, str], patterns: tuple[str, ...]) -> StsPolicy:
    if fields.get("version") != _VERSION:
        raise PolicyError(f"it has no version: {_VERSION}")
    try:
        mode = Mode(fields.get("mode", ""))
    except ValueError:
        raise PolicyError("its mode is none of enforce, testing, none") from None
    if not _SECONDS.fullmatch(fields.get("max_age", "")):
        raise PolicyError("its max_age is no number of seconds")
    if not patterns and mode is not Mode.NONE:
        raise PolicyError("it names no mail server (mx)")
    return StsPolicy(mode, patterns, min(int(fields["max_age"]), LONGEST))
