"""The rows that compare the relay with Postfix, on the same machine, disk and sink."""

from __future__ import annotations

import attrs

from tests.benchmarks.login_sink import LoginSink
from tests.benchmarks.measurement import Load, measure
from tests.benchmarks.row import Curve, Figure, Row, one_by_one
from tests.benchmarks.servers import SERVERS, HoldingPostfix, Multisendcon, PrivatePostfix
from tests.interop.sink import Sink

_SIDES = (Multisendcon.name, PrivatePostfix.name)
_CPU = "ms CPU per message"
#: Figures without a target.
_TO_READ = {"cpu": Figure(unit=_CPU), "sink": Figure(unit="processors busy in the sink")}


def _measure(side, bench, load):
    """Send a load through a server that was just started, to a sink of its own."""
    load = attrs.evolve(load, messages=bench.scaled(load.messages))
    with (
        bench.folders() as (disk, memory),
        Sink(disk, memory / "mails") as sink,
        SERVERS[side](disk, sink) as server,
    ):
        return measure(server, sink, load)


def _measure_login(side, bench, load):
    """Do the same with a sink that wants TLS and a login."""
    load = attrs.evolve(load, messages=bench.scaled(load.messages))
    with (
        bench.folders() as (disk, memory),
        LoginSink(disk, memory / "notes") as sink,
        SERVERS[side](disk, sink, sink.login) as server,
    ):
        return measure(server, sink, load)


def _row(name, about, load, measure_load=_measure, sides=_SIDES, **wanted):
    """Return a row; of what a measurement gives, it shows what is wanted and what is to be read."""
    figures = wanted | {key: each for key, each in _TO_READ.items() if key not in wanted}

    def measure_round(side, bench):
        measured = measure_load(side, bench, load)
        measured["megabytes"] = measured["through"] * load.size / 1e6
        return {key: measured[key] for key in figures}

    return Row(
        name=name, about=about, sides=sides, figures=figures, measure=one_by_one(measure_round)
    )


ROWS = (
    _row(
        "through",
        "5,000 mails of 4 KiB over 10 sessions",
        Load(messages=5000),
        accepted=Figure(unit="messages/s accepted", limit=3, aim=5),
        through=Figure(unit="messages/s through", limit=3, aim=5),
        cpu=Figure(unit=_CPU, limit=0.3, aim=0.2, better="less"),
    ),
    _row(
        "through-held",
        "the same, beside a Postfix that holds its clients back, as Debian's does",
        Load(messages=5000),
        sides=(Multisendcon.name, HoldingPostfix.name),
        accepted=Figure(unit="messages/s accepted", limit=3, aim=5),
        through=Figure(unit="messages/s through", limit=3, aim=5),
        cpu=Figure(unit=_CPU, limit=0.3, aim=0.2, better="less"),
    ),
    _row(
        "one-session",
        "1,000 mails of 4 KiB, one after the other",
        Load(messages=1000, sessions=1),
        through=Figure(unit="messages/s through", limit=1.5, aim=3),
    ),
    _row(
        "recipients",
        "1,000 mails of 4 KiB with 50 recipients each over 10 sessions",
        Load(messages=1000, recipients=50),
        through=Figure(unit="messages/s through", limit=2, aim=5),
    ),
    _row(
        "large",
        "40 mails of 10 MB over 4 sessions",
        Load(messages=40, size=10_000_000, sessions=4),
        megabytes=Figure(unit="MB/s through", limit=1, aim=2),
    ),
    _row(
        "tls-login",
        "5,000 mails of 4 KiB over 10 sessions, to a server with STARTTLS and login",
        Load(messages=5000),
        _measure_login,
        through=Figure(unit="messages/s through", limit=3, aim=5),
    ),
)

_CURVE = {"through": "messages/s through", "cpu": _CPU}

CURVES = (
    Curve(
        name="sessions",
        scale="sessions of the client",
        points=(1, 2, 5, 10, 20, 50),
        sides=_SIDES,
        figures=_CURVE,
        measure=lambda side, point, bench: _measure(
            side, bench, Load(messages=2000, sessions=point)
        ),
    ),
    Curve(
        name="size",
        scale="octets of a mail",
        points=tuple(2**power for power in range(10, 21, 2)),
        sides=_SIDES,
        figures=_CURVE,
        # As many mails as make 200 MB, if those are not too many or too few.
        measure=lambda side, point, bench: _measure(
            side, bench, Load(messages=min(2000, max(200, 200_000_000 // point)), size=point)
        ),
    ),
)
