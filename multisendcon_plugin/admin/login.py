"""`multisendcon account login`: somebody signs in for an account that logs in with tokens.

Works beside a relay that runs, and needs none: the token lies in the folder of the spool, and the
relay finds it there.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ..configuration import Configuration, load
from ..errors import MultisendconError
from ..operations.errors import NotFoundError, RefusedError
from ..operations.sign_ins import check_by_person, with_tokens
from ..routing.account import Account
from ..settings.oauth2 import OAuth2
from ..times import iso
from . import arguments, words
from .arguments import Commands
from .connection import Relay, quoted
from .errors import NotRunningError
from .owner import become_owner, run_as_owner
from .place import config, spool_folder
from .setup_lines import setup_lines
from .terminal import prompt, put, say

if TYPE_CHECKING:
    from ..logins.token import Token

_T = TypeVar("_T")


def add_to(family: Commands) -> None:
    """Add the command to those of accounts."""
    parser = arguments.command(
        family,
        "login",
        _login,
        "sign in for an account that logs in with tokens, by [account.oauth2]",
    )
    parser.add_argument("name", metavar="NAME", help="of the account")
    parser.add_argument(
        "--print-setup",
        action="store_true",
        help="print what has to be set up at the provider, as lines to paste, and do nothing",
    )
    arguments.add_json(parser)


def _login(options: argparse.Namespace) -> int:
    account, oauth2 = _account(load(config(options)), options.name)
    if options.print_setup:
        lines = setup_lines(account, oauth2, _service_account(oauth2))
        if options.json:
            put({"account": account.name, "lines": lines})
            return 0
        for line in lines:
            say(line)
        return 0
    check_by_person(account, oauth2)
    folder = spool_folder(options)
    perform = _signing_in(account, oauth2, folder)
    _be_the_relay(folder)
    token = _in_reactor(perform)
    probed = _probe(folder, account)
    if options.json:
        put(
            {
                "account": account.name,
                "mailbox": account.sasl_user,
                "valid_until": token.expires_at,
                "valid_until_at": iso(token.expires_at),
                "probed": probed,
            }
        )
        return 0
    until = words.moment(token.expires_at)
    say(f"{account.name} can log in: its token is valid until {until}, and is renewed in time")
    return 0


def _account(configuration: Configuration, name: str) -> tuple[Account, OAuth2]:
    """Return an account that logs in with tokens.

    :raise NotFoundError: there is no account of this name.
    :raise RefusedError: it does not log in with tokens.
    """
    accounts = [*configuration.accounts]
    if configuration.reports_account is not None:
        accounts.append(configuration.reports_account)
    for account in accounts:
        if account.name == name:
            break
    else:
        names = ", ".join(account.name for account in accounts)
        raise NotFoundError(f'there is no account "{name}"; there are: {names}')
    return account, with_tokens(account)


def _service_account(oauth2: OAuth2) -> str | None:
    """Return the client ID of a service account, as its key says; ``None``: it does not."""
    if oauth2.service_account_key is None:
        return None
    # `load` has seen that it is one.
    client_id = json.loads(Path(oauth2.service_account_key).read_bytes()).get("client_id")
    return client_id if isinstance(client_id, str) else None


def _be_the_relay(folder: Path) -> None:
    """Make sure, before somebody signs in, that the relay will be able to read the token.

    :raise RefusedError: it would not.
    """
    if not folder.is_dir():
        raise RefusedError(f"{folder}: there is no such folder yet; start the relay once")
    become_owner(folder)
    if folder.stat().st_uid != os.geteuid():
        raise RefusedError(f"{folder}: {run_as_owner(folder)}")


def _signing_in(
    account: Account, oauth2: OAuth2, folder: Path
) -> Callable[[Any], Coroutine[Any, Any, Token]]:
    """Return what has somebody sign in.

    :raise RefusedError: it is not installed.
    """
    try:
        from .signing_in import SigningIn  # noqa: PLC0415 -- a plain installation lacks a part
    except ImportError as error:
        raise RefusedError(
            f"logins with tokens need {error.name}: pip install 'multisendcon[oauth]'"
        ) from None
    # A program that was started without one has nobody who types.
    descriptor = sys.stdin.fileno() if sys.stdin else -1
    return SigningIn(account, oauth2, str(folder), prompt, descriptor).perform


def _in_reactor(work: Callable[[Any], Coroutine[Any, Any, _T]]) -> _T:
    """Return what comes of some work in a reactor of its own.

    :raise KeyboardInterrupt: it was ended by Ctrl-C or another signal.
    """
    from twisted.internet import task  # noqa: PLC0415 -- no other command needs a reactor
    from twisted.internet.defer import Deferred  # noqa: PLC0415
    from twisted.python.failure import Failure  # noqa: PLC0415

    ended: list[Any] = []
    with suppress(SystemExit):
        task.react(lambda reactor: Deferred.fromCoroutine(work(reactor)).addBoth(ended.append))
    if not ended:
        raise KeyboardInterrupt
    if isinstance(ended[0], Failure):
        ended[0].raiseException()
    result: _T = ended[0]
    return result


def _probe(folder: Path, account: Account) -> bool:
    """Have the relay that runs try one mail now; tell whether it does."""
    try:
        Relay(folder).post(f"accounts/{quoted(account.name)}/probe")
    except NotRunningError:
        prompt("No relay runs; it will use the token when it is started.")
    except NotFoundError:
        prompt("The relay that runs does not know the account yet: multisendcon reload")
    except MultisendconError as error:
        prompt(f"The relay that runs will use the token; it could not be told of it: {error}")
    else:
        return True
    return False
