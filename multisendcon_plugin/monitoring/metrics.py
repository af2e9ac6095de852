"""Figures for Prometheus: what has been counted, and how it is now, in its text formats.

Needs ``prometheus_client``, of which no more is used than its values and formats: what it has for
Twisted takes a reactor and threads of its own choice.  The labels are names of accounts, which the
admin has given, and words of ours.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import accumulate

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.server import Request

from ..mail.selection import StoreFigures, Total
from ..operations.values import AlarmKind
from ..outcome.condition import State
from ..web.api import reply, reply_with
from .counters import OUTCOMES, Histogram
from .sources import Sources, told

#: Seconds that the spool may take; then its figures are left out.
ANSWER_WITHIN = 5.0

_PREFIX = "multisendcon_"
_OPENMETRICS = "application/openmetrics-text"
_DOWN = (State.LOGIN, State.RESTING, State.OFF)
_NOTHING = Total(0, 0, None)


class Metrics:
    """``/metrics``."""

    log = Logger()

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._process = ProcessCollector(registry=None)

    def answer(self, request: Request) -> None:
        """Answer when the spool has told its part."""
        Deferred.fromCoroutine(self._answer(request)).addErrback(self._failed, request)

    def _failed(self, failure: Failure, request: Request) -> None:
        self.log.failure("internal error of the metrics (a bug); traceback follows", failure)
        reply(request, 500, {"error": "internal error of the relay, see its log"})

    async def _answer(self, request: Request) -> None:
        sources = self._sources
        totals = await told(sources.totals, ANSWER_WITHIN, sources.clock)
        figures = await told(sources.figures, ANSWER_WITHIN, sources.clock)
        registry = CollectorRegistry()
        registry.register(_Figures(sources, totals, figures))
        registry.register(self._process)
        # The rest of the field, which may be anything, does not matter.
        accepted = b",".join(request.requestHeaders.getRawHeaders(b"Accept", []))
        preferred = _OPENMETRICS.encode() in accepted
        encode, content_type = choose_encoder(_OPENMETRICS if preferred else "")
        reply_with(request, content_type, encode(registry))


class _Figures(Collector):
    """All figures of the relay at one moment."""

    def __init__(
        self,
        sources: Sources,
        totals: Mapping[str, Total] | None,
        figures: StoreFigures | None,
    ) -> None:
        self._sources = sources
        self._totals = totals
        self._figures = figures

    def collect(self) -> Iterator[Metric]:
        """Yield them, by name."""
        counters = self._sources.counters
        accepted = _counter("mails_accepted", "Mails that were accepted.")
        accepted.add_metric([], counters.accepted)
        yield accepted
        refused = _counter("mails_refused", "Mails and recipients that were refused.", "reason")
        for reason, count in counters.refused.items():
            refused.add_metric([reason], count)
        yield refused
        yield from self._by_outcome()
        yield from self._by_account()
        if self._totals is not None:
            yield from self._waiting(self._totals)
        yield _histogram(
            "delivery_seconds",
            "Seconds from the arrival of a mail to its delivery, for each recipient.",
            counters.delivery_seconds,
        )
        if self._figures is not None:
            yield from _spool(self._figures)
        alarms = _gauge("alarms", "Alarms that are not over.", "kind")
        kinds = [alarm.kind for alarm in self._sources.alarms()]
        for kind in AlarmKind:
            alarms.add_metric([kind.value], kinds.count(kind))
        yield alarms

    def _by_outcome(self) -> Iterator[Metric]:
        recipients = _counter(
            "recipients", "What came of recipients at attempts.", "account", "outcome"
        )
        attempts = _counter("attempts", "Attempts to deliver.", "account", "outcome")
        tallies = self._sources.counters.tallies()
        names = [condition.account for condition in self._sources.conditions()]
        # From the start, so that the first failure is a rise.
        for name in dict.fromkeys([*names, *tallies]):
            tally = tallies.get(name)
            for outcome in OUTCOMES:
                labels = [name, outcome]
                recipients.add_metric(labels, tally.recipients[outcome] if tally else 0)
                attempts.add_metric(labels, tally.attempts[outcome] if tally else 0)
        yield recipients
        yield attempts

    def _by_account(self) -> Iterator[Metric]:
        up = _gauge(
            "account_up",
            "Whether an account can be used: 0 if it rests, cannot log in, or is not enabled.",
            "account",
        )
        connections = _gauge("connections", "Open connections of an account.", "account")
        resting = _gauge(
            "resting_destinations",
            "Destinations of an account that rest while it sends to others.",
            "account",
        )
        left = _gauge(
            "quota_left", "Mails or recipients that a quota has room for.", "account", "quota"
        )
        for condition in self._sources.conditions():
            up.add_metric([condition.account], condition.state not in _DOWN)
            connections.add_metric([condition.account], condition.connections)
            resting.add_metric([condition.account], condition.resting_destinations)
            for each in condition.quotas:
                left.add_metric([condition.account, str(each.quota)], each.left)
        yield up
        yield connections
        yield resting
        yield left
        yield self._tokens()

    def _tokens(self) -> Metric:
        valid = _gauge(
            "token_valid_seconds",
            "Seconds for which the token of an account is valid; 0 if it has none.",
            "account",
        )
        now = self._sources.wall()
        for account, standing in self._sources.logins():
            if account.oauth2 is not None:
                until = standing.valid_until or 0.0
                valid.add_metric([account.name], max(0.0, until - now))
        return valid

    def _waiting(self, totals: Mapping[str, Total]) -> Iterator[Metric]:
        waiting = _gauge("waiting", "Deliveries that wait for an account.", "account")
        oldest = _gauge(
            "oldest_seconds", "Age of the oldest mail that waits for an account.", "account"
        )
        names = [condition.account for condition in self._sources.conditions()]
        now = self._sources.clock.seconds()
        for name in dict.fromkeys([*names, *totals]):
            total = totals.get(name, _NOTHING)
            waiting.add_metric([name], total.waiting)
            age = 0.0 if total.oldest is None else max(0.0, now - total.oldest)
            oldest.add_metric([name], age)
        yield waiting
        yield oldest


def _spool(figures: StoreFigures) -> Iterator[Metric]:
    octets = _gauge("spool_bytes", "Bytes that the spool takes on the disk.")
    octets.add_metric([], figures.taken)
    yield octets
    ends = [float(1 << power) for power in range(len(figures.batches))]
    # The last bucket has no end.
    batches = Histogram(tuple(ends[:-1]), figures.batches, figures.jobs)
    yield _histogram(
        "commit_batch", "New mails and outcomes that were written in one transaction.", batches
    )


def _counter(name: str, about: str, *labels: str) -> CounterMetricFamily:
    return CounterMetricFamily(_PREFIX + name, about, labels=labels)


def _gauge(name: str, about: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(_PREFIX + name, about, labels=labels)


def _histogram(name: str, about: str, histogram: Histogram) -> HistogramMetricFamily:
    family = HistogramMetricFamily(_PREFIX + name, about, labels=())
    ends = [*map(floatToGoString, histogram.bounds), "+Inf"]
    family.add_metric([], list(zip(ends, accumulate(histogram.counts), strict=True)), histogram.sum)
    return family
