"""Mails with more recipients than a server takes at a time: split, and each gets exactly one."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.logger import LogLevel

from multisendcon_plugin.mail.dsn import Notify
from multisendcon_plugin.mail.phase import Phase
from multisendcon_plugin.outcome.attempt import Verdict
from multisendcon_plugin.outcome.failure import Action
from multisendcon_plugin.testing.misdeeds import behave, drop, refuse, speak, times
from tests.evil_network import ADDRESS
from tests.evil_world import EvilWorld, at, network_now
from tests.queue_world import DAY, SENDER
from tests.queues import logged
from tests.relays import CLOSE, Server, Way, verdicts

DELIVERED, DEFERRED, FAILED, UNCERTAIN = Verdict
OFFERS = [(), ("PIPELINING",)]
SES = "554 Transaction failed: Recipient count exceeds 50."


def readers(count):
    return [f"r{n}@far.example" for n in range(count)]


def split(attempt):
    """Return the recipients that are left to another transaction."""
    outcomes = [each for each in attempt.outcomes if each.action is Action.SPLIT]
    assert all(each.verdict is DEFERRED for each in outcomes)
    return [each.recipient.address for each in outcomes]


# Scripts of a server.


def asked(turn):
    """Return the addresses that were said since the last MAIL."""
    said = []
    for line in turn.session.lines:
        if line.startswith(b"MAIL"):
            said = []
        elif line.startswith(b"RCPT"):
            said.append(line.split(b"<")[1].split(b">")[0].decode())
    return said


def refusing(reply, *recipients):
    """Refuse some recipients."""
    no = speak(reply.encode() + b"\r\n")
    return lambda turn: (no if asked(turn)[-1] in recipients else behave)(turn)


def beyond(limit, reply):
    """Refuse each recipient beyond so many in one transaction."""
    no = speak(reply.encode() + b"\r\n")
    return lambda turn: (no if len(asked(turn)) > limit else behave)(turn)


def whole_beyond(limit, reply):
    """Refuse the whole of a mail that has more recipients."""
    no = speak(reply.encode() + b"\r\n")
    return lambda turn: (no if len(turn.session.recipients) > limit else behave)(turn)


def one_domain(turn):
    """Refuse recipients in another domain than the first, as Google does."""
    domains = {address.partition("@")[2] for address in turn.session.recipients}
    own = asked(turn)[-1].partition("@")[2]
    text = "4.3.0 Multiple destination domains per transaction is unsupported. Please try again."
    (refuse(451, text) if domains - {own} else behave)(turn)


class Mailing:
    """A world with one evil provider, and a mail to many."""

    def __init__(self, script=None, *, offers=(), **account):
        network = network_now()
        self.provider = network.provide(script, tls="fake", offers=offers)
        self.world = EvilWorld(at("A", ADDRESS, **account), network=network)

    def send(self, *recipients, seconds=1.0, **more):
        self.world.mail(*recipients, **more)
        self.world.run(seconds)

    @property
    def mails(self):
        """What the readers got: the recipients of each mail."""
        return [mail.recipients for mail in self.provider.mails if mail.reverse_path == SENDER]

    @property
    def sizes(self):
        return [len(recipients) for recipients in self.mails]

    @property
    def reports(self):
        """The reports to the sender, which leave by the same account."""
        return [mail for mail in self.provider.mails if mail.recipients == (SENDER,)]

    def got_exactly_one(self, recipients):
        got = Counter(each for mail in self.mails for each in mail)
        return got == Counter(recipients) and self.world.waiting == []


# The key.


@pytest.mark.parametrize("offers", OFFERS)
@pytest.mark.parametrize(
    ("count", "most", "sizes"),
    [
        (25, 10, [10, 10, 5]),
        (20, 10, [10, 10]),
        (10, 10, [10]),
        (3, 1, [1, 1, 1]),
        (1, 1, [1]),
        (25, None, [25]),
    ],
)
def test_a_mail_to_more_than_max_recipients_leaves_in_several_at_once(offers, count, most, sizes):
    mailing = Mailing(offers=offers, max_recipients=most)
    mailing.send(*readers(count))
    assert mailing.sizes == sizes
    assert mailing.got_exactly_one(readers(count))
    assert [each for mail in mailing.mails for each in mail] == readers(count)
    assert mailing.reports == []
    assert len(mailing.provider.sessions) == 1


def test_each_of_them_keeps_the_minimum_wait():
    mailing = Mailing(max_recipients=10, minimum_wait=7.0)
    mailing.send(*readers(35), seconds=60)
    assert mailing.sizes == [10, 10, 10, 5]
    mails = mailing.provider.mails
    assert [after.mail_from_at - before.received_at for before, after in pairwise(mails)] == [
        pytest.approx(7.0, abs=0.1)
    ] * 3


def test_that_is_no_failed_attempt():
    mailing = Mailing(max_recipients=10, minimum_wait=7.0)
    mailing.send(*readers(25))
    (delivery,) = mailing.world.waiting
    assert [each.address for each in delivery.recipients] == readers(25)[10:]
    assert delivery.attempts == 0
    assert delivery.due <= mailing.world.clock.seconds()


@pytest.mark.parametrize("seconds", [1, 8, 15])
def test_a_crash_between_two_of_them_loses_nothing(seconds):
    mailing = Mailing(max_recipients=10, minimum_wait=7.0)
    mailing.send(*readers(35), seconds=seconds)
    assert 0 < len(mailing.mails) < 4
    mailing.world.crash()
    mailing.world.start()
    mailing.world.run(60)
    assert mailing.got_exactly_one(readers(35))


def test_one_fails_and_one_waits_and_nobody_waits_for_them():
    few = readers(30)
    script = {Phase.RCPT: lambda turn: refusals.get(asked(turn)[-1], behave)(turn)}
    refusals = {few[0]: refuse(550, "5.1.1 no such user"), few[5]: refuse(450, "4.2.1 later")}
    mailing = Mailing(script, max_recipients=10)
    mailing.send(*few)
    # The one who waits is asked once more, after all others.
    assert mailing.sizes == [8, 10, 10]
    (report,) = mailing.reports
    assert report.content.count(b"Final-Recipient") == 1
    assert few[0].encode() in report.content
    (delivery,) = mailing.world.waiting
    assert [each.address for each in delivery.recipients] == [few[5]]
    assert delivery.attempts == 1
    del refusals[few[5]]
    mailing.world.run(120)
    assert mailing.got_exactly_one(few[1:])


def test_when_nobody_is_taken_the_others_wait_too_and_are_asked_first():
    mailing = Mailing({Phase.END: times(2, refuse(451, "4.3.0 later"))}, max_recipients=2)
    mailing.send(*readers(6), seconds=1)
    assert mailing.mails == []
    (delivery,) = mailing.world.waiting
    assert delivery.attempts == 1
    mailing.world.run(DAY)
    order = [mail[0] for mail in mailing.mails]
    assert order == ["r4@far.example", "r0@far.example", "r2@far.example"]
    assert mailing.got_exactly_one(readers(6))


def test_a_refused_sender_is_told_once_of_all():
    mailing = Mailing({Phase.MAIL: times(1, refuse(550, "5.7.1 not you"))}, max_recipients=10)
    mailing.send(*readers(25))
    assert mailing.mails == []
    (report,) = mailing.reports
    assert report.content.count(b"Final-Recipient") == 25


@pytest.mark.parametrize("offers", [(), ("DSN",)])
def test_success_is_reported_for_each_exactly_once(offers):
    mailing = Mailing(offers=offers, max_recipients=2)
    mailing.send(*readers(5), notify=Notify.SUCCESS)
    assert mailing.sizes == [2, 2, 1]
    told = b"".join(report.content for report in mailing.reports)
    for reader in readers(5):
        expected = 0 if offers else 1  # with DSN it is the server that tells
        assert told.count(b"Final-Recipient: rfc822; " + reader.encode()) == expected


@pytest.mark.parametrize("offers", OFFERS)
def test_what_comes_of_each_is_said_in_the_order_of_the_recipients(offers):
    server = Server(*offers, RCPT=["250 ok", "550 5.1.1 no", "450 4.2.1 later", "250 ok"])
    attempt = Way(server, max_recipients=3).send(recipients=readers(5))
    assert verdicts(attempt) == [DELIVERED, FAILED, DEFERRED, DEFERRED, DEFERRED]
    assert split(attempt) == readers(5)[3:]
    assert str(attempt.outcomes[4].reply) == "4.5.3 no more than 3 recipients at a time"
    assert [line[:4] for line in server.lines].count(b"RCPT") == 3


def test_who_was_not_asked_is_not_uncertain():
    attempt = Way(Server(END=CLOSE), max_recipients=1).send(recipients=readers(2))
    assert verdicts(attempt) == [UNCERTAIN, DEFERRED]


def test_who_needs_no_session_with_utf8_takes_no_place():
    recipients = ("ä@far.example", *readers(2))
    server = Server()
    attempt = Way(server, max_recipients=2).send(recipients=recipients, utf8=True)
    assert verdicts(attempt) == [FAILED, DELIVERED, DELIVERED]


# What servers say to a recipient.

TOO_MANY = [
    "452 4.5.3 Too many recipients",
    "452 too many recipients",
    "552 5.5.3 Too many recipients",
    "552 Requested mail action aborted: exceeded storage allocation",
    "550 5.5.3 too many",
    "451 4.5.3 Too many recipients",
    "450 4.5.3 Too many recipients",
    "452 4.5.3 enough",
    "550 Too many recipients",
]


@pytest.mark.parametrize("offers", OFFERS)
@pytest.mark.parametrize("reply", TOO_MANY)
def test_recipients_beyond_the_limit_of_a_server_go_next_at_once(reply, offers):
    mailing = Mailing({Phase.RCPT: beyond(10, reply)}, offers=offers)
    mailing.send(*readers(25))
    assert mailing.sizes == [10, 10, 5]
    assert mailing.got_exactly_one(readers(25))
    assert mailing.reports == []


@pytest.mark.parametrize("offers", OFFERS)
def test_a_server_that_takes_one_domain_at_a_time_gets_them_so(offers):
    domains = ["a.example", "b.example", "c.example"]
    everybody = [f"r{n}@{domain}" for n in range(3) for domain in domains]
    mailing = Mailing({Phase.RCPT: one_domain}, offers=offers)
    mailing.send(*everybody)
    assert mailing.sizes == [3, 3, 3]
    assert mailing.got_exactly_one(everybody)


@pytest.mark.parametrize("offers", OFFERS)
@pytest.mark.parametrize("reply", TOO_MANY)
def test_where_nobody_was_taken_it_is_the_recipient_who_is_refused(reply, offers):
    way = Way(Server(*offers, RCPT=reply, DATA="503 5.5.1 no"))
    attempt = way.send(recipients=readers(2))
    final = reply.startswith("5")
    assert verdicts(attempt) == [FAILED if final else DEFERRED] * 2
    assert {each.action for each in attempt.outcomes} == {Action.FAIL if final else Action.DEFER}
    assert attempt.fault is None


@pytest.mark.parametrize("reply", ["552 5.2.2 mailbox full", "552 mailbox is full"])
def test_a_full_mailbox_is_one_also_beside_others(reply):
    mailing = Mailing({Phase.RCPT: refusing(reply, "r1@far.example")})
    mailing.send(*readers(3))
    assert mailing.sizes == [2]
    assert len(mailing.reports) == 1


def test_both_limits_together():
    mailing = Mailing({Phase.RCPT: beyond(3, TOO_MANY[0])}, max_recipients=5)
    mailing.send(*readers(11))
    assert mailing.sizes == [3, 3, 3, 2]
    assert mailing.got_exactly_one(readers(11))


def test_who_is_always_too_many_waits_by_the_schedule():
    mailing = Mailing({Phase.RCPT: refusing("452 4.5.3 too many", "r2@far.example")})
    mailing.send(*readers(3), seconds=30)
    asked_for = [
        line for each in mailing.provider.sessions for line in each.lines if b"<r2" in line
    ]
    assert len(asked_for) == 2
    assert [each.attempts for each in mailing.world.waiting] == [1]


# Servers that refuse the whole mail.


@pytest.mark.parametrize("offers", OFFERS)
@pytest.mark.parametrize("phase", [Phase.DATA, Phase.END])
@pytest.mark.parametrize(
    ("reply", "sizes"),
    [
        (SES, [50, 50, 20]),
        (SES.upper(), [50, 50, 20]),
        ("554 5.5.3 Too many recipients (maximum is 50)", [50, 50, 20]),
        ("550 5.7.1 Number of recipients is more than 50", [50, 50, 20]),
        ("452 4.5.3 Too many recipients", [30, 30, 30, 30]),
        ("552 Too many recipients: 120, host 12", [30, 30, 30, 30]),
        ("554 Recipient count exceeds 500.", [30, 30, 30, 30]),
    ],
)
def test_a_mail_that_is_refused_for_its_many_recipients_is_split_at_once(
    phase, reply, sizes, offers
):
    mailing = Mailing({phase: whole_beyond(50, reply)}, offers=offers)
    mailing.send(*readers(120))
    assert mailing.sizes == sizes
    assert mailing.got_exactly_one(readers(120))
    assert mailing.reports == []


def test_what_a_server_takes_is_learnt_and_told_once():
    mailing = Mailing({Phase.END: whole_beyond(50, SES)})
    with logged() as log:
        mailing.send(*readers(60))
        mailing.send(*readers(60))
    assert mailing.sizes == [50, 10, 50, 10]
    (line,) = [text for text in log.texts(LogLevel.info) if "max_recipients" in text]
    assert line.startswith("account A: its server takes 50 recipients in one mail")
    lines = [line for session in mailing.provider.sessions for line in session.lines]
    assert lines.count(b"DATA") == 5


def test_the_minimum_wait_lies_before_the_next_try_too():
    mailing = Mailing({Phase.END: whole_beyond(50, SES)}, minimum_wait=7.0)
    mailing.send(*readers(60), seconds=1)
    assert mailing.mails == []
    mailing.world.run(6.5)
    assert mailing.sizes == [50]
    mailing.world.run(7)
    assert mailing.sizes == [50, 10]


@pytest.mark.parametrize("misdeed", [drop(), drop(reset=True)])
def test_a_session_that_ends_with_that_reply_does_not_matter(misdeed):
    def refuse_and_go(turn):
        if len(turn.session.recipients) > 50:
            speak(SES.encode() + b"\r\n")(turn)
            misdeed(turn)
        else:
            behave(turn)

    mailing = Mailing({Phase.END: refuse_and_go})
    mailing.send(*readers(60))
    assert mailing.sizes == [50, 10]
    assert mailing.got_exactly_one(readers(60))


def test_one_recipient_is_never_too_many():
    way = Way(Server(END="554 5.5.3 Too many recipients"), Server())
    assert verdicts(way.send()) == [FAILED]
    assert len(way.network.wires) == 1
    attempt = Way(Server(END="452 4.5.3 Too many recipients")).send()
    assert verdicts(attempt) == [DEFERRED]
    assert attempt.outcomes[0].action is Action.DEFER


def test_a_server_that_always_says_so_is_not_asked_for_ever():
    server = Server(END=SES)
    attempt = Way(server).send(recipients=readers(100))
    assert verdicts(attempt)[0] is FAILED
    assert split(attempt) == readers(100)[1:]
    assert server.lines.count(b"DATA") <= 8


def test_a_limit_that_was_learnt_by_another_mail_meanwhile_holds():
    first, second = (Server(END=[SES, "250 ok"]) for _ in range(2))
    way = Way(first, second)
    attempts = [way.begin(recipients=readers(60)) for _ in range(2)]
    assert [verdicts(each[0]).count(DELIVERED) for each in attempts] == [50, 50]


def test_no_word_of_recipients_splits_a_mail_at_mail_from():
    way = Way(Server(MAIL="452 4.5.3 Too many recipients"))
    attempt = way.send(recipients=readers(2))
    assert split(attempt) == []


# In any case.


LIMITS = st.fixed_dictionaries(
    {
        "most": st.none() | st.integers(1, 10),
        "server": st.integers(1, 30),
        "whole": st.booleans(),
        "reply": st.sampled_from(
            ["452 4.5.3 Too many recipients", "554 5.5.3 Too many recipients"]
        ),
    }
)


@given(st.integers(1, 30), LIMITS, st.sets(st.integers(0, 29), max_size=5), st.sampled_from(OFFERS))
def test_everybody_gets_exactly_one_mail_or_one_report(count, limits, gone, offers):
    everybody = readers(count)
    nobody = {f"r{n}@far.example" for n in gone} & set(everybody)
    no_such_user = refusing("550 5.1.1 no such user", *nobody)
    limit, whole, reply = limits["server"], limits["whole"], limits["reply"]

    def rcpt(turn):
        if asked(turn)[-1] in nobody:
            no_such_user(turn)
        elif not whole and len(turn.session.recipients) >= limit:
            speak(reply.encode() + b"\r\n")(turn)
        else:
            behave(turn)

    script = {Phase.RCPT: rcpt}
    if whole:
        script[Phase.END] = whole_beyond(limit, reply)
    mailing = Mailing(script, offers=offers, max_recipients=limits["most"])
    mailing.send(*everybody, seconds=DAY)
    assert mailing.got_exactly_one(set(everybody) - nobody)
    told = b"".join(report.content for report in mailing.reports)
    for reader in everybody:
        reported = told.count(b"Final-Recipient: rfc822; " + reader.encode() + b"\r\n")
        assert reported == (reader in nobody)
