"""`multisendcon reload`: have the relay take up its configuration file as it is now."""

from __future__ import annotations

import argparse

from . import arguments
from .arguments import Commands
from .connection import Relay
from .place import spool_folder
from .terminal import put, say


def add_to(commands: Commands) -> None:
    """Add the command."""
    parser = arguments.command(
        commands, "reload", _reload, "check the configuration, and have the relay take it up"
    )
    arguments.add_json(parser)


def _reload(options: argparse.Namespace) -> int:
    summary = Relay(spool_folder(options)).post("reload")
    if options.json:
        put(summary)
        return 0
    say("the configuration was reloaded")
    for what in ("added", "removed", "changed"):
        if summary.get(what):
            say(f"  accounts {what}: {', '.join(summary[what])}")
    return 0
