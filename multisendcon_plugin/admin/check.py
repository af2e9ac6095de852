"""`multisendcon check`: report what is wrong with a configuration before it is used."""

from __future__ import annotations

import argparse
import sys
import time

from ..configuration import Configuration, load, warnings
from ..errors import ConfigurationError
from ..routing.account import Account, AccountType
from . import arguments
from .arguments import Commands
from .place import config
from .terminal import put, say


def add_to(commands: Commands) -> None:
    """Add the command."""
    parser = arguments.command(
        commands, "check", _check, "report all faults of a configuration, and warnings"
    )
    arguments.add_json(parser)


def _check(options: argparse.Namespace) -> int:
    path = config(options)
    try:
        configuration = load(path)
    except ConfigurationError as error:
        if not options.json:
            raise
        put({"faults": error.faults, "warnings": []})
        return 1
    told = list(warnings(configuration, time.time()))
    if options.json:
        put({"faults": [], "warnings": told})
        return 0
    for warning in told:
        print(f"warning: {warning}", file=sys.stderr)
    _tell(path, configuration)
    return 0


def _tell(path: str, configuration: Configuration) -> None:
    say(f"{path}: no faults. Accounts, in order of priority:")
    for account in configuration.accounts:
        state = "" if account.enabled else " (not enabled)"
        senders = ", ".join(account.senders.texts) or "every sender"
        recipients = ", ".join(account.recipients.texts) or "every recipient"
        say(f"  {account.name}{state}: {_way(account)}")
        say(f"    from {senders} to {recipients}")


def _way(account: Account) -> str:
    if account.type is AccountType.DIRECT:
        return "the mail servers of each recipient's domain"
    return f"{account.server} port {account.port}"
