"""Several servers, dead ones among them; what is kept and shared; and the end."""

from __future__ import annotations

import errno
import gc

import attrs
import pytest
from twisted.internet.defer import CancelledError
from twisted.logger import globalLogPublisher
from twisted.python.failure import Failure

from multisendcon_plugin.dns import DnsError, Kind, Mx, resolver
from multisendcon_plugin.dns.resolver import MOST_UNDER_WAY, Resolver
from multisendcon_plugin.settings.dns import DnsSettings
from tests.dns.network import SOA, Zones, refused, reply_to, servfail, silent, unless_probed

NAME = "mail.example"
TRUE = Zones({NAME: {"A": ["192.0.2.1"], "MX": [Mx(1, NAME)]}})


def failure_of(deferred):
    return str(error_of(deferred))


def error_of(deferred):
    results = []
    deferred.addBoth(results.append)
    assert results, "it has not failed yet"
    assert isinstance(results[0], Failure), results
    return results[0].value


def without_holes(query):
    return None if "hole" in query.question[0].name.to_text().lower() else TRUE(query)


@pytest.fixture
def unhandled():
    """Return what has been logged as an error of nobody."""
    gc.collect()  # what others have left behind
    events = []
    globalLogPublisher.addObserver(events.append)

    def found():
        gc.collect()
        return [each["log_failure"] for each in events if "log_failure" in each]

    yield found
    globalLogPublisher.removeObserver(events.append)


@pytest.fixture
def dead(network):
    """The address of a server that has gone."""
    server = network.server(silent)
    address = server.address
    network.servers.remove(server)
    server.close()
    return address


class TestServers:
    def test_the_next_one_is_asked_after_a_second(self, network):
        names = network.resolver(silent, TRUE)
        assert network.wait(names.query(NAME, "A")).records == ("192.0.2.1",)
        assert network.seconds() == 1

    def test_who_was_silent_is_asked_last_for_a_while(self, network):
        names = network.resolver(silent, TRUE)
        first, second = network.servers
        network.wait(names.query(NAME, "A"))
        network.wait(names.query(NAME, "AAAA"))
        assert network.seconds() == 1
        network.advance(2)
        network.advance(28)
        first.answer = TRUE
        network.wait(names.query(NAME, "MX"))
        assert first.questions[-1] == (f"{NAME}.", "MX")
        assert second.questions == [(f"{NAME}.", "A"), (f"{NAME}.", "AAAA")]

    @pytest.mark.parametrize("unable", [servfail, refused, lambda query: reply_to(query, flags=0)])
    def test_the_next_one_is_asked_at_once_by_who_cannot_answer(self, network, unable):
        names = network.resolver(unable, TRUE)
        assert network.wait(names.query(NAME, "A")).records == ("192.0.2.1",)
        assert network.seconds() == 0

    def test_the_next_one_is_asked_at_once_where_nobody_listens(self, network, dead):
        server = network.server(TRUE)
        names = Resolver(network, DnsSettings(servers=(dead, server.address)))
        assert network.wait(names.query(NAME, "A")).records == ("192.0.2.1",)
        assert network.seconds() == 0

    def test_all_that_cannot_answer_are_named(self, network):
        names = network.resolver(servfail, refused)
        first, second = network.servers
        said = f"{first.address} says SERVFAIL, {second.address} says REFUSED"
        with pytest.raises(DnsError, match=f"^A of {NAME}: {said}$") as caught:
            network.wait(names.query(NAME, "A"))
        assert caught.value.temporary
        assert (len(first.asked), len(second.asked)) == (1, 1)

    @pytest.mark.parametrize(
        ("counts", "within"), [([3], 7), ([3, 2], 10), ([3, 2, 2], 10), ([2, 2, 2, 1], 10)]
    )
    def test_each_is_asked_with_more_time_and_not_for_ever(self, network, counts, within):
        names = network.resolver(*[unless_probed(silent)] * len(counts))
        with pytest.raises(DnsError, match="does not answer"):
            network.wait(names.query(NAME, "A"))
        assert network.seconds() == within
        asked = [each.questions.count((f"{NAME}.", "A")) for each in network.servers]
        assert asked == counts
        assert network.is_clean

    def test_a_late_reply_is_waited_for_by_the_next_query(self, network):
        """A full resolver that has to ask slow servers itself has the answer later."""
        server = network.server(silent)
        names = network.resolver(server)
        answers = []
        names.query(NAME, "A").addCallback(answers.append)
        network.pump()
        network.advance(1)
        server.answer = TRUE
        network.pump()
        assert answers[0].records == ("192.0.2.1",)


