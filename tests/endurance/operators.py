"""Whatever operators do beside load, nothing is lost, doubled, or sent against their word.

Hypothesis chooses what they do, in which order.  A second one looks at everything meanwhile.  At
the end, all is released and has left, and what the provider has seen is compared with what the
relay has answered.
"""

from __future__ import annotations

import collections
import contextlib
import itertools
import re
import time
from math import inf

import attrs
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tests.endurance.audit import show
from tests.endurance.scene import threads
from tests.interop.clients import Clients
from tests.interop.programs import until
from tests.interop.relay import Relay
from tests.interop.reloads import LOGINS, WAIT, taken, times_of, way
from tests.interop.watched import WatchedProvider
from tests.web.live import Control

#: Operations of one sequence.
LENGTH = 20
NAMES = ("Sales", "Support", "Shop", "Rest")
#: Seconds between two mails that are handed in.
_BETWEEN = 0.005
#: Mails that are handed in before the first operation, and before each further one.
_FIRST, _MAILS = 100, 10
_ACCEPTED = re.compile(r"(\w+): accepted from .* for <([^>]+)>")


def add_options(parser):
    parser.add_argument("--times", type=int, default=300, help="operations; default: %(default)s")
    parser.add_argument("--seed", type=int, default=1, help="default: %(default)s")


def run(folder, options):
    reports = WatchedProvider(folder, "127.0.3.2")
    with WatchedProvider(folder, "127.0.3.1", users=LOGINS) as provider, reports:
        day = Day(folder, provider, reports)
        with day.relay:
            day.work(options.times, options.seed)
    show({"seed": options.seed, **day.figures()})
    yield from day.violations()


@attrs.frozen
class Accounts:
    """Accounts in an order, with names, and a password each.

    :param names: of those with the logins "one", which has a wait, "two" and "three".
    :param there: how many of the first two are there.
    :param wrong: "two" has a wrong password.
    """

    names: tuple[str, str, str]
    there: int
    wrong: bool
    connections: int

    def text(self, provider):
        one, two, three = self.names
        wrong = {"password": '"wrong"'} if self.wrong else {}
        some = [
            way(provider, one, "one", minimum_wait=WAIT, senders='["*@slow.example"]'),
            way(provider, two, "two", max_connections=self.connections, **wrong),
        ]
        rest = way(provider, three, "three", max_connections=self.connections)
        return "".join([*some[: self.there], rest])


_ACCOUNTS = st.builds(
    Accounts,
    st.permutations(NAMES).map(lambda names: tuple(names[:3])),
    st.sampled_from([0, 1, 2, 2]),
    st.booleans(),
    st.integers(1, 5),
)
_NAME = st.sampled_from(NAMES)
_FILTER = st.one_of(
    st.builds(lambda name: {"account": name}, _NAME),
    st.builds(lambda state: {"state": state}, st.sampled_from(["held", "waiting", "resting"])),
    st.builds(lambda n: {"sender": f"{n}@slow.example"}, st.integers(0, 3)),
    st.just({"older_than": "1s"}),
)
#: A number of those that wait, or a filter.
_CHOSEN = st.one_of(st.integers(1, 40), _FILTER)
_OPERATION = st.one_of(
    st.tuples(st.sampled_from(["hold", "release", "retry"]), _CHOSEN),
    st.tuples(st.just("move"), _CHOSEN, _NAME),
    st.tuples(st.just("delete"), st.integers(1, 40), st.booleans()),
    st.tuples(st.sampled_from(["pause", "resume", "probe", "test"]), _NAME),
    st.tuples(st.just("reload"), _ACCOUNTS),
)


