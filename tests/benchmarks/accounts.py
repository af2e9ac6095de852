"""Rows that show that many accounts cost no more than few."""

from __future__ import annotations

import contextlib
import json

from tests.benchmarks.measurement import Load, addresses, measure, measure_in_turns
from tests.benchmarks.row import Curve, Figure, Row
from tests.interop.relay import Relay, account
from tests.interop.sink import Sink

_MANY, _FEW = "10,000 accounts", "10 accounts"
_COUNTS = {_MANY: 10_000, _FEW: 10}
_USED = {_MANY: 1000, _FEW: 10}
_BURSTS = 20
_THROUGH, _CPU = "messages/s through", "ms CPU per message"


class _ManyAccounts(Relay):
    """A relay with accounts that all lead to one sink.

    :param count: of accounts.
    :param recipients: of all mails to come.
    :param used: how many of the accounts they take, in turns; the others stand above.
    """

    name = "multisendcon"

    def __init__(self, folder, sink, recipients, *, count, used):
        masks = [[f"*@brand-{number}.example"] for number in range(count)]
        for number in range(used):
            masks[-1 - number] += recipients[number::used]
        accounts = [
            account(f"Account {n}", sink.address, sink.port, recipients=json.dumps(each))
            for n, each in enumerate(masks)
        ]
        super().__init__(folder, "\n".join(accounts))


def _measure(count, bench):
    load = Load(messages=bench.scaled(10_000))
    with (
        bench.folders() as (disk, memory),
        Sink(disk, memory / "mails") as sink,
        _ManyAccounts(disk, sink, addresses(load), count=count, used=10) as server,
    ):
        measured = measure(server, sink, load)
        return {key: measured[key] for key in ("through", "cpu")}


def _side_by_side(used):
    """Return the `measure` of a row with two relays that run at the same time.

    What is to be seen is smaller than what the machine's speed changes by.

    :param used: for each side, how many of its accounts the mails take.
    """

    def measure_sides(sides, bench):
        load = Load(messages=bench.scaled(10_000) // _BURSTS)
        recipients = addresses(load, _BURSTS)
        with contextlib.ExitStack() as running:
            pairs = []
            for side in sides:
                disk, memory = running.enter_context(bench.folders())
                sink = running.enter_context(Sink(disk, memory / "mails"))
                accounts = {"count": _COUNTS[side], "used": used[side]}
                relay = _ManyAccounts(disk, sink, recipients, **accounts)
                pairs.append((running.enter_context(relay), sink))
            measured = measure_in_turns(pairs, load, _BURSTS)
        return {
            side: {key: figures[key] for key in ("through", "cpu")}
            for side, figures in zip(sides, measured, strict=True)
        }

    return measure_sides


ROWS = (
    Row(
        name="accounts",
        about="10,000 mails of 4 KiB in turns through 10 accounts, of 10,000 or of 10",
        sides=(_MANY, _FEW),
        figures={
            "through": Figure(unit=_THROUGH, limit=0.95),
            "cpu": Figure(unit=_CPU, limit=1.05, better="less"),
        },
        measure=_side_by_side(dict.fromkeys(_COUNTS, 10)),
    ),
    Row(
        name="accounts-used",
        about="10,000 mails of 4 KiB in turns through 1,000 accounts of 10,000, or 10 of 10",
        sides=(_MANY, _FEW),
        figures={"through": Figure(unit=_THROUGH), "cpu": Figure(unit=_CPU)},
        measure=_side_by_side(_USED),
    ),
)

CURVES = (
    Curve(
        name="accounts",
        scale="accounts",
        points=(10, 100, 1000, 10_000),
        sides=("multisendcon",),
        figures={"through": _THROUGH, "cpu": _CPU},
        measure=lambda _, point, bench: _measure(point, bench),
    ),
)
