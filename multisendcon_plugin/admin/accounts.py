"""`multisendcon account`: look at the accounts, test them, and stop or start them."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterable
from typing import Any

from ..outcome.condition import State
from ..settings.oauth2 import LOGIN_ENDS_SOON
from ..settings.quantities import DAY
from . import arguments, login, words
from .arguments import Commands
from .connection import Relay, quoted
from .place import spool_folder
from .table import Column
from .terminal import put, put_lines, say, show

_COLUMNS = (
    Column("ACCOUNT", shrinks=True),
    Column("STATE"),
    Column("WAITING", right=True),
    Column("HELD", right=True),
    Column("OLDEST", right=True),
    Column("PER MINUTE", right=True),
    Column("SENT", right=True),
    Column("FAILED", right=True),
    Column("LAST SENT", right=True),
    Column("QUOTA LEFT", shrinks=True),
    Column("WHY", below=True),
)


def add_to(commands: Commands) -> None:
    """Add the commands."""
    family = arguments.group(
        commands, "account", "look at the accounts, test them, sign in for them, pause them"
    )
    listing = arguments.command(family, "list", _list, "list the accounts, and how they are")
    arguments.add_json(listing)

    testing = _add(
        family, "test", _test, "try each step on the way to an account's server, and say what to do"
    )
    testing.add_argument(
        "--to", type=arguments.address, metavar="ADDRESS", help="send a mail there as well"
    )
    testing.add_argument(
        "--from",
        dest="sender",
        type=arguments.sender,
        metavar="ADDRESS",
        help="the sender of that mail",
    )
    testing.add_argument(
        "--connections", action="store_true", help="try how many connections the server takes"
    )
    login.add_to(family)
    for name, text, done in (
        ("pause", "let an account begin no mail until it is resumed", "is paused"),
        ("resume", "let an account that is paused go on", "goes on"),
        ("probe", "let an account that rests try one mail now", "tries one mail now"),
    ):
        _add(family, name, _act, text).set_defaults(action=name, done=done)


def _add(family: Commands, name: str, run: Any, text: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = arguments.command(family, name, run, text)
    parser.add_argument("name", metavar="NAME", help="of the account")
    arguments.add_json(parser)
    return parser


def _list(options: argparse.Namespace) -> int:
    rows = Relay(spool_folder(options)).rows("accounts", {})
    if options.json:
        put_lines(rows)
    else:
        show_accounts(json.loads(row) for row in rows)
    return 0


def show_accounts(accounts: Iterable[dict[str, Any]]) -> None:
    """Print a table of accounts."""
    now = time.time()
    show(_COLUMNS, (_cells(account, now) for account in accounts))


def _cells(account: dict[str, Any], now: float) -> tuple[str, ...]:
    return (
        account["name"],
        account["state"],
        str(account["waiting"]),
        str(account["held"]),
        words.ago(account["oldest"], now),
        f"{account['rate']:.1f}",
        str(account["delivered"]),
        str(account["failed"]),
        words.ago(account["last_success"], now),
        "; ".join(f"{each['left']} of {each['quota']}" for each in account["quota"]),
        _why(account, now),
    )


def _why(account: dict[str, Any], now: float) -> str:
    return "; ".join(filter(None, [_state(account, now), _resting(account), _login(account, now)]))


def _resting(account: dict[str, Any]) -> str:
    """Say how many destinations of an account rest while others get their mail."""
    resting = account["resting_destinations"]
    if not resting:
        return ""
    return f"{words.count(resting, 'destination rests', 'destinations rest')} (queue list)"


def _state(account: dict[str, Any], now: float) -> str:
    if account["state"] == State.OK.value:
        return ""
    times = [
        f"{word} {words.hour(account[word], now)}"
        for word in ("since", "until")
        if account[word] is not None
    ]
    return ": ".join(filter(None, [", ".join(times), account["fault"]]))


def _login(account: dict[str, Any], now: float) -> str:
    """Return what is worth saying of the login of an account."""
    login = account["login"]
    if login is None:
        return ""
    said = []
    if login["trouble"] and login["trouble"] not in account["fault"]:
        said.append(f"its login: {login['trouble']}")
    if login["expires"] is not None and login["expires"] - now < LOGIN_ENDS_SOON * DAY:
        verb = "has expired" if login["expires"] <= now else "expires"
        said.append(f"its login {verb} on {words.day(login['expires'])}")
    return "; ".join(said)


def _test(options: argparse.Namespace) -> int:
    body = {"to": options.to, "from": options.sender, "connections": options.connections}
    tested: dict[str, Any] = {}
    for line in Relay(spool_folder(options)).steps(f"accounts/{quoted(options.name)}/test", body):
        tested = json.loads(line)
        if "steps" not in tested and not options.json:
            _tell(tested)
    if options.json:
        put(tested)
    else:
        _conclude(tested, options.to)
    return 0 if tested["ok"] else 1


def _conclude(tested: dict[str, Any], to: str | None) -> None:
    if tested["ok"]:
        # Of an account that delivers directly, when nobody was to be connected.
        untried = tested["steps"][-1]["step"] == "port 25"
        found = "has no fault as far as it was tested" if untried else "can send mail"
        say(f"{tested['account']} {found}")
        return
    # If it is the only thing to do, it has just been said.
    said = {step["advice"] for step in tested["steps"]} - {""}
    advice = "" if said == {tested["advice"]} else f": {tested['advice']}"
    say(f"{tested['account']} {_fault(tested['steps'], to)}{advice}")


def _fault(steps: list[dict[str, Any]], to: str | None) -> str:
    """Return what follows from the steps of an account that is not as it should be."""
    if any(step["ok"] and step["step"] == "mail" for step in steps):
        return "can send mail, but has a fault"
    failed = {step["step"] for step in steps if not step["ok"]}
    if failed <= {"ptr", "helo"}:
        return "has a fault"  # many servers take its mail all the same
    # The mail servers of one domain, where there is no provider: others may take it.
    of_domain = any(step["step"] == "mx" for step in steps)
    if of_domain and failed.isdisjoint({"dns", "local address"}):
        return f"cannot send mail to {to}"
    return "cannot send mail"


def _tell(step: dict[str, Any]) -> None:
    mark = "ok    " if step["ok"] else "FAILED"
    where = f" {step['address']}" if step["address"] else ""
    say(f"{mark}  {step['step']}{where} ({step['seconds']:.2f} s): {step['result']}")
    if step["advice"]:
        say(f"        {step['advice']}")
    sys.stdout.flush()


def _act(options: argparse.Namespace) -> int:
    answer = Relay(spool_folder(options)).post(f"accounts/{quoted(options.name)}/{options.action}")
    if options.json:
        put(answer)
    else:
        say(f"{options.name} {options.done}")
    return 0
