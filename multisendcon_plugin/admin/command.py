"""`multisendcon`: look at a configuration before it is used, and make lines for it.

Reads, never changes anything, and talks to no running relay.
"""

from __future__ import annotations

import argparse
import getpass
import secrets
import sys
import time
from collections.abc import Sequence

from .. import __version__
from ..configuration import load, warnings
from ..errors import AddressError, ConfigurationError
from ..mail.address import parse_mailbox
from ..routing.registry import AccountRegistry
from ..settings.password import SALT_SIZE, PasswordHash
from ..settings.users import check_name


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    options = _parser().parse_args(arguments)
    try:
        status: int = options.run(options)
    except ConfigurationError as error:
        print(error, file=sys.stderr)
        return 1
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="multisendcon",
        description="Check a configuration of multisendcon, or create lines for it. "
        "The relay itself is started by: twistd multisendcon --config=FILE",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    check = commands.add_parser("check", help="report all faults of a configuration, and warnings")
    check.set_defaults(run=_check)
    explain = commands.add_parser("explain", help="say which account takes a mail, and why")
    explain.add_argument("sender", type=_address, help='the reverse-path; "" for the null one')
    explain.add_argument("recipient", type=_address, nargs="+")
    explain.set_defaults(run=_explain)
    for command in (check, explain):
        command.add_argument("-c", "--config", required=True, metavar="FILE")
    user = commands.add_parser(
        "user", help="print the line of a user for the file named by the key users"
    )
    user.add_argument("name", type=_user_name)
    user.set_defaults(run=_user)
    return parser


def _user_name(text: str) -> str:
    try:
        check_name(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text


def _address(text: str) -> str:
    try:
        return parse_mailbox(text) if text else ""
    except AddressError as error:
        raise argparse.ArgumentTypeError(f"{text!r}: {error}") from None


def _check(options: argparse.Namespace) -> int:
    configuration = load(options.config)
    for warning in warnings(configuration, time.time()):
        print(f"warning: {warning}", file=sys.stderr)
    print(f"{options.config}: no faults. Accounts, in order of priority:")
    for account in configuration.accounts:
        state = "" if account.enabled else " (not enabled)"
        senders = ", ".join(account.senders.texts) or "every sender"
        recipients = ", ".join(account.recipients.texts) or "every recipient"
        print(f"  {account.name}{state}: {account.server} port {account.port}")
        print(f"    from {senders} to {recipients}")
    return 0


def _explain(options: argparse.Namespace) -> int:
    registry = AccountRegistry(load(options.config).accounts)
    sender = options.sender
    status = 0
    for recipient in options.recipient:
        route = registry.route(sender, recipient) if sender else registry.route_null("", recipient)
        if route is None:
            print(f"<{recipient}>: no account takes it; it is rejected with 550 5.7.1")
            status = 1
        else:
            print(f"<{recipient}>: {route.account} ({route.reason})")
    return status


def _user(options: argparse.Namespace) -> int:
    try:
        password = _ask_password()
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    made = PasswordHash.of(password.encode(), secrets.token_bytes(SALT_SIZE))
    print(f"{options.name}:{made.text()}")
    return 0


def _ask_password() -> str:
    """Read a new password from the terminal, unseen, or the first line of what is piped in.

    :raise ValueError: there is none.
    """
    if sys.stdin.isatty():
        password = getpass.getpass("Password: ")
        if password != getpass.getpass("Repeat it: "):
            raise ValueError("the passwords differ")
    else:
        password = sys.stdin.readline().rstrip("\r\n")
    if not password:
        raise ValueError("no password given")
    return password