class TestDeadServers:
    def give_up(self, network, names):
        asked = names.query(NAME, "A")
        with pytest.raises(DnsError, match="does not answer"):
            network.wait(asked)

    def test_nobody_waits_while_none_can_be_asked(self, network):
        names = network.resolver(silent)
        (server,) = network.servers
        self.give_up(network, names)
        assert network.seconds() == 3  # one second, and two for the probe
        count = len(server.asked)
        for n in range(100):
            error = error_of(names.query(f"other{n}.example", "MX"))
            assert error.nobody
            assert str(error) == f"no DNS server can be asked now ({server.address})"
        network.pump()
        assert len(server.asked) == count
        network.advance(5)
        server.answer = TRUE
        assert network.wait(names.query(NAME, "MX")).records == (Mx(1, NAME),)
        assert network.is_clean

    def test_nobody_waits_where_nobody_listens(self, network, dead):
        names = Resolver(network, DnsSettings(servers=(dead,)))
        with pytest.raises(DnsError, match="refuses: no DNS server listens there"):
            network.wait(names.query(NAME, "A"))
        assert "can be asked now" in failure_of(names.query(NAME, "MX"))
        assert network.seconds() == 0

    def test_that_none_can_be_asked_is_not_kept(self, network):
        names = network.resolver(silent)
        self.give_up(network, names)
        network.advance(5)
        network.servers[0].answer = TRUE
        assert network.wait(names.query(NAME, "A")).records == ("192.0.2.1",)

    def test_the_silence_of_a_domain_is_not_that_of_the_server(self, network):
        names = network.resolver(without_holes)
        waiting = [names.query(f"{n}.hole.example", "MX") for n in range(50)]
        for _ in range(6):
            network.pump()
            network.advance(1)
            network.pump()
            asked = names.query(f"{network.seconds():.0f}.example", "A")
            before = network.seconds()
            assert network.wait(asked).kind is Kind.NO_NAME
            assert network.seconds() == before
        for each in waiting:
            with pytest.raises(DnsError, match="does not answer"):
                network.wait(each)
        assert network.wait(names.query(NAME, "A")).records == ("192.0.2.1",)

    def test_who_has_answered_since_is_not_looked_at(self, network):
        names = network.resolver(without_holes)
        asked = names.query("hole.example", "MX")
        network.pump()
        network.advance(0.5)
        network.wait(names.query(NAME, "A"))
        network.advance(0.5)
        network.pump()
        assert ("localhost.", "A") not in network.servers[0].questions
        asked.addErrback(lambda _: None)

    def test_who_cannot_be_looked_at_for_want_of_sockets_is_not_given_up(
        self, network, monkeypatch, unhandled
    ):
        server = network.server(silent)
        names = network.resolver(server)
        asked = names.query(NAME, "A")
        network.pump()
        with monkeypatch.context() as patch:

            def none(*args):
                raise OSError(errno.EMFILE, "no more")

            patch.setattr("socket.socket", none)
            network.advance(1)
            assert failure_of(asked) == "there is no socket to ask the DNS: no more"
        server.answer = TRUE
        assert network.wait(names.query(NAME, "MX")).kind is Kind.FOUND
        assert unhandled() == []

    def test_a_server_whose_probe_is_left_behind(self, network, unhandled):
        names = network.resolver(silent)
        names.query(NAME, "A").addErrback(lambda _: None)
        network.pump()
        network.advance(1)
        names.reconfigure(DnsSettings(servers=(network.server(TRUE).address,)))
        assert network.wait(names.query(NAME, "A")).kind is Kind.FOUND
        names.stop()
        assert network.is_clean
        assert unhandled() == []

    def test_there_is_no_storm(self, network):
        names = network.resolver(silent)
        (server,) = network.servers
        failed = []
        for n in range(2_000):
            names.query(f"{n}.example", "MX").addErrback(failed.append)
        assert len(network.readers) == MOST_UNDER_WAY
        for _ in range(40):
            network.pump()
            network.advance(0.25)
        assert len(failed) == 2_000
        assert len(server.asked) < 3 * MOST_UNDER_WAY
        assert network.is_clean


class TestTurns:
    @pytest.fixture(autouse=True)
    def _few(self, monkeypatch):
        monkeypatch.setattr(resolver, "MOST_UNDER_WAY", 2)
        monkeypatch.setattr(resolver, "MOST_WAITING", 3)

    def test_questions_are_asked_in_the_order_in_which_they_came(self, network):
        names = network.resolver(TRUE)
        (server,) = network.servers
        for n in range(5):
            names.query(f"n{n}.example", "A")
        assert failure_of(names.query("n5.example", "A")) == (
            "too many questions to the DNS wait already"
        )
        assert len(network.readers) == 2
        network.pump()
        assert [name for name, _ in server.questions] == [f"n{n}.example." for n in range(5)]

    def test_a_question_does_not_wait_for_ever(self, network):
        names = network.resolver(unless_probed(silent))
        for n in range(2):
            names.query(f"slow{n}.example", "A").addErrback(lambda _: None)
        network.advance(0.5)
        names._turns.get()  # as one that never ends
        names._turns.get()
        asked = names.query(NAME, "A")
        with pytest.raises(DnsError, match="the DNS servers are too slow for all questions"):
            network.wait(asked)
        assert network.seconds() == 10.5


