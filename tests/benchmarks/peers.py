"""The rows that compare the relay with Postfix, on the same machine, disk and sink."""

from __future__ import annotations

import contextlib

import attrs

from tests.benchmarks.login_sink import LoginSink
from tests.benchmarks.measurement import Load, measure_in_turns
from tests.benchmarks.row import Curve, Figure, Row
from tests.benchmarks.servers import (
    SERVERS,
    ByPassword,
    ByToken,
    Forgetful,
    HoldingPostfix,
    Multisendcon,
    PrivatePostfix,
    ShortByPassword,
    ShortByToken,
    Watched,
)
from tests.interop.sink import Sink

_SIDES = (Multisendcon.name, PrivatePostfix.name)
_CPU = "ms CPU per message"
#: Figures without a target.
_TO_READ = {"cpu": Figure(unit=_CPU), "sink": Figure(unit="processors busy in the sink")}
#: Bursts in which the mails of a row come, by turns with those for the other server.
_BURSTS = 2
#: For what differs by less than the machine's speed from second to second.
_MANY_BURSTS = 20
#: What is to cost the same.
_NO_DEARER = {
    "through": Figure(unit="messages/s through", limit=0.95),
    "cpu": Figure(unit=_CPU, limit=1.05, better="less"),
}


def _start(running, side, bench, *, login):
    """Start a server, and a sink of its own, which wants TLS and a login or does not."""
    disk, memory = running.enter_context(bench.folders())
    make_sink = LoginSink if login else Sink
    sink = running.enter_context(make_sink(disk, memory / "mails"))
    server = SERVERS[side](disk, sink, sink.login if login else None)
    return running.enter_context(server), sink


def _measure(sides, bench, load, *, bursts=1, login=False):
    """Send a load, so many times, through servers that were just started, to sinks of their own."""
    with contextlib.ExitStack() as running:
        pairs = [_start(running, side, bench, login=login) for side in sides]
        return measure_in_turns(pairs, load, bursts)


def _measure_point(side, bench, load):
    load = attrs.evolve(load, messages=bench.scaled(load.messages))
    (figures,) = _measure([side], bench, load)
    return figures


def _row(name, about, load, *, sides=_SIDES, bursts=_BURSTS, login=False, **wanted):
    """Return a row; of what a measurement gives, it shows what is wanted and what is to be read."""
    figures = wanted | {key: each for key, each in _TO_READ.items() if key not in wanted}

    def measure_sides(sides, bench):
        burst = attrs.evolve(load, messages=max(1, bench.scaled(load.messages) // bursts))
        measured = _measure(sides, bench, burst, bursts=bursts, login=login)
        for each in measured:
            each["megabytes"] = each["through"] * load.size / 1e6
        return {
            side: {key: each[key] for key in figures}
            for side, each in zip(sides, measured, strict=True)
        }

    return Row(name=name, about=about, sides=sides, figures=figures, measure=measure_sides)


ROWS = (
    _row(
        "through",
        "5,000 mails of 4 KiB over 10 sessions",
        Load(messages=5000),
        accepted=Figure(unit="messages/s accepted", limit=3, aim=4),
        through=Figure(unit="messages/s through", limit=4, aim=5),
        cpu=Figure(unit=_CPU, limit=0.2, aim=0.17, better="less"),
    ),
    _row(
        "through-held",
        "the same, beside a Postfix that holds its clients back, as Debian's does",
        Load(messages=5000),
        sides=(Multisendcon.name, HoldingPostfix.name),
        accepted=Figure(unit="messages/s accepted", limit=4.5, aim=6),
        through=Figure(unit="messages/s through", limit=4.5, aim=6),
        cpu=Figure(unit=_CPU, limit=0.2, aim=0.17, better="less"),
    ),
    _row(
        "watched",
        "the same as through: with history and metrics, beside one without",
        Load(messages=5000),
        sides=(Watched.name, Forgetful.name),
        through=Figure(unit="messages/s through", limit=0.92),
        cpu=Figure(unit=_CPU, limit=1.1, better="less"),
    ),
    _row(
        "one-session",
        "1,000 mails of 4 KiB, one after the other",
        Load(messages=1000, sessions=1),
        through=Figure(unit="messages/s through", limit=2.5, aim=3),
    ),
    _row(
        "recipients",
        "1,000 mails of 4 KiB with 50 recipients each over 10 sessions",
        Load(messages=1000, recipients=50),
        through=Figure(unit="messages/s through", limit=3.5, aim=5),
    ),
    _row(
        "large",
        "40 mails of 10 MB over 4 sessions",
        Load(messages=40, size=10_000_000, sessions=4),
        megabytes=Figure(unit="MB/s through", limit=1.1, aim=2),
    ),
    _row(
        "tls-login",
        "5,000 mails of 4 KiB over 10 sessions, to a server with STARTTLS and login",
        Load(messages=5000),
        login=True,
        through=Figure(unit="messages/s through", limit=4.5, aim=6),
    ),
    _row(
        "tls-token",
        "the same: with a login by token, beside one by password",
        Load(messages=10_000),
        sides=(ByToken.name, ByPassword.name),
        bursts=_MANY_BURSTS,
        login=True,
        **_NO_DEARER,
    ),
    _row(
        "tls-token-short",
        "the same with sessions of 5 mails",
        Load(messages=10_000),
        sides=(ShortByToken.name, ShortByPassword.name),
        bursts=_MANY_BURSTS,
        login=True,
        **_NO_DEARER,
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
        measure=lambda side, point, bench: _measure_point(
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
        measure=lambda side, point, bench: _measure_point(
            side, bench, Load(messages=min(2000, max(200, 200_000_000 // point)), size=point)
        ),
    ),
)
