"""Each misdeed of a provider in each phase: the attempt ends in time and says the truth."""

from __future__ import annotations

import re

import pytest
from hypothesis import event, given
from hypothesis import strategies as st
from twisted.internet.task import deferLater

from multisendcon_plugin.mail.phase import Phase
from multisendcon_plugin.outcome.attempt import Verdict
from multisendcon_plugin.relay.factory import IDLE
from multisendcon_plugin.relay.sender import OPENING_PATIENCE, PATIENCE
from multisendcon_plugin.routing.hop import Tls
from multisendcon_plugin.testing.misdeeds import (
    behave,
    drip,
    drop,
    drop_at,
    edit,
    eight_bit,
    endless,
    fake_tls,
    hang,
    inject,
    late,
    refuse,
    speak,
    stop_reading,
    strip,
    times,
)
from tests.evil_network import EvilWay
from tests.queues import run
from tests.relays import CONTENT, HEADER, login, verdicts

DELIVERED, DEFERRED, FAILED, UNCERTAIN = Verdict
HTTP = b"HTTP/1.1 400 Bad Request\r\n"
#: The content on the wire, with the final dot.
LENGTH = len(CONTENT) + len(b".\r\n")

MISDEEDS = {
    "451": refuse(451),
    "550": refuse(550),
    "421": refuse(421),
    "hang": hang,
    "drop": drop(),
    "reset": drop(reset=True),
    "half": drop(5),
    # EHLO is said twice, and the time until the session is open is one.
    "wait": late(25),
    "late": late(1000),
    "drip": drip(0.25),
    "slow": drip(60),
    "more": endless(),
    "8bit": eight_bit,
    "http": speak(HTTP),
    "deaf": stop_reading,
}
NO_ANSWER = "the server did not answer for"
#: What the fault, or the reply to the mail, says.
WORDS = {
    "451": "451 not today",
    "550": "550 not today",
    "421": "421 not today",
    "hang": NO_ANSWER,
    "drop": "the server closed the connection",
    "reset": "the connection was lost",
    "half": "the server closed the connection",
    "late": NO_ANSWER,
    "slow": NO_ANSWER,
    "more": "a reply that never ends",
    "http": "not a reply of an SMTP server: HTTP/1.1 400 Bad Request",
    "deaf": NO_ANSWER,
}

# ok: delivered.  A: a fault of the account in this phase, nothing is said about the mail.  Def and
# Fail: the mail is deferred or failed, and the account is not at fault.  U: uncertain.  Another
# word: a fault of the account in that phase; the server that reads no more is found out there.
# With a slash: one by one, and with PIPELINING.
TABLE = """
          451  550   421  hang  drop  reset  half  wait  late  drip  slow  more  8bit  http  deaf
greeting  A    A     A    A     A     A      A     ok    A     ok    A     A     ok    A     ehlo
ehlo      A    A     A    A     A     A      A     ok    A     ok    A     A     ok    A     tls
tls       A    A     A    A     A     A      A     ok    A     ok    A     A     ok    A     ehlo
login     A    A     A    A     A     A      A     ok    A     ok    A     A     ok    A     mail
mail      Def  Fail  A    A     A     A      A     ok    A     ok    A     A     ok    A     rcpt/U
rcpt      Def  Fail  A    A     A     A      A     ok    A     ok    A     A     ok    A     data/U
data      Def  Fail  A    A     A     A      A     ok    A     ok    A     A     ok    A     U
content   Def  Fail  A    U     A     A      A     ok    U     ok    ok    A     ok    A     content
end       Def  Fail  A    U     U     U      U     ok    U     ok    U     U     ok    U     ok
rset      ok   ok    ok   ok    ok    ok     ok    ok    ok    ok    ok    ok    ok    ok    ok
quit      ok   ok    ok   ok    ok    ok     ok    ok    ok    ok    ok    ok    ok    ok    ok
"""


OFFERS = {"one by one": (), "pipelining": ("PIPELINING",)}


def cells():
    head, *rows = (line.split() for line in TABLE.strip().splitlines())
    phases = list(Phase)[2:]
    order = [Phase.GREETING, Phase.EHLO, Phase.TLS, *phases[phases.index(Phase.LOGIN) :]]
    for phase, (name, *expected) in zip(order, rows, strict=True):
        assert phase.value.startswith(name)
        for misdeed, cell in zip(head, expected, strict=True):
            for n, (way, offers) in enumerate(OFFERS.items()):
                each = cell.split("/")[n if "/" in cell else 0]
                yield pytest.param(phase, misdeed, offers, each, id=f"{name}-{misdeed}-{way}")


def way_to(script, **more):
    return EvilWay(script, **login(tls=Tls.STARTTLS), **more)


def slowly(way, *pieces):
    """Return the pieces of a content as a slow spool has them: one now, one in each second."""
    first, *others = pieces
    return lambda: [
        first,
        *(deferLater(way.network, n, lambda each=each: each) for n, each in enumerate(others, 1)),
        # The end of the content is known later still.
        deferLater(way.network, len(pieces), lambda: b""),
    ]


