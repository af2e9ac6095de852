"""`multisendcon demo`: the demonstration, which is `twistd -n multisendcon --demo`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from . import arguments
from .arguments import Commands


def add_to(commands: Commands) -> None:
    """Add the command."""
    arguments.command(commands, "demo", _demo, "show the relay at work; needs no configuration")


def _demo(_: argparse.Namespace) -> int:
    from twisted.scripts.twistd import run  # noqa: PLC0415 -- no other command needs a reactor

    # It tells how the command line is called that lies beside it.
    twistd = Path(sys.argv[0]).with_name("twistd")
    sys.argv = [str(twistd), "-n", "multisendcon", "--demo"]
    run()
    return 0