class Day:
    """A relay, its load, and who works on it.

    :param reports: the provider for reports.
    :ivar faults: answers that say that something is wrong with the relay.
    """

    def __init__(self, folder, provider, reports):
        self.faults = []
        self._provider = provider
        self._reports = reports
        self.relay = Relay(folder, self._text(Accounts(NAMES[:3], 2, False, 3)))
        self._counts = collections.Counter()
        self._over = False
        #: By id of a mail: since when it is held.
        self._held = {}
        #: Id, since when it was held, and when it was asked for to be released.
        self._intervals = []
        self._deleted, self._notified = set(), 0

    def _text(self, accounts):
        reports = (
            f'[ndr]\nserver = "{self._reports.address}"\nport = {self._reports.port}\n'
            "max_per_hour = 1000000\n"
        )
        return reports + accounts.text(self._provider)

    def work(self, times, chance):
        """Do so many operations under load, and let all leave in the end."""
        until((self.relay.spool / "control.sock").exists, "the control socket is there")

        @seed(chance)
        @settings(
            max_examples=1 - (-times // LENGTH),  # the first one is always the simplest
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(st.lists(_OPERATION, min_size=LENGTH, max_size=LENGTH))
        def sequences(operations):
            for name, *more in operations:
                self._counts[name] += 1
                # So it is beside load, however fast this machine is.
                self._clients.wait_for(_FIRST + _MAILS * self._counts.total())
                getattr(self, f"_{name}", self._account)(name, *more)

        slow = (f"{n}@slow.example" for n in itertools.cycle(range(4)))
        senders = itertools.chain.from_iterable((next(slow), *8 * ["b@rest.example"]) for _ in slow)
        self._clients = Clients(
            self.relay, self._addresses(), sessions=2, sender_of=lambda _: next(senders)
        )
        with self._clients, self._looked_at():
            try:
                sequences()
            finally:
                self._over = True
        self._end()

    def _addresses(self):
        """Yield recipients, not more than can leave beside all that is done."""
        for number in itertools.count():
            time.sleep(_BETWEEN)
            if self._over:
                return
            yield f"{number}@customer.example"

    # What is done.

    def _ask(self, method, path, body=None):
        """Return the answer; None: it was refused."""
        with contextlib.closing(Control(self.relay.spool)) as control:
            status, answer = control.json(method, path, body)
        if status not in (200, 404, 409):
            self.faults.append(f"{method} {path} {body}: {status} {answer}")
        return answer if status == 200 else None

    def _change(self, action, chosen, **more):
        """Return the ids of what was changed, and when that was asked for."""
        if isinstance(chosen, int):
            with contextlib.closing(Control(self.relay.spool)) as control:
                ids = [row["id"] for row in control.lines(f"queue?limit={chosen}")]
            body = {"ids": list(dict.fromkeys(ids)) or ["1M8H24WAAA"]}
        else:
            body = {"filter": chosen}
        asked = time.monotonic()
        answer = self._ask("POST", f"queue/{action}", {**body, **more})
        return (answer["ids"] if answer else []), asked

    def _hold(self, action, chosen):
        ids, _ = self._change(action, chosen)
        now = time.monotonic()
        for each in ids:
            self._held.setdefault(each, now)

    def _release(self, action, chosen):
        self._not_held(*self._change(action, chosen))

    def _not_held(self, ids, asked):
        for each in ids:
            if each in self._held:
                self._intervals.append((each, self._held.pop(each), asked))

    def _retry(self, action, chosen):
        self._change(action, chosen)

    def _move(self, action, chosen, name):
        self._change(action, chosen, to_account=name, force=True)

    def _delete(self, action, chosen, notify):
        ids, asked = self._change(action, chosen, notify=notify)
        self._not_held(ids, asked)
        self._deleted.update(ids)
        self._notified += notify * len(ids)

    def _account(self, action, name):
        self._ask("POST", f"accounts/{name}/{action}", {})

    def _reload(self, _, accounts):
        self.relay.configure(self._text(accounts))
        if self._ask("POST", "reload", {}) is None:
            self.faults.append("a reload was refused")

    @contextlib.contextmanager
    def _looked_at(self):
        """Let somebody look at everything meanwhile, again and again."""
        question = {"sender": "b@rest.example", "recipients": ["reader@far.example"]}

        def look():
            while not self._over:
                with contextlib.closing(Control(self.relay.spool)) as control:
                    for path in ("queue?limit=300", "history?limit=100", "accounts"):
                        control.lines(path)
                self._ask("GET", "status")
                self._ask("POST", "explain", question)

        with threads([look]):
            yield

    def _end(self):
        self.relay.configure(self._text(Accounts(("A", "B", "Last"), 0, False, 5)))
        self._ask("POST", "reload", {})
        asked = time.monotonic()
        self._release("release", {"state": "held"})
        # Those of which the relay says nothing are to have been held as well.
        self._not_held(list(self._held), asked)
        until(lambda: not self.relay.waiting(), "all has left", timeout=300)

    # What came of it.

    def figures(self):
        return {
            "operations": dict(self._counts),
            "mails": len(self._clients.acknowledged),
            "held and released": len(self._intervals),
            "deleted": len(self._deleted),
            "reports": len(self._reports.taken),
            "shortest pause": f"{self._shortest_pause():.3f} s",
        }

    def _shortest_pause(self):
        seen = itertools.pairwise(times_of(self._provider, "one"))
        return min((after - ended for (_, ended), (after, _) in seen), default=inf)

    def violations(self):
        """Yield what the relay has not kept of its promises."""
        yield from self.faults
        clients = self._clients
        if clients.refused or clients.doubtful:
            yield f"{clients.refused} connections refused, {clients.doubtful} broken off"
        if len(self._reports.taken) != self._notified:
            yield f"{len(self._reports.taken)} reports, and {self._notified} were wanted"
        if (pause := self._shortest_pause()) < WAIT - 0.001:
            yield f"a pause of {pause:.3f} s, not {WAIT}"
        log = self.relay.log.read_text()
        yield from self._arrivals(dict(_ACCEPTED.findall(log)))
        for line in log.splitlines():
            if "(a bug)" in line or "Unhandled" in line or "Traceback" in line:
                yield f"in the log: {line}"

    def _arrivals(self, recipients):
        """Compare what has arrived with what the relay has answered.

        :param recipients: by id of their mail.
        """
        arrived = taken(self._provider)
        deleted = {recipients[each] for each in self._deleted}
        if come := deleted & arrived.keys():
            yield f"{len(come)} deleted mails have arrived: {sorted(come)[:10]}"
        if lost := self._clients.acknowledged - deleted - arrived.keys():
            yield f"{len(lost)} mails lost: {sorted(lost)[:10]}"
        if twice := [each for each, times in arrived.items() if times > 1]:
            yield f"{len(twice)} mails sent twice: {sorted(twice)[:10]}"
        when = {each.about: each.at for each in self._provider.of("taken")}
        for name, since, released in self._intervals:
            if since <= when.get(recipients[name], released) < released:
                yield f"{name} has left while it was held"
