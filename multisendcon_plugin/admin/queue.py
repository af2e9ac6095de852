"""`multisendcon queue`: look at what waits, and mend it."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from typing import Any

from ..operations.errors import BadRequestError, NotFoundError
from ..operations.values import DeliveryState
from . import arguments, stopped, words
from .arguments import Commands
from .connection import Relay, quoted
from .errors import NotRunningError
from .place import spool_folder
from .table import Column
from .terminal import agreed, can_ask, put, put_lines, say, show, warn

#: States of deliveries that wait for their account, also when they are due.
_WAITS = (DeliveryState.RESTING.value, DeliveryState.QUOTA.value)
_FILTER = ("account", "sender", "recipient", "state", "older_than", "younger_than", "destination")

_COLUMNS = (
    Column("ID"),
    Column("ACCOUNT", shrinks=True),
    Column("STATE"),
    Column("AGE", right=True),
    Column("NEXT", right=True),
    Column("TRIES", right=True),
    Column("SENDER", shrinks=True),
    Column("RECIPIENTS", shrinks=True),
    Column("LAST REPLY", below=True),
)


def add_to(commands: Commands) -> None:
    """Add the commands."""
    family = arguments.group(commands, "queue", "look at the mail that waits, and mend it")

    listing = arguments.command(family, "list", _list, "list the mail that waits")
    _add_filter(listing)
    listing.add_argument(
        "--limit", type=arguments.positive, metavar="N", help="at most so many, from the oldest on"
    )
    arguments.add_json(listing)

    showing = arguments.command(family, "show", _show, "show all that is known of a mail")
    showing.add_argument("id", metavar="ID", help="of the mail, as list, log and replies name it")
    arguments.add_json(showing)

    for name, text, done in (
        ("retry", "try mail now, unless it is held", "due now"),
        ("hold", "let mail wait until it is released", "held"),
        ("release", "let mail that is held go on, due as it was", "released"),
    ):
        _add_action(family, name, text, done)

    deleting = _add_action(family, "delete", "delete mail; nobody gets it", "deleted")
    deleting.set_defaults(run=_delete)
    deleting.add_argument("--yes", action="store_true", help="do not ask")
    deleting.add_argument("--notify", action="store_true", help="tell the senders by a report")

    moving = _add_action(family, "move", "move mail to another account, due now", "moved")
    moving.set_defaults(run=_move)
    moving.add_argument("--to-account", required=True, metavar="NAME", help="the account")
    moving.add_argument(
        "--force", action="store_true", help="also mail that the account's masks do not admit"
    )


def _add_action(family: Commands, name: str, text: str, done: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = arguments.command(family, name, _act, text)
    parser.add_argument("ids", nargs="*", metavar="ID", help="of a mail; or choose by a filter")
    _add_filter(parser)
    parser.add_argument("--dry-run", action="store_true", help="only say what would be changed")
    arguments.add_json(parser)
    parser.set_defaults(action=name, done=done)
    return parser


def _add_filter(parser: argparse.ArgumentParser) -> None:
    which = parser.add_argument_group("filter", arguments.FILTER)
    which.add_argument("--account", metavar="NAME", help="the account by which it leaves")
    arguments.add_addresses(which)
    which.add_argument(
        "--state", choices=[state.value for state in DeliveryState], help="what it waits for"
    )
    which.add_argument(
        "--older-than",
        type=arguments.moment,
        metavar="AGE",
        help="it arrived so long ago: for example 90s, 5m, 4h, 3d",
    )
    which.add_argument(
        "--younger-than", type=arguments.moment, metavar="AGE", help="it arrived since then"
    )
    which.add_argument("--destination", metavar="DOMAIN", help="within an account of type direct")


# Look.


def _list(options: argparse.Namespace) -> int:
    folder, chosen = spool_folder(options), arguments.said(options, _FILTER)
    try:
        rows = Relay(folder).rows("queue", {**chosen, "limit": options.limit})
    except NotRunningError:
        rows = stopped.queue(folder, chosen, options.limit)
    count = put_lines(rows) if options.json else _table(rows)
    if not count and chosen:
        raise NotFoundError("no mail that waits is like that")
    if not count:
        warn("no mail waits")
    return 0


def _table(rows: Iterator[bytes]) -> int:
    now = time.time()
    return show(_COLUMNS, (_cells(json.loads(row), now) for row in rows))


def _cells(row: dict[str, Any], now: float) -> tuple[str, ...]:
    return (
        row["id"],
        _way(row),
        row["state"],
        words.ago(row["arrived"], now),
        _next(row, now) or "-",
        str(row["attempts"]),
        words.path(row["sender"]),
        words.paths(row["recipients"]),
        row["last_reply"] or _rest(row),
    )


def _rest(row: dict[str, Any]) -> str:
    """Return why the destination of a mail rests, which need not have been tried itself."""
    return f"{row['destination']} rests: {row['fault']}" if row["fault"] else ""


def _way(row: dict[str, Any]) -> str:
    return f"{row['account']} ({row['destination']})" if row["destination"] else row["account"]


def _show(options: argparse.Namespace) -> int:
    folder = spool_folder(options)
    try:
        mail = Relay(folder).get(f"queue/{quoted(options.id)}")
    except NotRunningError:
        mail = stopped.message(folder, options.id)
    if options.json:
        put(mail)
    else:
        _tell(mail)
    return 0


def _tell(mail: dict[str, Any]) -> None:
    now = time.time()
    say(f"{mail['id']} from {words.path(mail['sender'])}, {words.octets(mail['size'])}")
    say(f"  arrived {words.moment(mail['arrived'])}{words.client(mail['client'])}")
    for delivery in mail["deliveries"]:
        say()
        say(f"  by {_way(delivery)}: {delivery['state']}, {_due(delivery, now)}")
        for recipient in delivery["recipients"]:
            say(f"    to {words.path(recipient['address'])}: {recipient['reason']}")
        if delivery["last_reply"]:
            say(f"    last reply: {delivery['last_reply']}")
        if delivery["fault"]:
            say(f"    {_rest(delivery)}")
        if delivery["tried"]:
            say(f"    moved away from: {', '.join(delivery['tried'])}")
    say()
    for line in mail["header"].expandtabs().splitlines():
        say(f"  | {line}")


def _due(delivery: dict[str, Any], now: float) -> str:
    tries = words.count(delivery["attempts"], "attempt has failed", "attempts have failed")
    due = _next(delivery, now)
    return ", ".join(
        filter(
            None,
            [due and f"next attempt {due}", tries if delivery["attempts"] else "not tried yet"],
        )
    )


def _next(delivery: dict[str, Any], now: float) -> str:
    """Return when it is tried next; ``""``: not before somebody, or its account, lets it go on."""
    waits = delivery["state"] in _WAITS
    due = max(delivery["due"], delivery["until"] or 0.0)
    if delivery["state"] == "held" or (waits and due <= now):
        return ""
    return words.ahead(due, now)


# Mend.


def _act(options: argparse.Namespace, **more: Any) -> int:
    chosen = _chosen(options)
    changed = _post(options, {**chosen, **more})
    if options.json:
        put(changed)
    else:
        would = "would be " if options.dry_run else ""
        number = words.count(changed["changed"], "delivery", "deliveries")
        say(f"{number} {would}{options.done}")
        for each in changed["ids"]:
            say(each)
    missing = changed.get("missing", [])
    if missing:
        raise NotFoundError(f"not in the queue: {', '.join(missing)}")
    return 0


def _chosen(options: argparse.Namespace) -> dict[str, Any]:
    """Return what is to be done something with, as the relay is told."""
    chosen = arguments.said(options, _FILTER)
    if options.ids and chosen:
        raise BadRequestError(f"queue {options.action}: IDs, or a filter; not both")
    if not options.ids and not chosen:
        raise BadRequestError(
            f"queue {options.action}: name mails by their IDs, or choose them by a filter such as"
            " --account; it never means all"
        )
    return {"ids": options.ids} if options.ids else {"filter": chosen}


def _post(options: argparse.Namespace, body: dict[str, Any]) -> dict[str, Any]:
    dry = {"dry_run": True} if options.dry_run else {}
    return Relay(spool_folder(options)).post(f"queue/{options.action}", {**body, **dry})


def _delete(options: argparse.Namespace) -> int:
    chosen = _chosen(options)
    if not (options.yes or options.dry_run):
        if not can_ask():
            raise BadRequestError(
                "queue delete: nobody can be asked here; add --yes to delete the mail"
            )
        found = Relay(spool_folder(options)).post("queue/delete", {**chosen, "dry_run": True})
        if not agreed(f"Delete {words.count(len(found['ids']), 'mail', 'mails')}?"):
            warn("nothing was deleted")
            return 1
    return _act(options, notify=options.notify)


def _move(options: argparse.Namespace) -> int:
    return _act(options, to_account=options.to_account, force=options.force)
