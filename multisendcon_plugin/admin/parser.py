"""The command line as argparse reads it; what a command does is in the module of its family."""

from __future__ import annotations

import argparse

from .. import __version__
from . import (
    accounts,
    arguments,
    check,
    demo,
    explain,
    log,
    presets,
    queue,
    reload,
    status,
    user,
)


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    parser = argparse.ArgumentParser(
        prog="multisendcon",
        description="Look at a relay that runs, test and mend it, and check its configuration. "
        "The relay itself is started by: twistd multisendcon --config=FILE",
        epilog="Exit status: 0 good; 1 a fault, or refused; 2 usage; 3 nothing found; 4 the relay"
        " cannot be reached.",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    arguments.add_common(parser, default=None)
    commands = parser.add_subparsers(required=True, metavar="COMMAND", title="commands")
    for family in (check, explain, status, accounts, presets, queue, log, reload, user, demo):
        family.add_to(commands)
    return parser
