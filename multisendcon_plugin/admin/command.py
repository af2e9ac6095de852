"""`multisendcon`: look at a configuration before it is used.

Reads, never changes anything, and talks to no running relay.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from .. import __version__
from ..address import parse_mailbox
from ..configuration import Configuration, load
from ..errors import AddressError, ConfigurationError
from ..registry import AccountRegistry


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    options = _parser().parse_args(arguments)
    try:
        status: int = options.run(load(options.config), options)
    except ConfigurationError as error:
        print(error, file=sys.stderr)
        return 1
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="multisendcon",
        description="Look at a configuration of multisendcon. "
        "The relay itself is run by: twistd multisendcon --config=FILE",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    check = commands.add_parser("check", help="find all faults of a configuration")
    check.set_defaults(run=_check)
    explain = commands.add_parser("explain", help="say which account takes a mail, and why")
    explain.add_argument("sender", type=_address, help='the reverse-path; "" for the null one')
    explain.add_argument("recipient", type=_address, nargs="+")
    explain.set_defaults(run=_explain)
    for command in (check, explain):
        command.add_argument("-c", "--config", required=True, metavar="FILE")
    return parser


def _address(text: str) -> str:
    try:
        return parse_mailbox(text) if text else ""
    except AddressError as error:
        raise argparse.ArgumentTypeError(f"{text!r}: {error}") from None


def _check(configuration: Configuration, options: argparse.Namespace) -> int:
    print(f"{options.config} has no faults. Its accounts, topmost first:")
    for account in configuration.accounts:
        state = "" if account.enabled else " (not enabled)"
        senders = ", ".join(account.senders.texts) or "every sender"
        recipients = ", ".join(account.recipients.texts) or "every recipient"
        print(f"  {account.name}{state}: {account.server} port {account.port}")
        print(f"    from {senders} to {recipients}")
    return 0


def _explain(configuration: Configuration, options: argparse.Namespace) -> int:
    registry = AccountRegistry(configuration.accounts)
    sender = options.sender
    status = 0
    for recipient in options.recipient:
        route = registry.route(sender, recipient) if sender else registry.route_null("", recipient)
        if route is None:
            print(f"<{recipient}>: no account takes it; it is refused with 550 5.7.1")
            status = 1
        else:
            print(f"<{recipient}>: {route.account} ({route.reason})")
    return status
