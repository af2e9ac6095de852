"""`multisendcon demo`: the demonstration, which is `twistd -n multisendcon --demo`."""

from __future__ import annotations

import argparse
import sys

from . import arguments
from .arguments import Commands


def add_to(commands: Commands) -> None:
    """Add the command."""
    arguments.command(commands, "demo", _demo, "show the relay at work; needs no configuration")


def _demo(_: argparse.Namespace) -> int:
    from twisted.scripts.twistd import run  # noqa: PLC0415 -- no other command needs a reactor

    sys.argv = ["twistd", "-n", "multisendcon", "--demo"]
    run()
    return 0
