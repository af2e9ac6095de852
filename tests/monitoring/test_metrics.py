"""What Prometheus is served: all figures, by right names, and no word of a stranger; and probes."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from pathlib import Path
from unittest import mock

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import CollectorRegistry
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.internet.threads import deferToThread
from twisted.trial import unittest

from multisendcon_plugin import events
from multisendcon_plugin.errors import SpoolError
from multisendcon_plugin.logins import LoginStanding
from multisendcon_plugin.mail.reply import Reply
from multisendcon_plugin.mail.selection import StoreFigures, Total
from multisendcon_plugin.monitoring import health
from multisendcon_plugin.monitoring.counters import OUTCOMES, REASONS, Counters
from multisendcon_plugin.monitoring.health import Health, not_ready
from multisendcon_plugin.monitoring.metrics import ANSWER_WITHIN, _Figures
from multisendcon_plugin.monitoring.server import MonitoringServer, Sources
from multisendcon_plugin.operations.standing import Standing
from multisendcon_plugin.operations.values import Alarm, AlarmKind
from multisendcon_plugin.outcome.condition import Condition, QuotaUse, State
from multisendcon_plugin.outcome.judgement import Judgement
from multisendcon_plugin.routing.account import Account
from multisendcon_plugin.settings.oauth2 import Grant, OAuth2, Provider
from multisendcon_plugin.settings.operation import MetricsSettings
from multisendcon_plugin.settings.quota import quotas
from multisendcon_plugin.times import Time
from tests.interop import programs
from tests.queues import NOW, attempt, clock_now, delivery

RULES = Path(__file__).parents[2] / "etc/prometheus/multisendcon.rules.yml"
ODD = 'Büro "A\\n" {b="c"}'
FIGURES = StoreFigures(taken=4096, free=10**9, kept_free=0, batches=(5, 0, 2, *[0] * 13), jobs=12)
QUOTAS = tuple(
    QuotaUse(quota, used, left)
    for quota, used, left in zip(
        quotas(["30 mails/1m", "500 recipients/1h"]), (5, 500), (25, 0), strict=True
    )
)
NAMES = {
    "mails_accepted_total": set(),
    "mails_refused_total": {"reason"},
    "recipients_total": {"account", "outcome"},
    "attempts_total": {"account", "outcome"},
    "waiting": {"account"},
    "oldest_seconds": {"account"},
    "account_up": {"account"},
    "connections": {"account"},
    "delivery_seconds_bucket": {"le"},
    "delivery_seconds_sum": set(),
    "delivery_seconds_count": set(),
    "commit_batch_bucket": {"le"},
    "commit_batch_sum": set(),
    "commit_batch_count": set(),
    "spool_bytes": set(),
    "alarms": {"kind"},
    "quota_left": {"account", "quota"},
    "resting_destinations": {"account"},
    "token_valid_seconds": {"account"},
}


OAUTH2 = OAuth2(provider=Provider.MICROSOFT, grant=Grant.DEVICE)


def _account(name, oauth2):
    return Account(name=name, server="mx.example", oauth2=oauth2)


class World:
    """A relay as metrics see it."""

    def __init__(self):
        self.clock = clock_now()
        self.events = events.Publisher()
        self.counters = Counters(self.events, clock=self.clock, wall=self.clock.seconds)
        self.conditions = [
            Condition(
                account="A", state=State.OK, connections=3, quotas=QUOTAS, resting_destinations=7
            ),
            Condition(account=ODD, state=State.LOGIN),
        ]
        self.totals = {"A": Total(2, 1, NOW - 50), "gone": Total(1, 0, NOW - 60)}
        self.logins = [
            (_account("A", OAUTH2), LoginStanding(kind="token", valid_until=NOW + 1060)),
            (_account(ODD, OAUTH2), LoginStanding(kind="token", valid_until=NOW)),
            (_account("none yet", OAUTH2), LoginStanding(kind="token")),
            (_account("password", None), LoginStanding(kind="password")),
        ]
        self.alarms = [
            Alarm(kind=AlarmKind.LOGIN, account=name, text="no", since=Time(NOW))
            for name in ("A", "B")
        ]

    def sources(self, clock=None, **others):
        return Sources(
            **{
                "counters": self.counters,
                "conditions": lambda: self.conditions,
                "totals": lambda: succeed(self.totals),
                "figures": lambda: succeed(FIGURES),
                "alarms": lambda: self.alarms,
                "logins": lambda: self.logins,
                "wall": lambda: NOW + 1000,
                "clock": clock or self.clock,
            }
            | others
        )

    def tried(self, name, verdict=None, after=2.0):
        tried = delivery(1, account=name)
        ended = attempt(tried, *([verdict] if verdict else []))
        judgement = Judgement(remaining=None, delivered=ended.outcomes)
        self.events.publish(events.AttemptEnded(tried, ended, judgement, NOW + after))

    def text(self, totals=None, figures=FIGURES):
        registry = CollectorRegistry()
        registry.register(_Figures(self.sources(), totals or self.totals, figures))
        return generate_latest(registry).decode()


def samples(text):
    """Return the values by name without our prefix and by labels."""
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            name = sample.name.removeprefix("multisendcon_")
            found[name, frozenset(sample.labels.items())] = sample.value
    return found


def value(text, name, **labels):
    return samples(text)[name, frozenset(labels.items())]


def test_all_names_and_labels_are_there_and_no_others():
    found = {}
    for name, labels in samples(World().text()):
        if not name.endswith("_created"):
            found.setdefault(name, set()).update(key for key, _ in labels)
    assert found == NAMES


def test_the_figures():
    world = World()
    for _ in range(3):
        world.events.publish(events.MailAccepted((delivery(1),)))
    world.tried("A")
    world.events.publish(events.MailNotStored("192.0.2.1", Reply(452, "4.3.1", "no"), "full"))
    text = world.text()
    assert value(text, "mails_accepted_total") == 3
    assert value(text, "mails_refused_total", reason="no_room") == 1
    assert value(text, "recipients_total", account="A", outcome="delivered") == 1
    assert value(text, "attempts_total", account="A", outcome="delivered") == 1
    assert value(text, "waiting", account="A") == 2
    assert value(text, "waiting", account="gone") == 1
    assert value(text, "oldest_seconds", account="A") == 50
    assert value(text, "oldest_seconds", account=ODD) == 0
    assert value(text, "connections", account="A") == 3
    assert value(text, "resting_destinations", account="A") == 7
    assert value(text, "delivery_seconds_bucket", le="1.0") == 0
    assert value(text, "delivery_seconds_bucket", le="2.5") == 1
    assert value(text, "delivery_seconds_bucket", le="+Inf") == 1
    assert value(text, "delivery_seconds_sum") == 2
    assert value(text, "commit_batch_bucket", le="1.0") == 5
    assert value(text, "commit_batch_bucket", le="2.0") == 5
    assert value(text, "commit_batch_bucket", le="4.0") == 7
    assert value(text, "commit_batch_bucket", le="+Inf") == 7
    assert value(text, "commit_batch_sum") == 12
    assert value(text, "commit_batch_count") == 7
    assert value(text, "spool_bytes") == 4096
    assert value(text, "alarms", kind="login") == 2
    assert value(text, "alarms", kind="front") == 0
    assert value(text, "quota_left", account="A", quota="30 mails/1m") == 25
    assert value(text, "quota_left", account="A", quota="500 recipients/1h") == 0


def test_how_long_tokens_are_valid():
    found = {
        dict(labels)["account"]: seconds
        for (name, labels), seconds in samples(World().text()).items()
        if name == "token_valid_seconds"
    }
    assert found == {"A": 60, ODD: 0, "none yet": 0}


def test_what_has_not_happened_yet_is_there_as_well_so_that_its_first_time_is_a_rise():
    text = World().text()
    for outcome in OUTCOMES:
        assert value(text, "recipients_total", account=ODD, outcome=outcome) == 0
    assert all(value(text, "mails_refused_total", reason=reason) == 0 for reason in REASONS)


def test_which_accounts_are_up():
    world = World()
    world.conditions = [Condition(account=each.value, state=each) for each in State]
    text = world.text()
    up = {each.value: value(text, "account_up", account=each.value) for each in State}
    assert up == {
        "ok": 1,
        "slow": 1,
        "quota": 1,
        "paused": 1,
        "login": 0,
        "resting": 0,
        "off": 0,
    }


@given(
    name=st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")), min_size=1),
    text=st.text(),
)
@settings(max_examples=50)
def test_only_the_admin_fills_labels_and_whatever_they_write_is_read_as_it_is(name, text):
    world = World()
    world.conditions = [Condition(account=name, state=State.OK, fault=text)]
    world.totals, world.logins = {}, []
    state = {"address": text, "user": text, "command": text, "sender": text, "recipients": (text,)}
    world.events.publish(events.CommandRefused(reply=Reply(550, text, text), more=0, **state))
    world.events.publish(events.EventsLeftOut(text, "CommandRefused", text, 3))
    tried = attrs.evolve(delivery(1, recipients=(text or "x",)), account=name)
    ended = attempt(tried)
    judgement = Judgement(remaining=None, delivered=ended.outcomes)
    world.events.publish(events.AttemptEnded(tried, ended, judgement, NOW))
    known = {name, *OUTCOMES, *REASONS, *(kind.value for kind in AlarmKind)}
    said = world.text()
    for _, labels in samples(said):
        assert {text for key, text in labels if key != "le"} <= known
    assert value(said, "recipients_total", account=name, outcome="delivered") == 1


@programs.needs("promtool")
def test_promtool_finds_no_fault_with_the_figures():
    world = World()
    world.tried(ODD)
    checked = programs.run("promtool", "check", "metrics", text=world.text())
    assert (checked.returncode, checked.stdout) == (0, "")


@programs.needs("promtool")
def test_promtool_finds_no_fault_with_the_sample_rules():
    checked = programs.run("promtool", "check", "rules", str(RULES))
    assert checked.returncode == 0, checked.stdout


def test_the_sample_rules_are_about_figures_that_there_are():
    text = RULES.read_text("utf-8")
    used = set(re.findall(r"\bmultisendcon_(\w+)", text))
    assert used
    assert used <= set(NAMES)
    [reasons] = re.findall(r'reason=~"([^"]+)"', text)
    assert set(reasons.split("|")) <= set(REASONS)


# Served.


class Serving(unittest.TestCase):
    timeout = 30

    def serve(self, world=None, *, heartbeat=None, listening=True, **sources):
        from twisted.internet import reactor

        self.world = world or World()
        self.clock = Clock()
        self.standing = Standing(self.world.events, front=True)
        self.service = MonitoringServer(
            MetricsSettings(listen=("tcp:port=0:interface=127.0.0.1",)),
            self.world.sources(clock=self.clock, **sources),
            Health(heartbeat or (lambda: succeed(None)), self.clock),
            lambda: not_ready(self.standing, listening=listening),
            reactor,
        )
        self.service.privilegedStartService()
        self.service.startService()
        self.addCleanup(self.service.stopService)

    def get(self, path, **headers):
        """Return status, type and text."""
        [address] = self.service.addresses
        request = urllib.request.Request(
            f"http://127.0.0.1:{address.port}{path}",
            headers=headers,
            method=headers.pop("method", "GET"),
        )

        def ask():
            try:
                with urllib.request.urlopen(request, timeout=20) as answer:
                    return answer.status, answer.headers["Content-Type"], answer.read().decode()
            except urllib.error.HTTPError as error:
                return error.code, error.headers["Content-Type"], error.read().decode()

        return deferToThread(ask)

    async def test_metrics_are_served_with_those_of_the_process(self):
        self.serve()
        status, kind, text = await self.get("/metrics")
        assert (status, kind) == (200, "text/plain; version=0.0.4; charset=utf-8")
        assert value(text, "waiting", account="A") == 2
        assert value(text, "process_resident_memory_bytes") > 1e6

    async def test_in_the_other_format_for_who_prefers_that(self):
        self.serve()
        status, kind, text = await self.get(
            "/metrics", Accept="application/openmetrics-text;version=1.0.0,text/plain;q=0.5"
        )
        assert status == 200
        assert kind.startswith("application/openmetrics-text; version=1.0.0")
        assert text.endswith("# EOF\n")

    async def test_who_asks_for_what_is_no_version_gets_an_answer_all_the_same(self):
        self.serve()
        for accept in (
            "application/openmetrics-text;version=x",
            "text/plain;version=",
            ";,;=",
            "ü",
        ):
            status, _, text = await self.get("/metrics", Accept=accept.encode("latin-1"))
            assert status == 200, accept
            assert "multisendcon_waiting" in text

    async def test_a_spool_that_hangs_or_fails_costs_its_own_figures_only(self):
        self.serve(totals=Deferred, figures=lambda: fail(SpoolError("broken")))
        answer = self.get("/metrics")
        while not self.clock.getDelayedCalls():
            await deferToThread(lambda: None)
        self.clock.advance(ANSWER_WITHIN)
        status, _, text = await answer
        assert status == 200
        assert "multisendcon_account_up" in text
        assert "multisendcon_waiting" not in text
        assert "multisendcon_spool_bytes" not in text

    async def test_nothing_else_is_served(self):
        self.serve()
        for path in ("/", "/api/v1/status", "/metrics/", "/metrics/x", "/healthz/x", "/%2e%2e/x"):
            status, kind, text = await self.get(path)
            assert (status, kind) == (404, "application/json"), path
            assert "there is nothing" in json.loads(text)["error"]
        for path in ("/metrics", "/healthz", "/readyz"):
            assert (await self.get(path, method="POST"))[0] == 405
            assert await self.get(path, method="HEAD") == (200, mock.ANY, "")

    async def test_a_bug_is_logged_and_answered(self):
        self.serve(alarms=lambda: 1 / 0)
        assert (await self.get("/metrics"))[0] == 500
        assert len(self.flushLoggedErrors(ZeroDivisionError)) == 1

    async def test_a_relay_that_lives_and_takes_mail(self):
        self.serve()
        assert await self.get("/healthz") == (200, "application/json", '{"ok":true}\n')
        assert await self.get("/readyz") == (200, "application/json", '{"ok":true}\n')

    async def test_a_writer_that_hangs(self):
        self.serve(heartbeat=Deferred)
        answer = self.get("/healthz")
        while not self.clock.getDelayedCalls():
            await deferToThread(lambda: None)
        self.clock.advance(health.ANSWER_WITHIN)
        status, _, text = await answer
        assert status == 503
        assert json.loads(text) == {
            "ok": False,
            "error": "the writer of the spool has not answered within 10 s",
        }

    async def not_ready(self):
        status, _, text = await self.get("/readyz")
        assert (await self.get("/healthz"))[0] == 200
        return json.loads(text)["error"] if status == 503 else ""

    async def test_a_relay_that_takes_no_mail_says_why_and_lives(self):
        self.serve()
        publish = self.world.events.publish
        assert await self.not_ready() == ""
        publish(events.FrontProcessEnded("ended", 1.0))
        assert await self.not_ready() == (
            "the front process, which serves the clients, is being restarted"
        )
        publish(events.FrontProcessStarted())
        publish(events.SpoolFull("no room"))
        assert await self.not_ready() == "the spool is full: no room"
        publish(events.SpoolHasRoom())
        assert await self.not_ready() == ""
        publish(events.SpoolBroken("spool.db", "disk I/O error", False, ""))
        assert await self.not_ready() == "the spool is broken: disk I/O error"

    async def test_a_relay_whose_ports_are_closed(self):
        self.serve(listening=False)
        assert await self.not_ready() == "no port is open for clients"

    async def test_a_reload_switches_it_off_and_on_and_moves_it(self):
        self.serve()
        self.service.use(self.service.prepared(None))
        assert self.service.addresses == []
        self.service.use(
            self.service.prepared(MetricsSettings(listen=("tcp:port=0:interface=127.0.0.2",)))
        )
        [after] = self.service.addresses
        assert after.host == "127.0.0.2"
