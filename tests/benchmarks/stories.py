"""Rows about the history: what it costs the mail, and how fast a story is found among a million."""

from __future__ import annotations

import contextlib
import time
from functools import partial

from multisendcon_plugin.events import AttemptEnded, MailAccepted
from multisendcon_plugin.history.records import Batch
from multisendcon_plugin.history.rows import add, sort
from multisendcon_plugin.history.search import find, read_only
from multisendcon_plugin.history.store import Store
from multisendcon_plugin.history.story import FIRST_PLACE, Search
from multisendcon_plugin.mail.envelope import Client, Envelope
from multisendcon_plugin.mail.message import Delivery, Message, Recipient
from multisendcon_plugin.mail.phase import Phase
from multisendcon_plugin.mail.reply import Reply
from multisendcon_plugin.outcome.attempt import Attempt, Outcome, Verdict
from multisendcon_plugin.outcome.judgement import Judgement
from multisendcon_plugin.settings.quantities import Room
from tests.benchmarks.measurement import Load, measure_in_turns
from tests.benchmarks.row import Figure, Row
from tests.interop.relay import Relay, account
from tests.interop.sink import Sink

_WITH, _WITHOUT = "with a history", "without"
_KEEP = {_WITH: '"7d"', _WITHOUT: "0"}
_BURSTS = 20

_STORIES, _SENDERS, _ACCOUNTS = 1_000_000, 500, 10
_WEEK = 7 * 24 * 3600
_BATCH = 2000
#: Of each kind of search.
_SEARCHES = 20
_PAGE = 100
_CLIENT = Client("192.0.2.7", "", "exchange.example.com", "TLSv1.3 TLS_AES_256_GCM_SHA384")
_SESSION = "192.0.2.25:587 from 192.0.2.1:44444, TLSv1.3 TLS_AES_256_GCM_SHA384"
_TAKEN = Reply(250, "2.0.0", "Ok: queued as 4bXyZ12345z9rT")


class _Remembering(Relay):
    """A relay with one account, and with a history or without."""

    name = "multisendcon"

    def __init__(self, folder, sink, keep):
        history = f"[history]\nkeep = {keep}\n"
        super().__init__(folder, history + account("A", sink.address, sink.port))


def _side_by_side(sides, bench):
    """Measure relays that run at the same time: what is to be seen is small."""
    load = Load(messages=bench.scaled(20_000) // _BURSTS)
    with contextlib.ExitStack() as running:
        pairs = []
        for side in sides:
            disk, memory = running.enter_context(bench.folders())
            sink = running.enter_context(Sink(disk, memory / "mails"))
            relay = _Remembering(disk, sink, _KEEP[side])
            pairs.append((running.enter_context(relay), sink))
        measured = measure_in_turns(pairs, load, _BURSTS)
    return {
        side: {key: figures[key] for key in ("through", "cpu")}
        for side, figures in zip(sides, measured, strict=True)
    }


# A million stories.


def _search(sides, bench):
    """Find stories among those of a week, by what is rare and by what is not."""
    count = bench.scaled(_STORIES)
    now = time.time()
    with bench.folders() as (disk, _):
        file = disk / "history.db"
        began = time.monotonic()
        fill(file, count, now)
        figures = {
            "written": count / (time.monotonic() - began),
            "size": file.stat().st_size / count,
        }
        searches = {
            "recipient": lambda n: Search(recipient=f"R{n}@customer.example"),
            "message_id": lambda n: Search(message_id=f"<{n}@sales.example>"),
            "sender": lambda n: Search(sender=f"s{n % _SENDERS}@sales.example"),
            "time": lambda n: Search(since=_arrived(n, count, now)),
            "nothing": lambda n: Search(recipient=f"nobody{n}@customer.example"),
        }
        for name, search in searches.items():
            figures[name] = 1000 * max(
                _seconds(file, search(n * count // _SEARCHES), found=name != "nothing")
                for n in range(_SEARCHES)
            )
    return dict.fromkeys(sides, figures)


def _seconds(file, search, *, found):
    """Return how long the first page takes."""
    began = time.monotonic()
    with contextlib.closing(read_only(file)) as connection:
        page = find(connection, search, _PAGE, FIRST_PLACE)
        while not page.stories and page.after:
            page = find(connection, search, _PAGE, page.after)
    if bool(page.stories) != found:
        raise RuntimeError(f"{len(page.stories)} stories for {search}")
    return time.monotonic() - began


def fill(file, count, now):
    """Write so many stories, evenly spread over the week before now."""
    store = Store(file, Room(), print)
    for start in range(0, count, _BATCH):
        batch = Batch(0.0, subjects=True)
        for n in range(start, min(start + _BATCH, count)):
            batch.add(_facts(n, _arrived(n, count, now)))
        store.transact(partial(_write, batch))
    store.close()


def _write(batch, connection):
    add(connection, batch)
    sort(connection)


def _arrived(n, count, now):
    return now - _WEEK + n * _WEEK / count


def _facts(n, arrived):
    number = int(arrived * 1000) * 32 + n % 32
    address = f"r{n}@customer.example"
    message = Message(
        number=number,
        envelope=Envelope(
            reverse_path=f"s{n % _SENDERS}@sales.example",
            recipients=(address,),
            client=_CLIENT,
            message_id=f"<{n}@sales.example>",
            subject=f"Your order {n} of today has been sent",
        ),
        size=4096,
        header_size=300,
        arrived=arrived,
    )
    recipient = Recipient(address=address, reason="sender matches *@sales.example")
    delivery = Delivery(
        number=number * 65_536,
        message=message,
        account=f"Account {n % _ACCOUNTS}",
        recipients=(recipient,),
        due=arrived,
    )
    outcome = Outcome(recipient=recipient, verdict=Verdict.DELIVERED, phase=Phase.END, reply=_TAKEN)
    attempt = Attempt(outcomes=(outcome,), session=_SESSION)
    judgement = Judgement(remaining=None, delivered=(outcome,))
    yield MailAccepted((delivery,))
    yield AttemptEnded(delivery, attempt, judgement, arrived + 0.1)


ROWS = (
    Row(
        name="history",
        about="20,000 mails of 4 KiB over 10 sessions, with a history or without",
        sides=(_WITH, _WITHOUT),
        figures={
            "through": Figure(unit="messages/s through", limit=0.92),
            "cpu": Figure(unit="ms CPU per message", limit=1.10, better="less"),
        },
        measure=_side_by_side,
    ),
    Row(
        name="stories",
        about="the first page of searches among 1,000,000 stories of a week",
        sides=("multisendcon",),
        figures={
            "written": Figure(unit="stories/s written"),
            "size": Figure(unit="octets each"),
            "recipient": Figure(unit="ms by recipient", limit=300, better="less"),
            "message_id": Figure(unit="ms by Message-ID", limit=300, better="less"),
            "nothing": Figure(unit="ms in vain", limit=300, better="less"),
            "sender": Figure(unit="ms by sender", better="less"),
            "time": Figure(unit="ms by time", limit=1000, better="less"),
        },
        measure=_search,
    ),
)
CURVES = ()
