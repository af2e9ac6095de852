"""`multisendcon`, the command line: runs a command, and makes an exit status of how it ends."""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Sequence

from ..errors import MultisendconError
from ..operations.errors import BadRequestError, NotFoundError, RefusedError
from .errors import NotRunningError, UnreachableError
from .parser import make_parser
from .terminal import warn

#: The exit status that an error has; others have 1.
_STATUS = {BadRequestError: 2, NotFoundError: 3, UnreachableError: 4, NotRunningError: 4}
#: What a shell says of a program that Ctrl-C has ended.
_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A locale that has not all letters is no reason to stop.
            stream.reconfigure(errors="backslashreplace")
    options = make_parser().parse_args(arguments)
    try:
        status = _run(options)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever reads has seen enough.  Python would say at its end that it cannot write the rest.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return _INTERRUPTED
    return status


def _run(options: argparse.Namespace) -> int:
    try:
        status: int = options.run(options)
    except MultisendconError as error:
        faults = error.faults if isinstance(error, RefusedError) else ()
        for line in (*str(error).splitlines(), *faults):
            warn(line)
        return _STATUS.get(type(error), 1)
    return status
