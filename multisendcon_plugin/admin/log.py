"""`multisendcon log`: what became of each mail."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable

from ..operations.errors import BadRequestError, NotFoundError
from . import arguments, stopped, story, words
from .arguments import Commands
from .connection import Relay
from .errors import NotRunningError
from .follow import Wanted, follow
from .place import spool_folder
from .terminal import put, put_lines, say, warn

_FILTER = ("sender", "recipient", "message_id", "account", "since", "until", "id")


def add_to(commands: Commands) -> None:
    """Add the command."""
    parser = arguments.command(commands, "log", _log, "say what became of each mail")
    which = parser.add_argument_group("filter", arguments.FILTER)
    arguments.add_addresses(which)
    which.add_argument("--message-id", metavar="ID", help="in the field Message-ID")
    which.add_argument("--account", metavar="NAME", help="by which it was tried")
    for name, text in (("--since", "arrived after that"), ("--until", "arrived before that")):
        which.add_argument(
            name,
            type=arguments.moment,
            metavar="TIME",
            help=f"{text}: 1h for an hour ago, 2026-01-31, or 2026-01-31T12:00 (with Z: UTC)",
        )
    which.add_argument("--id", metavar="ID", help="of the mail, as log and replies name it")
    parser.add_argument(
        "--limit", type=arguments.positive, metavar="N", help="at most so many, from the oldest on"
    )
    parser.add_argument(
        "--follow", action="store_true", help="go on with what happens, as it happens"
    )
    arguments.add_json(parser)


def _log(options: argparse.Namespace) -> int:
    chosen = arguments.said(options, _FILTER)
    folder = spool_folder(options)
    if options.follow:
        return _follow(Relay(folder), chosen, options)
    try:
        stories = Relay(folder).rows("history", {**chosen, "limit": options.limit})
    except NotRunningError:
        stories = stopped.history(folder, chosen, options.limit)
    count = put_lines(stories) if options.json else _tell(stories)
    if not count and chosen:
        raise NotFoundError("the history has no mail like that")
    if not count:
        warn("the history has no mail yet")
    return 0


def _follow(relay: Relay, chosen: dict[str, str], options: argparse.Namespace) -> int:
    for name in ("until", "limit"):
        if getattr(options, name) is not None:
            raise BadRequestError(f"log: --follow goes on until Ctrl-C; leave out --{name}")
    # First: rather tell something twice than miss it.
    events = relay.events()
    if "since" in chosen:
        stories = relay.rows("history", chosen)
        put_lines(stories) if options.json else _tell(stories)
        sys.stdout.flush()
    following = filter(Wanted(chosen).has, follow(relay, events))
    for event in following if options.json else story.told(following):
        if options.json:
            put(event)
        else:
            say(f"{event['id']}  {words.moment(event['time'])}  {story.event_text(event)}")
            sys.stdout.flush()
    return 0


def _tell(stories: Iterable[bytes]) -> int:
    count = 0
    for each in stories:
        if count:
            say()
        for line in story.lines(json.loads(each)):
            say(line)
        count += 1
    return count
