"""Runs a program that tells a secret.

Without a shell, so nothing in its arguments is special.  Nothing that it writes is ever part of a
fault: also what it says of its errors may hold secrets.
"""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Container, Sequence
from contextlib import suppress

from .files import reason
from .permissions import check_closed
from .words import InvalidValueError, shown

#: Seconds that it may take.
PATIENCE = 10.0
#: Octets that it may write.
MOST_OUTPUT = 64 * 1024


def first_line(arguments: Sequence[str], without: Container[str] = ()) -> bytes:
    """Run a program, and return the first line of what it writes to its standard output.

    Blocks until the program has ended.

    :param arguments: the program, by its path or by a name that is looked up in ``$PATH``, and what
        it is given.
    :param without: environment variables that it does not get.
    :raise InvalidValueError: it has not told any; names the program only.
    """
    program = arguments[0]
    what = f"the program {shown(program)}"
    found = shutil.which(program)
    if not found:
        raise InvalidValueError(f"{what} is not there, or cannot be run")
    check_closed(found, what)
    try:
        # A session of its own, so that what it starts itself can be ended with it.
        process = subprocess.Popen(  # noqa: S603 -- the admin's own
            [found, *arguments[1:]],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={name: value for name, value in os.environ.items() if name not in without},
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        raise InvalidValueError(f"{what} cannot be run: {reason(error)}") from None
    with process:
        try:
            output = _output(process, what)
        except InvalidValueError:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            raise
    if process.returncode < 0:
        raise InvalidValueError(f"{what} was ended by signal {-process.returncode}")
    if process.returncode:
        raise InvalidValueError(f"{what} has failed: exit status {process.returncode}")
    return output.partition(b"\n")[0].rstrip(b"\r")


def _output(process: subprocess.Popen[bytes], what: str) -> bytes:
    """Return what a process writes until it has ended.

    :raise InvalidValueError: it takes too long, or writes too much.
    """
    assert process.stdout is not None, "it is a pipe"  # noqa: S101 -- for the type checker
    descriptor = process.stdout.fileno()
    # Not select(2), which knows no descriptor beyond 1023.
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    until = time.monotonic() + PATIENCE
    output = b""
    late = InvalidValueError(f"{what} has not ended within {PATIENCE:.0f} s")
    while True:
        if not poll.poll(1000 * max(0.0, until - time.monotonic())):
            raise late
        octets = os.read(descriptor, MOST_OUTPUT)
        if not octets:
            break
        output += octets
        if len(output) > MOST_OUTPUT:
            raise InvalidValueError(f"{what} writes more than a secret")
    try:
        process.wait(max(0.0, until - time.monotonic()))
    except subprocess.TimeoutExpired:
        raise late from None
    return output
