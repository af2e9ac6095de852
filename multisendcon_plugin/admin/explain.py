"""`multisendcon explain`: which account takes a mail, why, and how it would leave.

Asks the relay; where none runs, the configuration file is explained.
"""

from __future__ import annotations

import argparse
import difflib
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..configuration import load
from ..operations.errors import BadRequestError
from ..operations.json_form import from_json, to_json
from ..operations.values import Question
from ..routing.account import AccountType
from ..routing.registry import AccountRegistry
from ..settings import files
from . import arguments, words
from .arguments import Commands
from .at_once import answer
from .connection import Relay
from .errors import NotRunningError, UnreachableError
from .place import config, spool_folder
from .terminal import put, say, warn


def add_to(commands: Commands) -> None:
    """Add the command."""
    parser = arguments.command(
        commands,
        "explain",
        _explain,
        "say which account takes a mail, why, and how it would leave",
        epilog="It asks the relay that runs; where none does, the configuration file is explained.",
    )
    parser.add_argument(
        "sender",
        metavar="SENDER",
        type=arguments.sender,
        help='its address in the envelope; "<>" is the null reverse-path',
    )
    parser.add_argument(
        "recipient", metavar="RECIPIENT", type=arguments.address, nargs="+", help="its address"
    )
    arguments.complete(
        parser.add_argument(
            "--message", metavar="FILE", help="the mail itself, header first; - is standard input"
        )
    )
    arguments.add_json(parser)


def _explain(options: argparse.Namespace) -> int:
    question: dict[str, Any] = {"sender": options.sender, "recipients": options.recipient}
    if options.message is not None:
        question["message"] = _message(options.message)
    try:
        explanation = Relay(spool_folder(options)).post("explain", question)
    except UnreachableError as error:
        why = "no relay runs here" if isinstance(error, NotRunningError) else str(error)
        warn(f"{why}; this is what the file says: {config(options)}")
        explanation = _from_file(options, question)
    if options.json:
        put(explanation)
    else:
        for line in _lines(explanation):
            say(line)
    return 0 if all(each["account"] for each in explanation["recipients"]) else 1


def _message(path: str) -> str:
    """Return the mail that is asked about.

    :raise BadRequestError: it cannot be read.
    """
    try:
        octets = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
    except OSError as error:
        reason = files.reason(error)
        raise BadRequestError(f"--message: {path} cannot be read: {reason}") from None
    # What is not UTF-8 decides nothing, and JSON could not have it.
    return octets.decode("utf-8", "replace")


def _from_file(options: argparse.Namespace, question: dict[str, Any]) -> dict[str, Any]:
    from ..operations.explanation import explain  # noqa: PLC0415 -- much, and rarely needed

    configuration = load(config(options))
    explanation: dict[str, Any] = to_json(
        answer(
            explain(
                configuration.master_relay,
                AccountRegistry(configuration.accounts),
                from_json(question, Question),
                now=time.time(),
            )
        )
    )
    return explanation


def _lines(explanation: dict[str, Any]) -> Iterator[str]:
    for recipient in explanation["recipients"]:
        path = words.path(recipient["address"])
        if recipient["account"] is None:
            yield f"{path}: no account takes it; it is rejected with 550 5.7.1"
        for account in recipient["accounts"]:
            if account["taken"]:
                yield f"{path}: {account['name']} ({account['reason']})"
        for account in recipient["accounts"]:
            if not account["taken"]:
                yield f"  not {account['name']}: {account['reason']}"
    for departure in explanation["accounts"]:
        yield ""
        yield f"By {departure['name']}, as it would leave:"
        for title, texts in _departure(departure):
            for left, text in zip([title, *[""] * len(texts)], texts, strict=False):
                yield f"  {left:<9}  {text}"


def _departure(departure: dict[str, Any]) -> Iterator[tuple[str, list[str]]]:
    envelope, session, limits = (departure[name] for name in ("envelope", "session", "limits"))
    recipients = ", ".join(map(words.path, envelope["recipients"]))
    yield "envelope", [f"from {words.path(envelope['sender'])} to {recipients}"]
    direct = departure["type"] == AccountType.DIRECT.value
    yield "session", [_session(session, direct=direct)]
    if direct:
        yield "to", _routes(departure["routes"])
    wait = (
        f"at least {limits['minimum_wait']:g} s between two mails, "
        if limits["minimum_wait"]
        else ""
    )
    connections = words.count(limits["max_connections"], "connection", "connections")
    yield "limits", [f"{wait}{connections}"]
    if limits["quota"]:
        over = "" if limits["over_quota"] == "wait" else "; then its fallback takes over"
        yield "quota", [f"{_quota(each)}{over}" for each in limits["quota"]]
    if departure["fallbacks"]:
        yield "fallback", [", then ".join(departure["fallbacks"])]
    header = departure["header"]
    before, after = (header[when].expandtabs().splitlines() for when in ("before", "after"))
    changes = [line for line in difflib.ndiff(before, after) if line[0] in "+-"]
    yield "header", changes or ["unchanged"]


def _routes(routes: list[dict[str, Any]] | None) -> list[str]:
    """Say where the mail of a direct account goes."""
    if routes is None:
        return ["the mail servers of each domain: not looked up, since only the relay asks the DNS"]
    lines = []
    for route in routes:
        if route["problem"]:
            follows = "the mail waits" if route["temporary"] else "the mail comes back"
            lines.append(f"{route['destination']}: no way, {follows}: {route['problem']}")
        else:
            lines.append(f"{route['destination']}:")
            lines += [f"  {_host(host)}" for host in route["hosts"]]
    return lines


def _host(host: dict[str, Any]) -> str:
    policy = f"{host['policy']} in testing mode" if host["testing"] else host["policy"]
    if host["tls"] is None:
        tls = f"not to be used now: {host['why']}"
    else:
        tls = f"TLS {host['tls']}{', required' if host['tls_required'] else ''}; {host['why']}"
    addresses = ", ".join(host["addresses"])
    return f"{host['name']} ({host['preference']}) at {addresses}: {policy}, {tls}"


def _session(session: dict[str, Any], *, direct: bool) -> str:
    required = ", required" if session["tls_required"] else ""
    local = f", from {session['local_address']}" if session["local_address"] else ""
    login = ", no login"
    if session["login"] != "none":
        auth = "" if session["auth"] == "auto" else f" ({session['auth']})"
        login = f", login {session['mailbox']} by {session['login']}{auth}"
    server = "mail servers of the recipients" if direct else session["server"]
    return (
        f"{server} port {session['port']}, TLS {session['tls']}{required}{local},"
        f" HELO {session['helo']}{login}"
    )


def _quota(quota: dict[str, Any]) -> str:
    if quota["used"] is None:
        return str(quota["quota"])
    room = f"{quota['left']:,} left"
    if quota["opens"] is not None:
        room = f"none left until {words.hour(quota['opens'], time.time())}"
    return f"{quota['quota']}: {quota['used']:,} used, {room}"