class TestShared:
    def test_the_same_question_is_asked_once(self, network):
        names = network.resolver(TRUE)
        asked = [names.query(NAME, "A"), names.query(f"{NAME.upper()}.", "A")]
        answers = [network.wait(each) for each in asked]
        assert answers[0] is answers[1]
        assert len(network.servers[0].asked) == 1

    def test_who_cancels_takes_it_from_nobody(self, network):
        names = network.resolver(TRUE)
        first, second = names.query(NAME, "A"), names.query(NAME, "A")
        first.cancel()
        with pytest.raises(CancelledError):
            network.wait(first)
        assert network.wait(second).records == ("192.0.2.1",)

    def test_who_is_told_may_cancel_the_others(self, network):
        names = network.resolver(TRUE)
        first, second = names.query(NAME, "A"), names.query(NAME, "A")
        first.addCallback(lambda _: second.cancel())
        network.pump()
        assert failure_of(second) == ""

    def test_who_is_told_may_ask_again(self, network):
        names = network.resolver(lambda query: reply_to(query, f"{NAME}. 0 A 192.0.2.1"))
        again = names.query(NAME, "A").addCallback(lambda _: names.query(NAME, "A"))
        assert network.wait(again).records == ("192.0.2.1",)
        assert len(network.servers[0].asked) == 2

    def test_a_failure_is_each_ones_own(self, network):
        names = network.resolver(servfail)
        caught = []
        for _ in range(2):
            names.query(NAME, "A").addErrback(lambda failure: caught.append(failure.value))
        network.pump()
        assert str(caught[0]) == str(caught[1])
        assert caught[0] is not caught[1]

    def test_a_fault_of_our_own_is_not_hidden(self, network, monkeypatch):
        names = network.resolver(TRUE)
        monkeypatch.setattr("multisendcon_plugin.dns.inquiry.read", lambda *_: 1 // 0)
        with pytest.raises(ZeroDivisionError):
            network.wait(names.query(NAME, "A"))
        monkeypatch.undo()
        assert network.wait(names.query(NAME, "A")).records == ("192.0.2.1",)


class TestKept:
    def asked_until(self, network, answer, rdtype="A", *, fails=False):
        """Return for how many seconds no server is asked again."""
        names = network.resolver(answer)
        (server,) = network.servers
        for elapsed in (0, 1, 9, 10, 59, 60, 299, 300, 899, 900, 86_399, 86_400):
            network.advance(elapsed - network.seconds())
            asked = names.query(NAME, rdtype)
            if fails:
                with pytest.raises(DnsError):
                    network.wait(asked)
            else:
                network.wait(asked)
            if elapsed and len(server.asked) > 1:
                return elapsed
        raise AssertionError("for ever")

    def test_an_answer_is_kept_while_it_holds(self, network):
        assert self.asked_until(network, TRUE) == 300

    def test_the_shortest_time_of_a_chain_counts(self, network):
        def answer(query):
            return reply_to(query, f"{NAME}. 60 CNAME a.example.", "a.example. 900 A 192.0.2.1")

        assert self.asked_until(network, answer) == 60

    def test_an_answer_is_kept_for_a_day_at_most(self, network):
        long = Zones(TRUE.zones, ttl=10_000_000)
        assert self.asked_until(network, long) == 86_400

    def test_an_answer_that_does_not_hold_is_not_kept(self, network):
        assert self.asked_until(network, Zones(TRUE.zones, ttl=0)) == 1

    def test_a_ttl_beyond_all_is_none(self, network):
        def answer(query):
            octets = reply_to(query, f"{NAME}. 60 A 192.0.2.1").to_wire()
            return octets.replace(b"\x00\x00\x00\x3c", b"\x80\x00\x00\x00")

        assert self.asked_until(network, answer) == 1

    @pytest.mark.parametrize("name", [NAME, "other.example"])
    @pytest.mark.parametrize(
        ("ttl", "minimum", "until"), [(3600, 60, 60), (60, 3600, 60), (9999, 9999, 900)]
    )
    def test_nothing_is_kept_as_long_as_the_zone_says(self, network, name, ttl, minimum, until):
        zones = Zones({name: {}}, ttl=ttl, minimum=minimum)
        assert self.asked_until(network, zones, "AAAA") == until

    def test_nothing_is_not_kept_if_the_zone_says_nothing(self, network):
        assert self.asked_until(network, lambda query: reply_to(query, rcode=3)) == 1

    def test_that_there_is_no_answer_is_kept_for_ten_seconds(self, network):
        assert self.asked_until(network, servfail, fails=True) == 10

    def test_what_is_kept_says_the_same(self, network):
        names = network.resolver(Zones(TRUE.zones, {NAME}))
        first = network.wait(names.query(NAME, "A"))
        network.advance(100)
        again = network.wait(names.query(NAME, "A"))
        assert again is first
        assert (again.secure, again.expires) == (True, 300)

    def test_memory_has_bounds(self, network, monkeypatch):
        monkeypatch.setattr(resolver, "_MOST_KEPT", 3)
        names = network.resolver(TRUE)
        (server,) = network.servers
        for n in range(4):
            network.wait(names.query(f"n{n}.example", "A"))
        network.wait(names.query("n3.example", "A"))
        assert len(server.asked) == 4
        network.wait(names.query("n0.example", "A"))
        assert len(server.asked) == 5

    def test_large_answers_take_more_of_it(self, network, monkeypatch):
        monkeypatch.setattr(resolver, "_ROOM", 4_000)
        text = Zones({f"n{n}.example": {"MX": [Mx(1, "x" * 60)] * 1} for n in range(9)})
        names = network.resolver(text)
        for n in range(9):
            network.wait(names.query(f"n{n}.example", "MX"))
        assert len(names._cache) == 5


class TestSettings:
    def test_other_servers_are_asked_from_now_on(self, network):
        names = network.resolver(TRUE)
        other = network.server(Zones({NAME: {"A": ["192.0.2.9"]}}))
        before = names.query(NAME, "A")
        names.reconfigure(DnsSettings(servers=(other.address,)))
        after = names.query(NAME, "A")
        assert network.wait(after).records == ("192.0.2.9",)
        assert network.wait(before).records == ("192.0.2.1",)
        assert network.wait(names.query(NAME, "A")).records == ("192.0.2.9",)

    def test_what_was_believed_before_is_not_kept(self, network):
        answer = Zones(TRUE.zones, {NAME})
        names = network.resolver(answer, trust_ad=True)
        network.wait(names.query(NAME, "A"))
        names.reconfigure(attrs.evolve(names._settings, trust_ad=False))
        network.wait(names.query(NAME, "A"))
        assert len(network.servers[0].asked) == 2

    def test_the_same_settings_change_nothing(self, network):
        names = network.resolver(TRUE)
        network.wait(names.query(NAME, "A"))
        names.reconfigure(attrs.evolve(names._settings, allow_private=True))
        names.reconfigure(attrs.evolve(names._settings))
        network.wait(names.query(NAME, "A"))
        assert len(network.servers[0].asked) == 2

    def test_without_any_those_of_the_system_are_asked(self, network):
        first, second = network.server(TRUE), network.server(TRUE)
        system = [(first.address,)]
        names = Resolver(network, DnsSettings(), system=lambda: system[0])
        network.wait(names.query(NAME, "A"))
        system[0] = (second.address,)
        network.wait(names.query(NAME, "A"))
        assert (len(first.asked), len(second.asked)) == (1, 1)


class TestEnd:
    def test_who_waits_is_told(self, network, monkeypatch, unhandled):
        monkeypatch.setattr(resolver, "MOST_UNDER_WAY", 2)
        names = network.resolver(silent)
        asked = [names.query(f"n{n}.example", "A") for n in range(4)]
        network.pump()
        network.advance(1)  # probes are under way
        names.stop()
        assert {failure_of(each) for each in asked} == {"the relay is stopping"}
        assert network.is_clean
        network.pump()
        assert {name for name, _ in network.servers[0].questions} == {
            *("n0.example.", "n1.example.", "localhost.")
        }
        assert unhandled() == []

    def test_nobody_asks_any_more(self, network):
        names = network.resolver(TRUE)
        network.wait(names.query(NAME, "A"))
        names.stop()
        assert failure_of(names.query(NAME, "MX")) == "the relay is stopping"
        assert network.is_clean

    def test_a_connection_is_ended(self, network):
        from tests.dns.test_exchange import truncated

        names = network.resolver(network.server(truncated, by_tcp=silent))
        asked = names.query(NAME, "A")
        network.pump()
        assert network.connections
        names.stop()
        assert failure_of(asked) == "the relay is stopping"
        assert network.is_clean


def test_nothing_that_holds_for_a_name_holds_for_its_type(network):
    soa = f"example. 60 SOA {SOA.format(minimum=30)}"
    names = network.resolver(
        lambda query: (
            reply_to(query, authority=[soa]) if query.question[0].rdtype == 28 else TRUE(query)
        )
    )
    assert network.wait(names.query(NAME, "AAAA")).kind is Kind.NO_DATA
    assert network.wait(names.query(NAME, "A")).kind is Kind.FOUND
