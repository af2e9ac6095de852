"""Loopback addresses of a run's own, on which mail servers and web servers have their usual ports.

Mail for the servers of strangers goes to port 25, and policies are fetched from port 443: whoever
may not listen there, or finds them taken, has no such servers.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket

import pytest

from tests.interop.programs import until

SMTP, HTTPS = 25, 443
#: The last number of the address that says that a block is taken.
_TAKEN = 254
_BLOCKS = range(1, 255)


class Block:
    """The addresses 127.9.N.x: of runs beside each other, each gets another N.

    Used as a context; then it is taken.
    """

    def __init__(self):
        self._taken = contextlib.ExitStack()
        self.number = 0

    def __enter__(self):
        # Not all begin with the same one.
        first = os.getpid() % len(_BLOCKS)
        for number in (*_BLOCKS[first:], *_BLOCKS[:first]):
            with contextlib.suppress(OSError):
                self._take(number)
                self.number = number
                return self
        raise OSError(f"nobody may listen at port {SMTP} here, or all the blocks are taken")

    def _take(self, number):
        with contextlib.ExitStack() as opened:
            for port in (SMTP, HTTPS):
                mark = opened.enter_context(socket.socket())
                mark.bind((f"127.9.{number}.{_TAKEN}", port))
            self._taken = opened.pop_all()

    def __exit__(self, *_):
        self._taken.close()

    def __getitem__(self, number):
        """Return one of the addresses, by its last number."""
        return f"127.9.{self.number}.{number}"

    @property
    def reverse(self):
        """The zone in which their names are."""
        return f"{self.number}.9.127.in-addr.arpa"


#: Of IPv6 there is no block, but one address.
SIX = "::1"


@contextlib.contextmanager
def six(timeout=300):
    """Have the loopback address of IPv6 for this run, after others that have it."""
    with contextlib.ExitStack() as opened:

        def taken():
            mark = opened.enter_context(socket.socket(socket.AF_INET6))
            try:
                mark.bind((SIX, HTTPS))
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
                return False
            return True

        until(taken, f"{SIX} is free", timeout)
        yield


def needs_six():
    """Skip tests where there is no IPv6; in CI it is to be there."""
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind((SIX, 0))
        missing = ""
    except OSError as error:
        missing = str(error)
    return pytest.mark.skipif(bool(missing) and "CI" not in os.environ, reason=missing)


def _missing():
    try:
        with Block():
            return ""
    except OSError as error:
        return str(error)


def needs_ports():
    """Skip tests where nobody may listen at the usual ports; in CI they are to be there."""
    missing = _missing()
    return pytest.mark.skipif(bool(missing) and "CI" not in os.environ, reason=missing)
