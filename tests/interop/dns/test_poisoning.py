"""DNS servers that lie, fail, and never end: no mail goes elsewhere, and none is lost."""

from __future__ import annotations

import contextlib
import random

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest

from tests.interop.dns.block import needs_ports
from tests.interop.dns.name_servers import NEEDED, ask
from tests.interop.dns.scripted import ScriptedServer
from tests.interop.dns.world import World

pytestmark = [NEEDED, needs_ports()]

GOOD, EVIL = "mx.good.test", "mx.evil.test"


def fill(plan):
    plan.host(EVIL)
    plan.domain("evil.test", "mx")
    plan.host(GOOD)
    plan.domain("good.test", "mx")
    # A domain for each kind of lie, so that nothing of another is remembered.
    plan.zone("test", *(f"{name} MX 10 {GOOD}." for name in LIES | TROUBLE | FAILURES))


class Liar(ScriptedServer):
    """A server that has real answers, which it gives in the way of the name that is asked for."""

    def __init__(self, world):
        self.world = world
        self.evil = world.plan.hosts[EVIL].addresses[0]
        super().__init__(self.lie)

    def truth(self, asked):
        real = ask(self.world.names.unbound, asked.name, asked.rdtype)
        real.id = asked.query.id
        real.question = asked.query.question
        return real

    def lie(self, asked):
        name, _, domain = asked.name.partition(".")
        way = (LIES | TROUBLE | FAILURES).get(name) if domain == "test" else None
        return way(self, asked) if way else self.truth(asked)

    def false(self, asked, *, name=None):
        """Return a reply that says that the mail server is another one."""
        reply = dns.message.make_response(asked.query, recursion_available=True)
        data = f"1 {EVIL}." if asked.rdtype == "MX" else self.evil
        if asked.rdtype in ("MX", "A"):
            reply.answer.append(
                dns.rrset.from_text(f"{name or asked.name}.", 300, "IN", asked.rdtype, data)
            )
        return reply


def _wrong_ids(liar, asked):
    if asked.forge:
        for _ in range(200):
            forged = liar.false(asked)
            forged.id = (asked.query.id + random.randrange(1, 65536)) % 65536
            asked.forge(forged.to_wire())
    return liar.truth(asked)


def _wrong_port(liar, asked):
    if asked.forge:
        asked.forge(liar.false(asked).to_wire(), other_port=True)
    return liar.truth(asked)


def _wrong_question(liar, asked):
    if asked.forge:
        other = dns.message.make_query("other.test", asked.rdtype)
        forged = liar.false(asked)
        forged.question = other.question
        asked.forge(forged.to_wire())
    return liar.truth(asked)


def _out_of_zone(liar, asked):
    """Say beside the truth that the good server is where the evil one is."""
    reply = liar.truth(asked)
    for section in (reply.answer, reply.authority, reply.additional):
        section.append(dns.rrset.from_text(f"{GOOD}.", 86400, "IN", "A", liar.evil))
        section.append(dns.rrset.from_text("good.test.", 86400, "IN", "MX", f"1 {EVIL}."))
    return reply


def _garbage(liar, asked):
    if asked.forge:
        for octets in (b"", b"\0", asked.query.to_wire()[:11], random.randbytes(512)):
            asked.forge(octets)
        asked.forge(asked.query.to_wire())  # a query is no reply
    return liar.truth(asked)


def _truncated(liar, asked):
    if asked.by_tcp:
        return liar.truth(asked)
    # What is there is false, and incomplete.
    reply = liar.false(asked)
    reply.flags |= dns.flags.TC
    return reply


def _no_edns(liar, asked):
    if asked.query.edns >= 0:
        reply = dns.message.make_response(asked.query)
        reply.use_edns(False)
        reply.set_rcode(dns.rcode.FORMERR)
        return reply
    return liar.truth(asked)


