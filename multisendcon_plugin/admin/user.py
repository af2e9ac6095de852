"""`multisendcon user`: make the line of a user for the file that the key ``users`` names."""

from __future__ import annotations

import argparse
import getpass
import secrets
import sys

from ..operations.errors import RefusedError
from ..settings.admins import Role
from ..settings.password import SALT_SIZE, PasswordHash
from ..settings.users import check_name
from . import arguments
from .arguments import Commands


def add_to(commands: Commands) -> None:
    """Add the command."""
    parser = arguments.command(
        commands, "user", _user, "print the line of a user for a file named by a key users"
    )
    parser.add_argument("name", metavar="NAME", type=_name, help="with which the user logs in")
    parser.add_argument(
        "--role",
        choices=[each.value for each in Role],
        help="of the page, for the file that users of [web] names",
    )


def _name(text: str) -> str:
    try:
        check_name(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text


def _user(options: argparse.Namespace) -> int:
    made = PasswordHash.of(_ask_password().encode(), secrets.token_bytes(SALT_SIZE))
    print(f"{options.name}:{made.text()}" + (f":{options.role}" if options.role else ""))
    return 0


def _ask_password() -> str:
    """Read a new password from the terminal, unseen, or the first line of what is piped in.

    :raise RefusedError: there is none.
    """
    if sys.stdin.isatty():
        password = getpass.getpass("Password: ")
        if password != getpass.getpass("Repeat it: "):
            raise RefusedError("the passwords differ")
    else:
        password = sys.stdin.readline().rstrip("\r\n")
    if not password:
        raise RefusedError("no password given")
    return password