def end_of(way, results, seconds):
    """Let the attempt end within so many seconds, and all that was open after it; return it."""
    run(way.network, seconds)
    (attempt,) = results
    closed(way)
    return attempt


def closed(way):
    """The provider is rid of its client, and nothing is left to be done."""
    run(way.network, IDLE + PATIENCE[Phase.QUIT])
    assert all(wire.gone for wire in way.network.wires)
    assert all(session.ended.called for session in way.provider.sessions)
    assert all(content.closed for content in way.contents)
    assert way.network.timers == []


def mails_of(provider):
    return [mail.content for mail in provider.mails]


@pytest.mark.parametrize(("phase", "misdeed", "offers", "expected"), list(cells()))
def test_what_a_misdeed_in_a_phase_comes_to(phase, misdeed, offers, expected):
    way = way_to({phase: MISDEEDS[misdeed]}, offers=offers)
    if phase is Phase.RSET:
        # A mail that is refused leaves a session that wants it.
        way.provider.script[Phase.RCPT] = times(1, refuse(550))
        assert verdicts(way.send()) == [FAILED]
    pieces = None
    where = {"U": Phase.END}.get(expected, phase)
    if expected in {each.value for each in Phase}:
        where = Phase(expected)
    if (phase, misdeed) == (Phase.RSET, "deaf"):
        where = Phase.MAIL
    limit = PATIENCE.get(where, OPENING_PATIENCE)
    if phase is Phase.CONTENT:
        pieces = slowly(way, HEADER, b"\r\n", b"hello\r\n", b"..stuffed\r\n")
        limit += 4
    results = way.begin(pieces=pieces)
    if misdeed in ("hang", "late") and phase not in (Phase.CONTENT, Phase.QUIT):
        run(way.network, limit - 1)
        assert not results
        limit = 1
    attempt = end_of(way, results, limit)
    (outcome,) = attempt.outcomes
    if expected in ("ok", "Def", "Fail"):
        assert attempt.fault is None
    if expected == "ok":
        assert outcome.verdict is DELIVERED
        assert mails_of(way.provider) == [CONTENT.replace(b"\r\n..", b"\r\n.")]
        return
    assert way.provider.mails == []
    if expected in ("Def", "Fail"):
        assert outcome.verdict is (DEFERRED if expected == "Def" else FAILED)
        assert outcome.phase is phase
        assert str(outcome.reply) == WORDS[misdeed]
        return
    assert attempt.fault.phase is where
    words = WORDS[misdeed]
    if where not in PATIENCE:
        words = words.replace(NO_ANSWER, "the server was not ready within 60 s")
    assert words in str(attempt.fault)
    assert outcome.verdict is (UNCERTAIN if expected == "U" else DEFERRED)


def test_a_recipient_that_is_refused_leaves_the_others_alone():
    way = way_to({Phase.RCPT: times(1, refuse(550))})
    attempt = end_of(way, way.begin(recipients=("a@b.example", "b@b.example")), 0)
    assert attempt.fault is None
    assert verdicts(attempt) == [FAILED, DELIVERED]
    assert [mail.recipients for mail in way.provider.mails] == [("b@b.example",)]


def test_a_fault_after_a_recipient_was_refused_fails_nobody():
    way = way_to({Phase.RCPT: times(1, refuse(550)), Phase.DATA: drop()})
    attempt = end_of(way, way.begin(recipients=("a@b.example", "b@b.example")), 0)
    assert attempt.fault.phase is Phase.DATA
    assert verdicts(attempt) == [DEFERRED, DEFERRED]


# TLS.


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        (
            {Phase.EHLO: strip("STARTTLS")},
            "tls: 4.7.0 the server does not offer STARTTLS (the login is never sent in clear text)",
        ),
        (
            {Phase.TLS: inject(b"250-mx\r\n250 AUTH PLAIN\r\n")},
            "tls: 4.7.0 data arrived between the reply to STARTTLS and the TLS handshake",
        ),
        ({Phase.TLS: fake_tls(b"")}, "tls: 4.4.2 the server was not ready within 60 s"),
        ({Phase.TLS: speak(HTTP)}, "tls: 4.4.2 not a reply of an SMTP server: HTTP/1.1 400"),
    ],
    ids=["stripped", "injected", "no handshake", "not SMTP"],
)
def test_without_tls_no_login_and_no_mail_leave(script, expected):
    way = way_to(script)
    attempt = end_of(way, way.begin(), OPENING_PATIENCE)
    assert str(attempt.fault).startswith(expected)
    assert verdicts(attempt) == [DEFERRED]
    for session in way.provider.sessions:
        assert {line.split()[0] for line in session.lines} <= {b"EHLO", b"STARTTLS", b"QUIT"}
    assert b"s3cret" not in way.provider.clear
    assert b"MAIL" not in way.provider.clear


