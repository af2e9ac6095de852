"""Direct delivery to many domains: what silent ones cost the others, and how fast it is.

One domain is a black hole among others, then many are silent among more: mails to the others are
not to come later for it.  Then many mails to many domains go through the relay and through Postfix,
which ask the same name server and meet the same mail servers.  At last, as many mails wait for one
domain, and for a domain each: that may cost more memory, but by what waits only.  All of it happens
in a network of its own, as root.
"""

from __future__ import annotations

import contextlib
import shutil
import smtplib
import tempfile
import time
from collections import Counter
from pathlib import Path

import attrs

from tests.benchmarks.postfix import Postfix
from tests.endurance import apart
from tests.endurance.footprint import Memory
from tests.interop.clients import Clients
from tests.interop.dns.block import SMTP
from tests.interop.dns.mail_hosts import SILENT, Host, MailHosts, black_hole
from tests.interop.dns.name_servers import NameServers
from tests.interop.dns.zones import Zone
from tests.interop.processes import tree_seconds
from tests.interop.programs import until
from tests.interop.relay import Relay
from tests.interop.sink import Sink

_NAME_SERVER = "127.9.0.53"
_ZONE = "many.test"
_SENDER = "boss@sales.example"
_SERVERS = ("multisendcon", "Postfix")
#: Any number of domains, whose only mail server is dead.
_DEAD = ("*.dead MX 10 nobody", "nobody A 127.21.0.1")
#: KiB of memory that a mail may take that waits for a domain of its own.
_MOST_FOR_ONE = 8.0
#: Later by this share is late, beyond the milliseconds by which the machine itself is.
_SHARE, _NOISE = 0.10, 10.0

_CONFIGURATION = """
[dns]
allow_private = true
servers = ["{name_server}"]
[delivery]
retry = ["1h"]
{limit}
[[account]]
name = "Direct"
type = "direct"
{limit}
"""


def add_options(parser):
    parser.add_argument("--only", choices=("hole", "silent", "rate", "waiting"), help="one of them")
    parser.add_argument("--rounds", type=int, default=2, help="of a mail to each domain, at least")
    parser.add_argument("--pace", type=float, default=50, help="mails a second, beside silence")
    parser.add_argument("--mails", type=int, default=20_000, help="as fast as they go")
    parser.add_argument("--domains", type=int, default=5_000, help="to which these go")
    parser.add_argument(
        "--servers", nargs="+", default=["multisendcon", "Postfix"], help="likewise"
    )
    parser.add_argument("--connections", type=int, default=100, help="at a time")
    parser.add_argument("--waiting", type=int, default=20_000, help="mails whose server is dead")


def run(folder, options):
    if not apart.is_apart():
        if apart.begin_anew():
            yield "see above"
        return
    folder.chmod(0o755)  # Postfix's user has to find the way
    apart.settle(folder, _NAME_SERVER)
    domains = _domains(options.domains)
    records = [line for each in domains for line in each.records]
    zone = Zone(_ZONE, [*records, *_DEAD], ttl=3600)
    with NameServers(folder, [zone], address=_NAME_SERVER, port=53):
        if options.only in (None, "hole"):
            yield from _beside(folder / "hole", "black hole", domains[:200], 1, options)
        if options.only in (None, "silent"):
            yield from _beside(folder / "silent", "silent", domains[:1000], 50, options)
        if options.only in (None, "rate"):
            yield from _rates(folder, domains, options)
        if options.only in (None, "waiting"):
            yield from _wait(folder, options)


@attrs.frozen
class _Domain:
    """A domain with a mail server of its own."""

    number: int

    @property
    def name(self):
        return f"d{self.number}.{_ZONE}"

    @property
    def address(self):
        return f"127.20.{self.number // 250}.{self.number % 250 + 1}"

    @property
    def records(self):
        return f"d{self.number} MX 10 mx.d{self.number}", f"mx.d{self.number} A {self.address}"


def _domains(count):
    return [_Domain(number) for number in range(count)]


# Domains that do not answer, beside others.


@attrs.frozen(kw_only=True)
class _Load:
    """Mails to domains, in rounds, of which some are good.

    :param pace: mails a second.
    """

    domains: list
    good: list
    rounds: int
    pace: float


