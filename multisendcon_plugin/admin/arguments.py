"""The arguments that several commands take, and what their values have to be."""

from __future__ import annotations

import argparse
import datetime
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from ..errors import AddressError
from ..mail.address import parse_mailbox
from ..operations import filters
from ..operations.errors import BadRequestError
from . import place

#: How completion of a shell finds files; the names are those of shtab.
_FILES = {"bash": "_shtab_compgen_files", "zsh": "_files", "tcsh": "f"}

#: What the options of a filter have in common.
FILTER = "mail of which all is true that is said"

Commands = Any  # argparse._SubParsersAction, which is private.


def add_common(parser: argparse.ArgumentParser, *, default: Any = argparse.SUPPRESS) -> None:
    """Add what every command takes; it may stand before the command as well.

    :param default: of those that are not given.
    """
    complete(
        parser.add_argument(
            "-c",
            "--config",
            metavar="FILE",
            default=default,
            help=f"the relay's configuration; default: ${place.VARIABLE}, else {place.DEFAULT}",
        )
    )


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add the choice of the output."""
    parser.add_argument("--json", action="store_true", help="print JSON, one object a line")


def add_addresses(group: argparse._ArgumentGroup) -> None:
    """Add the choice of mail by its addresses."""
    group.add_argument(
        "--sender", type=sender, metavar="ADDRESS", help='"<>" is the null reverse-path'
    )
    group.add_argument("--recipient", type=address, metavar="ADDRESS", help="one of its recipients")


def said(options: argparse.Namespace, names: Iterable[str]) -> dict[str, str]:
    """Return those of some options that are given."""
    values = {name: getattr(options, name) for name in names}
    return {name: value for name, value in values.items() if value is not None}


def complete(action: argparse.Action) -> None:
    """Have a shell complete the names of files."""
    action.complete = _FILES  # type: ignore[attr-defined]


def command(commands: Commands, name: str, run: Any, text: str, **more: Any) -> Any:
    """Add a command.

    :param run: is called with the options, and returns the exit status.
    :param text: what it does, in a few words.
    """
    parser = commands.add_parser(name, help=text, description=_sentence(text), **more)
    add_common(parser)
    parser.set_defaults(run=run)
    return parser


def group(commands: Commands, name: str, text: str) -> Commands:
    """Add a family of commands."""
    parser = commands.add_parser(name, help=text, description=_sentence(text))
    add_common(parser)
    return parser.add_subparsers(required=True, metavar="COMMAND", title="commands")


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


# Values.


def address(text: str) -> str:
    """Convert an address."""
    try:
        return parse_mailbox(text)
    except AddressError as error:
        raise argparse.ArgumentTypeError(f"{text!r}: {error}") from None


def sender(text: str) -> str:
    """Convert a reverse-path, which may be the null one."""
    return "" if text in ("", "<>") else address(text)


def moment(text: str) -> str:
    """Check a time, or how long ago that is, and return it as the relay reads it.

    A time that does not say where is one of this machine, like those that are printed.
    """
    try:
        filters.moment(text, time.time())
    except BadRequestError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    with suppress(ValueError):
        written = datetime.datetime.fromisoformat(text)
        if written.tzinfo is None and not text.isdigit():  # a number is one of seconds
            return written.astimezone().isoformat()
    return text


def positive(text: str) -> int:
    """Convert a number of things."""
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of at least 1")
    return number
