"""Corrects the commands of tolerant clients (`tolerant` of `[[client]]`) to what the RFCs require.

The only place that knows of it: a command comes in as the client has sent it, and goes out as it
should have been, to be read as strictly as any other.  What is not known here is left as it is.
Content, and BDAT, which content follows, are never looked at.  RFC 5321 section 4.1.2 (paths), RFC
3461 (DSN).  Pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import attrs

from ..mail import dsn
from ..mail.address import split

_QUOTED = rb'"(?:[^"\\]|\\.)*"'
# A quoted string that has no end goes to the end of the line.
_TAB = re.compile(_QUOTED + rb"?|(\t)", re.DOTALL)
_COMMAND = re.compile(rb" *((MAIL) +FROM:|(RCPT) +TO:) *", re.IGNORECASE)
# One piece after the other begins with a different character, so nothing is tried twice.
_PATH = re.compile(rb"((?:< *)*)((?:" + _QUOTED + rb'|[^"<> ])*)((?: *>)*)(?= |\Z)(.*)', re.DOTALL)
#: Brackets around a path: some write them although their library does.
_MOST_BRACKETS = 2
#: By parameter, what finds that it can be read.
_DSN: Mapping[bytes, Callable[[str], object]] = {
    b"RET": lambda value: value.upper() in ("FULL", "HDRS"),
    b"ENVID": dsn.envelope_id,
    b"NOTIFY": lambda value: dsn.parse_notify(value) is not None,
    b"ORCPT": dsn.original,
}


@attrs.frozen
class Tolerance:
    """Corrects the commands of one client.

    :param hostname: the domain of addresses that have none; ASCII.
    """

    hostname: str

    def greeting(self, peer: str) -> tuple[bytes, bytes]:
        """Return name and address of a client that has not greeted: a literal is its name."""
        name = f"[IPv6:{peer}]" if ":" in peer else f"[{peer}]"
        return name.encode(), peer.encode()

    def line(self, line: bytes, *, more_is_here: bool) -> bytes | None:
        r"""Return a command whose line ends with a bare LF, or with ``\r\r\n``.

        Behind a bare LF the client has to wait for the reply: where more has come already, the LF
        may stand in an address that a stranger has made up, with a command behind it.  BDAT is read
        strictly, since what follows it is content.

        :param line: without its LF.
        :return: ``None``: it cannot be tolerated.
        """
        command = line.rstrip(b"\r")
        bare = command == line
        if (bare and more_is_here) or b"\r" in command or b"\0" in command:
            return None
        return None if command.lstrip(b" \t")[:4].upper() == b"BDAT" else command

    def command(self, line: bytes) -> bytes:
        """Return a command as it should have been."""
        line = _TAB.sub(lambda found: b" " if found[1] else found[0], line)
        begun = _COMMAND.match(line)
        if not begun:
            return line
        found = _PATH.match(line, begun.end())
        if not found:
            return line
        opened, path, closed, parameters = found.groups()
        brackets = opened.count(b"<")
        if brackets != closed.count(b">") or brackets > _MOST_BRACKETS:
            return line
        if path:
            path = self._path(path, postmaster=begun[3] is not None)
        elif not brackets:
            return line
        return b"%s<%s>%s" % (begun[1], path, _readable(parameters))

    def _path(self, path: bytes, *, postmaster: bool) -> bytes:
        """Return a path with its domain.

        :param postmaster: it may have none (RFC 5321 section 4.1.1.3).
        """
        local, domain = split(path.decode("utf-8", "surrogateescape"))
        if domain:
            return path.removesuffix(b".")
        if local.endswith("@") or (postmaster and local.lower() == "postmaster"):
            return path
        return b"%s@%s" % (path, self.hostname.encode())


def _readable(parameters: bytes) -> bytes:
    """Leave out the parameters of DSN that cannot be read, or were there already."""
    kept = []
    seen = set()
    for word in parameters.split(b" "):
        keyword, _, value = word.partition(b"=")
        can_be_read = _DSN.get(keyword.upper())
        if can_be_read:
            if keyword.upper() in seen or not (value.isascii() and can_be_read(value.decode())):
                continue
            seen.add(keyword.upper())
        kept.append(word)
    return b" ".join(kept)