def _beside(folder, what, domains, silent, options):
    """Deliver to domains of which some do not answer, with mail for those and without.

    :param silent: how many do not.
    """
    bad = domains[:: len(domains) // silent][:silent]
    good = [each for each in domains if each not in bad]
    rounds = max(options.rounds, 2000 // len(domains))
    late, half = {}, {}
    for name, addressed in (("without", good), ("with", domains)):
        load = _Load(domains=addressed, good=good, rounds=rounds, pace=options.pace)
        own = folder / name
        own.mkdir(parents=True)
        with (
            _bad_hosts(what, bad),
            _hosts(own, good, bad if what == SILENT else ()) as hosts,
            _relay(own, options.connections) as relay,
        ):
            times = _play(load, relay, hosts)
        late[name], half[name] = (_percentile(times, share) * 1000 for share in (0.99, 0.5))
    print(
        f"{silent} {what} among {len(domains)} domains: {len(good) * rounds} mails to the others,"
        f" 99 % of them within {late['with']:.1f} ms (without {late['without']:.1f}),"
        f" half within {half['with']:.1f} ms (without {half['without']:.1f})",
        flush=True,
    )
    if late["with"] > late["without"] * (1 + _SHARE) + _NOISE:
        yield f"mails to others came later beside {silent} {what}"


@contextlib.contextmanager
def _bad_hosts(what, bad):
    with contextlib.ExitStack() as opened:
        if what != SILENT:
            for each in bad:
                opened.enter_context(black_hole(each.address))
        yield


@contextlib.contextmanager
def _hosts(folder, good, silent):
    """Run the mail servers."""
    hosts = [Host(name="mx.example", addresses=[each.address for each in good])]
    if silent:
        hosts.append(Host(name="silent.example", addresses=[each.address for each in silent]))
    with MailHosts(folder, hosts) as running:
        if silent:
            running.be("silent.example", SILENT)
        yield running


def _relay(folder, connections):
    """Return a relay that may have so many connections."""
    limit = f"max_connections = {connections}"
    return Relay(folder, _CONFIGURATION.format(name_server=_NAME_SERVER, limit=limit))


def _play(load, relay, hosts):
    """Hand in the mails; return the seconds that those to good domains took."""
    handed_in = {}
    begun = time.monotonic()
    with smtplib.SMTP(relay.address, relay.port, timeout=60) as client:
        numbered = ((turn, each) for turn in range(load.rounds) for each in load.domains)
        for number, (turn, each) in enumerate(numbered):
            time.sleep(max(0.0, begun + number / load.pace - time.monotonic()))
            recipient = f"{turn}@{each.name}"
            handed_in[recipient] = time.time()
            client.sendmail(_SENDER, [recipient], f"Subject: {recipient}\r\n\r\nHello.\r\n")
    expected = len(load.good) * load.rounds
    until(lambda: len(hosts.taken) >= expected, "the mails arrive", 120)
    taken = list(hosts.taken)
    assert len({each.recipient for each in taken}) == len(taken) == expected
    return [each.at - handed_in[each.recipient] for each in taken]


def _percentile(times, share):
    return sorted(times)[int(len(times) * share)]


# As fast as it goes, beside Postfix.


class _Everywhere(Sink):
    """A sink at all addresses."""

    address = "0.0.0.0"

    def __init__(self, folder, mails):
        super().__init__(folder, mails)
        self.port = SMTP


class _DirectPostfix(Postfix):
    def __init__(self, folder, sink, connections):
        more = [
            "relayhost =",
            "smtp_host_lookup = dns",
            "smtp_tls_security_level = may",
            f"default_process_limit = {connections}",
            "default_destination_concurrency_limit = 20",
            "initial_destination_concurrency = 5",
        ]
        super().__init__(folder, sink, connections, "\n".join([*more, ""]))


def _rates(folder, domains, options):
    """Deliver many mails with the relay and with Postfix."""
    for name in options.servers:
        own = folder / name
        own.mkdir()
        mails = Path(tempfile.mkdtemp(dir="/dev/shm", prefix="direct-"))
        try:
            with _Everywhere(own, mails / "mails") as sink:
                yield from _rate(name, own, sink, domains, options)
        finally:
            shutil.rmtree(mails)


def _server(name, folder, sink, connections):
    if name == "Postfix":
        return _DirectPostfix(folder, sink, connections)
    return _relay(folder, connections)


def _rate(name, folder, sink, domains, options):
    recipients = [f"{n}@{domains[n % len(domains)].name}" for n in range(options.mails)]
    with (
        _server(name, folder, sink, options.connections) as server,
        Memory(server.process.pid) as memory,
    ):
        cpu = tree_seconds(server.process.pid)
        begun = time.monotonic()
        with Clients(server, recipients) as clients:
            clients.join()
        accepted = time.monotonic() - begun
        _arrive(sink, options.mails)
        through = time.monotonic() - begun
        cpu = tree_seconds(server.process.pid) - cpu
    arrived = Counter(sink.recipients())
    print(
        f"{name}: {options.mails} mails to {len(domains)} domains, {options.connections}"
        f" connections: accepted at {options.mails / accepted:.0f} a second, through at"
        f" {options.mails / through:.0f}, {cpu * 1000 / options.mails:.2f} ms of CPU each;"
        f" memory {memory.before:.0f} MiB, at most {memory.peak:.0f}",
        flush=True,
    )
    if missing := len(set(recipients) - set(arrived)):
        yield f"{name}: {missing} mails have not arrived"
    if doubled := arrived.total() - len(arrived):
        yield f"{name}: {doubled} mails have arrived twice"


def _arrive(sink, count):
    before, changed = -1, time.monotonic()
    while (here := sink.count()) < count:
        if here > before:
            before, changed = here, time.monotonic()
        elif time.monotonic() - changed > 120:
            return  # what is missing is told
        time.sleep(0.2)


def _rests(relay):
    """Tell whether it has had nothing to do for a second."""
    before = tree_seconds(relay.process.pid)
    time.sleep(1)
    return tree_seconds(relay.process.pid) - before < 0.05


# As many domains as mails, none of which can leave.


def _wait(folder, options):
    """Have mails wait for one domain, and then for a domain each."""
    count, growth = options.waiting, {}
    for name, domains in (("one domain", 1), ("a domain each", count)):
        own = folder / name.replace(" ", "-")
        own.mkdir()
        recipients = [f"{number}@d{number % domains}.dead.{_ZONE}" for number in range(count)]
        with _relay(own, options.connections) as relay, Memory(relay.process.pid) as memory:
            with Clients(relay, recipients) as clients:
                clients.join()
            until(lambda: _rests(relay), "each has been tried", 300)
            waiting = relay.value("SELECT count(*) FROM delivery")
        growth[name] = (memory.after - memory.before) * 1024 / count
        print(
            f"{waiting} mails wait for {name}: memory {memory.before:.0f} MiB, at most"
            f" {memory.peak:.0f}, then {memory.after:.0f}: {growth[name]:.2f} KiB each",
            flush=True,
        )
        if waiting != count:
            yield f"{count - waiting} mails do not wait any more"
    if growth["a domain each"] > _MOST_FOR_ONE:
        yield f"a mail that waits for a domain of its own takes more than {_MOST_FOR_ONE} KiB"