# Replies that are ahead of what they answer.


@pytest.mark.parametrize("offers", OFFERS.values(), ids=OFFERS)
@pytest.mark.parametrize("pieces", [None, (HEADER, b"\r\nhello\r\n")])
def test_a_reply_that_came_before_the_content_does_not_answer_the_final_dot(offers, pieces):
    way = way_to({Phase.DATA: inject(b"250 2.0.0 queued\r\n"), Phase.END: hang}, offers=offers)
    attempt = end_of(way, way.begin(pieces=pieces and slowly(way, *pieces)), 10)
    assert verdicts(attempt) == [DEFERRED]
    assert way.provider.mails == way.provider.unacknowledged == []


# A server that cuts the mail short.


@pytest.mark.parametrize("octets", range(LENGTH))
def test_a_mail_cut_at_any_octet_is_not_taken_for_delivered(octets):
    way = way_to({Phase.CONTENT: drop_at(octets)})
    attempt = end_of(way, way.begin(), 0)
    assert verdicts(attempt) == [UNCERTAIN]  # the final dot had left with the rest
    assert way.provider.mails == way.provider.unacknowledged == []


@pytest.mark.parametrize("octets", range(len(HEADER)))
def test_a_mail_cut_before_the_dot_has_left_is_deferred(octets):
    way = way_to({Phase.CONTENT: drop_at(octets)})
    attempt = end_of(way, way.begin(pieces=slowly(way, HEADER, b"\r\nhello\r\n")), 5)
    assert attempt.fault.phase is Phase.CONTENT
    assert verdicts(attempt) == [DEFERRED]


@pytest.mark.parametrize("octets", range(len(b"250 2.0.0 queued\r\n") + 1))
def test_the_reply_to_the_final_dot_counts_when_it_is_whole(octets):
    way = way_to({Phase.END: drop(octets)})
    attempt = end_of(way, way.begin(), 0)
    whole = octets == len(b"250 2.0.0 queued\r\n")
    assert verdicts(attempt) == [DELIVERED if whole else UNCERTAIN]
    assert bool(way.provider.mails) is whole
    assert bool(way.provider.unacknowledged) is not whole


# Any script.

REPLY = re.compile(rb"(?:[2-5][0-9]{2}-[^\r\n]*\r\n){0,99}([2-5])[0-9]{2}(?: [^\r\n]*)?\r\n")

SCRIPTS = st.dictionaries(
    st.sampled_from(Phase),
    st.one_of(
        st.sampled_from([hang, stop_reading, eight_bit, drip(), drip(40), endless()]),
        st.integers(400, 599).map(refuse),
        st.builds(drop, st.integers(0, 60), reset=st.booleans()),
        st.integers(0, LENGTH).map(drop_at),
        st.floats(0, 700).map(late),
        st.sampled_from([HTTP, b"\r\n", b"\xff\n", b"22", b"999 what\r\n", b"250\n"]).map(speak),
        st.sampled_from([strip("STARTTLS"), inject(b"250 ok\r\n"), edit(bytes.upper)]),
    ).flatmap(lambda misdeed: st.sampled_from([misdeed, times(1, misdeed)])),
    max_size=3,
)


@given(
    SCRIPTS,
    st.sampled_from([(), ("PIPELINING",), ("PIPELINING", "8BITMIME", "SIZE 1000")]),
    st.booleans(),
)
def test_whatever_a_provider_does_the_attempt_ends_and_says_the_truth(script, offers, at_once):
    way = way_to(script, offers=offers)
    pieces = None if at_once else slowly(way, HEADER, b"\r\nhello\r\n", b"..stuffed\r\n")
    attempt = end_of(way, way.begin(pieces=pieces), 2 * (OPENING_PATIENCE + sum(PATIENCE.values())))
    (outcome,) = attempt.outcomes
    event(f"{outcome.verdict.name} in {outcome.phase.name}")

    wire, session = way.network.wires[-1], way.provider.sessions[-1]
    _, _, content = b"".join(wire.writes).partition(b"\r\nDATA\r\n")
    dot_left = b"\r\n.\r\n" in content
    answer = REPLY.match(session.said)
    acknowledged = dot_left and answer is not None and answer[1] == b"2"
    assert (outcome.verdict is UNCERTAIN) == (dot_left and answer is None)
    assert (outcome.verdict is DELIVERED) == acknowledged
    if Phase.CONTENT not in script:  # a 250 that is added there is a lie
        assert acknowledged == bool(way.provider.mails)
    if attempt.fault:
        assert outcome.verdict in (DEFERRED, UNCERTAIN)
    assert b"s3cret" not in way.provider.clear


def test_a_misdeed_may_be_done_so_many_times():
    way = way_to({Phase.MAIL: times(2, refuse(451)), Phase.END: behave})
    assert [verdicts(way.send()) for _ in range(3)] == [[DEFERRED], [DEFERRED], [DELIVERED]]
