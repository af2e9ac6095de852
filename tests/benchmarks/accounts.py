"""Rows that show that many accounts cost no more than few."""

from __future__ import annotations

import json

from tests.benchmarks.measurement import WARM_UP, Load, measure
from tests.benchmarks.row import Curve, Figure, Row
from tests.interop.relay import Relay, account
from tests.interop.sink import Sink

_MANY, _FEW = "10,000 accounts", "10 accounts"
_COUNTS = {_MANY: 10_000, _FEW: 10}
_USED = {_MANY: 1000, _FEW: 10}
_THROUGH, _CPU = "messages/s through", "ms CPU per message"


class _ManyAccounts(Relay):
    """A relay with accounts that all lead to one sink.

    :param count: of accounts.
    :param used: how many of them the mails of the load take, in turns; the others stand above.
    """

    name = "multisendcon"

    def __init__(self, folder, sink, load, *, count, used):
        addresses = [
            f"{number}-{kind}@customer.example"
            for kind, most in (("warm-up", WARM_UP), ("measured", load.messages))
            for number in range(1, most + 1)
        ]
        masks = [[f"*@brand-{number}.example"] for number in range(count)]
        for number in range(used):
            masks[-1 - number] += addresses[number::used]
        accounts = [
            account(f"Account {n}", sink.address, sink.port, recipients=json.dumps(each))
            for n, each in enumerate(masks)
        ]
        super().__init__(folder, "\n".join(accounts))


def _measure(count, used, bench):
    load = Load(messages=bench.scaled(10_000))
    with (
        bench.folders() as (disk, memory),
        Sink(disk, memory / "mails") as sink,
        _ManyAccounts(disk, sink, load, count=count, used=used) as server,
    ):
        measured = measure(server, sink, load)
        return {key: measured[key] for key in ("through", "cpu")}


ROWS = (
    Row(
        name="accounts",
        about="10,000 mails of 4 KiB in turns through 10 accounts, of 10,000 or of 10",
        sides=(_MANY, _FEW),
        figures={
            "through": Figure(unit=_THROUGH, limit=0.95),
            "cpu": Figure(unit=_CPU, limit=1.05, better="less"),
        },
        measure=lambda side, bench: _measure(_COUNTS[side], 10, bench),
    ),
    Row(
        name="accounts-used",
        about="10,000 mails of 4 KiB in turns through 1,000 accounts of 10,000, or 10 of 10",
        sides=(_MANY, _FEW),
        figures={"through": Figure(unit=_THROUGH), "cpu": Figure(unit=_CPU)},
        measure=lambda side, bench: _measure(_COUNTS[side], _USED[side], bench),
    ),
)

CURVES = (
    Curve(
        name="accounts",
        scale="accounts",
        points=(10, 100, 1000, 10_000),
        sides=("multisendcon",),
        figures={"through": _THROUGH, "cpu": _CPU},
        measure=lambda _, point, bench: _measure(point, 10, bench),
    ),
)
