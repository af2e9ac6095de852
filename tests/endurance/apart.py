"""A network and file systems of a run's own: every port is free there, and nobody else is near.

The run begins anew in them (unshare(1)); it ends with them.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.interop.programs import program

#: In the environment of what has begun anew.
_MARK = "MULTISENDCON_TESTS_APART"


def is_apart():
    """Tell whether this process has a network of its own."""
    return _MARK in os.environ


def begin_anew():
    """Run this program again with the same arguments, but apart; return its exit status."""
    command = [program("unshare"), "--mount", "--net", sys.executable, "-m", *_program()]
    return subprocess.run(command, env={**os.environ, _MARK: "yes"}, check=False).returncode


def _program():
    return [sys.modules["__main__"].__spec__.name.removesuffix(".__main__"), *sys.argv[1:]]


def settle(folder, name_server):
    """Have a loopback, and a name server that every program of the system asks.

    :param name_server: the address of one at port 53.
    """
    resolv = folder / "resolv.conf"
    resolv.write_text(f"nameserver {name_server}\noptions edns0\n")
    # A new network has less room for datagrams than Debian's usual one; Postfix's log needs it.
    Path("/proc/sys/net/unix/max_dgram_qlen").write_text("512")
    for command in (
        ("ip", "link", "set", "lo", "up"),
        ("mount", "--bind", str(resolv), "/etc/resolv.conf"),
    ):
        subprocess.run([program(command[0]), *command[1:]], check=True)