def _huge(liar, asked):
    """Have so many mail servers that the reply is as long as one can be."""
    if not asked.by_tcp:
        return _truncated(liar, asked)
    reply = dns.message.make_response(asked.query, recursion_available=True)
    if asked.rdtype == "MX":
        texts = [f"10 {GOOD}.", *(f"20 {'x' * 40}-{n}.test." for n in range(1000))]
        reply.answer.append(dns.rrset.from_text_list(f"{asked.name}.", 5, "IN", "MX", texts))
    return reply


def _lost(liar, asked):
    """Answer every second time."""
    liar.lost = not getattr(liar, "lost", False)
    return None if liar.lost else liar.truth(asked)


def _silent(_liar, _asked):
    return None


def _servfail(_liar, asked):
    reply = dns.message.make_response(asked.query)
    reply.set_rcode(dns.rcode.SERVFAIL)
    return reply


def _refused(_liar, asked):
    reply = dns.message.make_response(asked.query)
    reply.set_rcode(dns.rcode.REFUSED)
    return reply


def _loop(_liar, asked):
    """Be an alias of an alias of itself."""
    reply = dns.message.make_response(asked.query, recursion_available=True)
    for name, target in ((asked.name, "again.test"), ("again.test", asked.name)):
        reply.answer.append(dns.rrset.from_text(f"{name}.", 300, "IN", "CNAME", f"{target}."))
    return reply


def _always_truncated(_liar, asked):
    reply = dns.message.make_response(asked.query)
    reply.flags |= dns.flags.TC
    return reply


#: By the name of a domain: lies of others beside the truth; trouble on the way to it; no answer.
LIES = {
    "wrong-ids": _wrong_ids,
    "wrong-port": _wrong_port,
    "wrong-question": _wrong_question,
    "out-of-zone": _out_of_zone,
    "garbage": _garbage,
}
TROUBLE = {"truncated": _truncated, "no-edns": _no_edns, "huge": _huge, "lost": _lost}
FAILURES = {
    "servfail": _servfail,
    "refused": _refused,
    "loop": _loop,
    "always-truncated": _always_truncated,
    "silent": _silent,
}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with World(tmp_path_factory.mktemp("poison"), fill, asked=Liar) as world:
        yield world


@pytest.mark.parametrize("name", [*LIES, *TROUBLE])
def test_the_truth_is_believed_whatever_comes_beside_it(world, name):
    taken = world.deliver(f"a@{name}.test", timeout=60)
    assert taken.host == GOOD
    assert (f"{name}.test", "MX", False) in world.asked.asked


def test_lies_are_not_remembered(world):
    world.deliver("b@out-of-zone.test")
    assert world.deliver("a@good.test").host == GOOD


@pytest.mark.parametrize("name", FAILURES)
def test_mail_waits_while_there_is_no_answer(world, name):
    world.send(f"a@{name}.test")
    assert world.deferred(f"a@{name}.test", timeout=90)


def test_a_silent_server_stops_no_other_domain(world):
    for number in range(20):
        world.send(f"{number}@silent.test")
    assert world.deliver("b@good.test").host == GOOD


def test_the_evil_server_has_heard_of_nothing(world):
    assert EVIL not in world.hosts.opened


@contextlib.contextmanager
def dead_server(_world):
    """Have a DNS server that is not there."""
    with ScriptedServer(lambda _: None) as server:
        pass
    yield server


def test_a_dead_dns_server_stops_no_account_with_a_server_of_its_own(tmp_path):
    way = '[[account]]\nname = "Other"\nrecipients = "*@smtp.example"\ntls = "none"\n'

    class Both(World):
        def configuration(self):
            (address,) = self.plan.hosts[GOOD].addresses
            direct = super().configuration()
            head, mark, tail = direct.partition("[[account]]")
            return f'{head}{way}server = "{address}"\nport = 25\n{mark}{tail}'

    with Both(tmp_path, fill, asked=dead_server) as world:
        for number in range(20):
            world.send(f"{number}@good.test")
        assert world.deliver("a@smtp.example").host == GOOD
        assert world.deferred("0@good.test", timeout=90)
