"""The name of this machine, as far as it knows it without asking the network.

``socket.getfqdn`` asks the DNS: with a dead one it takes ten seconds or more, and where the machine
has no address of its own in ``/etc/hosts`` it says ``localhost``.  A dead DNS must not delay a
start, and what a DNS says may change from start to start.
"""

from __future__ import annotations

import socket
from pathlib import Path

_HOSTS = Path("/etc/hosts")
#: What installers write where they know no domain.
_PLACEHOLDERS = ("localhost", "localdomain")


def own_hostname(hosts: Path = _HOSTS) -> str:
    """Return the host name that the system was given.

    If it has no domain, the first name that has one in its line of the hosts file, if any
    (hosts(5)).

    :param hosts: the hosts file.
    """
    name = socket.gethostname()
    if is_full(name):
        return name
    try:
        text = hosts.read_text("utf-8", "replace")
    except OSError:
        return name
    return next((each for each in _neighbours(name, text) if is_full(each)), name)


def is_full(name: str) -> bool:
    """Tell whether a name has a domain that others may know, or is an address literal."""
    _, dot, last = name.rpartition(".")
    return name.startswith("[") or (bool(dot) and last.lower() not in _PLACEHOLDERS)


def _neighbours(name: str, hosts: str) -> list[str]:
    """Return the names in those lines of a hosts file that have this name."""
    lines = (line.partition("#")[0].split()[1:] for line in hosts.splitlines())
    return [each for names in lines if name.lower() in map(str.lower, names) for each in names]
