"""`multisendcon explain`: which account takes a mail, why, and how it would leave."""

from __future__ import annotations

import argparse

from ..configuration import load
from ..routing.registry import AccountRegistry
from . import arguments
from .arguments import Commands
from .place import config
from .terminal import say


def add_to(commands: Commands) -> None:
    """Add the command."""
    parser = arguments.command(
        commands, "explain", _explain, "say which account takes a mail, and why"
    )
    parser.add_argument(
        "sender",
        metavar="SENDER",
        type=arguments.sender,
        help='the reverse-path; "" for the null one',
    )
    parser.add_argument("recipient", metavar="RECIPIENT", type=arguments.address, nargs="+")
    arguments.add_json(parser)


def _explain(options: argparse.Namespace) -> int:
    registry = AccountRegistry(load(config(options)).accounts)
    sender = options.sender
    status = 0
    for recipient in options.recipient:
        route = registry.route(sender, recipient) if sender else registry.route_null("", recipient)
        if route is None:
            say(f"<{recipient}>: no account takes it; it is rejected with 550 5.7.1")
            status = 1
        else:
            say(f"<{recipient}>: {route.account} ({route.reason})")
    return status
