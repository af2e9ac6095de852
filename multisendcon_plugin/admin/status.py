"""`multisendcon status`: what is wrong, how the relay is, how each account is."""

from __future__ import annotations

import argparse
import time
from typing import Any

from . import arguments, stopped, words
from .accounts import show_accounts
from .arguments import Commands
from .connection import Relay
from .errors import NotRunningError
from .place import spool_folder
from .terminal import put, say


def add_to(commands: Commands) -> None:
    """Add the command."""
    parser = arguments.command(
        commands, "status", _status, "say how the relay and its accounts are"
    )
    arguments.add_json(parser)


def _status(options: argparse.Namespace) -> int:
    folder = spool_folder(options)
    try:
        status = Relay(folder).get("status")
    except NotRunningError:
        status = stopped.status(folder)
    if options.json:
        put(status)
    else:
        _tell(status)
    return 0


def _tell(status: dict[str, Any]) -> None:
    now = time.time()
    for alarm in status["alarms"]:
        say(f"ALARM since {words.moment(alarm['since'])}: {alarm['text']}")
    if status["started"] is not None:
        taking = "it accepts mail" if status["accepting"] else "IT ACCEPTS NO MAIL"
        spool = status["spool"]["error"]
        say(
            f"multisendcon {status['version']}, running since {words.moment(status['started'])}"
            f" ({words.duration(now - status['started'])}); {taking}{f': {spool}' if spool else ''}"
        )
        say(f"front process: {status['front']}; history: {status['history']}")
    oldest = (
        "" if status["oldest"] is None else f", the oldest for {words.ago(status['oldest'], now)}"
    )
    say(
        f"{words.count(status['waiting'], 'delivery waits', 'deliveries wait')}{oldest};"
        f" {status['held']} held"
    )
    say()
    show_accounts(status["accounts"])
