"""What providers say, from their wire to the report: the whole relay against an evil provider."""

from __future__ import annotations

import attrs
import pytest
from twisted.logger import LogLevel, capturedLogs, formatEvent

from multisendcon_plugin import Envelope, RelayService, parse
from multisendcon_plugin.mail.phase import Phase
from multisendcon_plugin.testing.memory_spool import MemorySpool
from multisendcon_plugin.testing.misdeeds import after, behave, refuse, speak, times
from tests.evil_network import EvilNetwork
from tests.outcome.provider_replies import rows
from tests.queues import run

MINUTE, HOUR = 60.0, 3600.0
FIRST, SECOND, OWN = "192.0.2.1", "192.0.2.2", "192.0.2.9"
CONTENT = b"From: Boss <boss@a.example>\r\nSubject: x\r\n\r\nhello\r\n"

CONFIGURATION = """
[master_relay]
hostname = "relay.example"
[ndr]
server = "192.0.2.9"
[[account]]
name = "First"
server = "192.0.2.1"
username = "boss"
password = "s3cret"
tls = "none"
tls_verify = false
{first}
[[account]]
name = "Second"
server = "192.0.2.2"
tls = "none"
tls_verify = false
"""


@pytest.fixture(autouse=True)
def _no_jitter(monkeypatch):
    monkeypatch.setattr("multisendcon_plugin.queue.lane.random", lambda: 0.0)
    monkeypatch.setattr("multisendcon_plugin.queue.recorder.random", lambda: 0.0)


class Relay:
    """The relay with two accounts, and the servers at their ends; `first` is evil."""

    def __init__(self, script, *, first=""):
        self.network = EvilNetwork()
        self.first = self.network.provide(script, address=FIRST)
        self.second = self.network.provide(address=SECOND)
        self.own = self.network.provide(address=OWN)
        self.service = RelayService(
            parse(CONFIGURATION.format(first=first)),
            self.network,
            spool=MemorySpool(self.network),
            wall=self.network.seconds,
        )
        self.service.startService()

    def mail(self, *recipients):
        """Hand a mail in, and let happen what happens at once."""
        envelope = Envelope(
            reverse_path="boss@a.example", recipients=recipients or ("r@b.example",)
        )
        self.service.submit(envelope, CONTENT).addErrback(pytest.fail)
        self.run(1.0)

    def run(self, seconds):
        run(self.network, seconds)


def sent(provider):
    return sum(len(mail.recipients) for mail in provider.mails)


@attrs.frozen
class Follows:
    """What must follow when each mail hears the same.

    :param mail: "moves" to the other account, "waits", or "fails".
    :param rests: seconds until the account is tried again; 0: the next mail is tried.
    :param log: it says what is wrong with the account; "alarm": and alarms.
    """

    mail: str
    rests: float = 0.0
    log: str = ""
    report: bool = False


FOLLOWS = {
    "quota": Follows(mail="moves", rests=HOUR, log="fault"),
    "alarm": Follows(mail="moves", rests=30.0, log="alarm"),
    "rest": Follows(mail="moves", rests=30.0, log="fault"),
    "slow": Follows(mail="waits", rests=30.0, log="fault"),
    "perhaps": Follows(mail="waits"),
    "defer": Follows(mail="waits"),
    "fail": Follows(mail="fails", report=True),
}


def faults(events):
    """Return the errors; an alarm says the same again."""
    return [each for each in events if each["log_level"] >= LogLevel.error and "kind" not in each]


@pytest.mark.parametrize("row", [row for row in rows() if row.follows in FOLLOWS], ids=str)
def test_what_a_reply_comes_to(row):
    follows = FOLLOWS[row.follows]
    heard = []

    def say(turn):
        heard.append(turn)
        speak(row.wire)(turn)

    relay = Relay({row.phase: say})
    with capturedLogs() as events:
        relay.mail()
        relay.mail()
    assert relay.first.mails == []
    # The mail, and the fallback.
    assert sent(relay.second) == (2 if follows.mail == "moves" else 0)
    # The report.
    assert len(relay.own.mails) == (2 if follows.report else 0)
    # The account: the second mail did not bother it.
    assert (len(heard) == 1) is bool(follows.rests)
    # The log.
    errors = faults(events)
    assert len(errors) == bool(follows.log)
    for event in errors:
        assert "First" in formatEvent(event)
        assert row.reply.text.split("\n")[0] in formatEvent(event)
        assert event["alarm"] is (follows.log == "alarm")
    # The account is asked again in time, and works again.
    relay.first.script.clear()
    if follows.rests:
        relay.run(follows.rests - 3)
        assert len(relay.first.sessions) == 1
        relay.mail()
        relay.run(MINUTE)
        relay.mail()
        assert relay.first.mails != []
    else:
        relay.mail()
        assert len(relay.first.mails) == 1


@pytest.mark.parametrize("row", [row for row in rows() if row.follows == "split"], ids=str)
def test_recipients_that_were_too_many_go_next_at_once(row):
    relay = Relay({Phase.RCPT: after(2, times(3, speak(row.wire)))})
    relay.mail(*(f"r{n}@b.example" for n in range(5)))
    assert [len(mail.recipients) for mail in relay.first.mails] == [2, 3]
    assert relay.own.mails == []


# One mail that is refused as though the account were at fault.

NO_RELAY = refuse(554, "5.7.1 Relay access denied")


def refusing(recipient):
    """Return the script of a server that does not relay to one recipient."""

    def misdeed(turn):
        said = turn.session.lines[-1]
        (NO_RELAY if recipient.encode() in said else behave)(turn)

    return {Phase.RCPT: misdeed}


def errors(events):
    return [formatEvent(event) for event in faults(events)]


def test_a_recipient_who_is_not_served_goes_by_the_fallback_and_stops_nobody():
    relay = Relay(refusing("far@c.example"))
    with capturedLogs() as events:
        relay.mail()
        relay.mail("far@c.example")
        relay.mail()
    assert errors(events) == []
    assert (sent(relay.first), sent(relay.second)) == (2, 1)


def test_a_recipient_whom_no_account_serves_fails_when_others_have_been_served():
    relay = Relay(refusing("far@c.example"), first="fallback = []")
    with capturedLogs() as events:
        relay.mail()
        relay.mail("far@c.example")
        assert relay.own.mails == []  # it may be the first of many
        relay.mail()
        relay.run(2 * MINUTE)
    assert errors(events) == []
    assert sent(relay.first) == 2
    (report,) = relay.own.mails
    assert b"far@c.example" in report.content


def test_two_mails_in_a_row_that_are_not_relayed_stop_the_account():
    relay = Relay({})
    relay.mail()
    relay.first.script[Phase.RCPT] = NO_RELAY
    with capturedLogs() as events:
        relay.mail()
        assert errors(events) == []
        relay.mail()
    assert len(errors(events)) == 1
    assert sent(relay.second) == 2
    assert relay.own.mails == []


def test_one_mail_that_hears_it_again_and_again_waits_until_another_has_been_served():
    relay = Relay({}, first="fallback = []")
    relay.mail()
    relay.first.script.update(refusing("far@c.example"))
    with capturedLogs() as events:
        relay.mail("far@c.example")
        relay.run(HOUR)
    assert errors(events) == []
    assert relay.own.mails == []
    relay.mail()
    relay.run(2 * HOUR)
    assert len(relay.own.mails) == 1


@pytest.mark.parametrize(
    ("reply", "follows"),
    [
        ("554 5.7.1 Relay access denied", "moves"),
        ("550 5.7.1 Authentication required", "moves"),
        ("504 5.5.2 Parameter not implemented", "moves"),
        ("550 5.4.5 Daily user sending limit exceeded", "waits"),
        ("450 4.7.1 Rate limit exceeded", "waits"),
        ("454 4.7.1 Relay access denied", "waits"),
    ],
)
def test_where_the_server_takes_others_a_recipient_stops_nobody(reply, follows):
    relay = Relay({Phase.RCPT: after(1, times(1, speak(f"{reply}\r\n".encode())))})
    with capturedLogs() as events:
        relay.mail("one@b.example", "two@b.example")
        relay.mail("three@b.example")
    assert errors(events) == []
    assert not any(" failed by " in formatEvent(event) for event in events)
    assert sent(relay.first) == 2
    assert sent(relay.second) == (1 if follows == "moves" else 0)
    assert relay.own.mails == []
    relay.run(2 * MINUTE)
    assert sent(relay.first) + sent(relay.second) == 3


def test_who_was_not_asked_yet_does_not_fail_with_the_one_who_is_not_served():
    relay = Relay(refusing("far@c.example"), first="fallback = []\nmax_recipients = 1")
    relay.mail()
    relay.mail("far@c.example", *(f"r{n}@b.example" for n in range(3)))
    relay.mail()
    relay.run(10 * MINUTE)
    assert sent(relay.first) == 5
    (report,) = relay.own.mails
    assert report.content.count(b"Final-Recipient") == 1


def not_relaying(recipient):
    """Return the script of a server that, in the end, takes no mail with one recipient."""

    def misdeed(turn):
        (NO_RELAY if recipient in turn.session.recipients else behave)(turn)

    return {Phase.END: misdeed}


@pytest.mark.parametrize("most", [1, 2, 4, 5])
def test_a_mail_that_is_not_relayed_goes_by_the_fallback_however_many_it_is_for(most):
    relay = Relay(not_relaying("r0@b.example"), first=f"max_recipients = {most}")
    relay.mail()
    relay.mail(*(f"r{n}@b.example" for n in range(5)))
    assert (sent(relay.first), sent(relay.second)) == (1, 5)


@pytest.mark.parametrize("most", [1, 2, 4, 5])
@pytest.mark.parametrize("phase", [Phase.MAIL, Phase.DATA, Phase.END])
def test_a_mail_that_is_never_relayed_fails_in_one_report_however_many_it_is_for(most, phase):
    relay = Relay({}, first=f"fallback = []\nmax_recipients = {most}")
    relay.mail()
    relay.first.script[phase] = NO_RELAY
    relay.mail(*(f"r{n}@b.example" for n in range(5)))
    relay.first.script.clear()
    relay.mail()
    relay.first.script[phase] = NO_RELAY
    relay.run(2 * MINUTE)
    (report,) = relay.own.mails
    assert report.content.count(b"Final-Recipient") == 5


def test_a_plain_552_is_about_the_mailbox_where_nobody_is_taken():
    relay = Relay({Phase.RCPT: refuse(552, "Requested action aborted")})
    relay.mail()
    assert len(relay.own.mails) == 1


def test_a_data_that_no_recipient_is_left_for_says_nothing():
    relay = Relay({Phase.RCPT: refuse(550, "5.1.1 no such user")})
    relay.first.offers.append(b"PIPELINING")
    with capturedLogs() as events:
        relay.mail()
        relay.mail()
    assert errors(events) == []
    assert len(relay.own.mails) == 2


# Rows of the account's own.


@pytest.mark.parametrize(
    ("means", "follows"),
    [
        ("quota", "quota"),
        ("slow", "slow"),
        ("login", "alarm"),
        ("account", "rest"),
        ("defer", "defer"),
        ("fail", "fail"),
    ],
)
@pytest.mark.parametrize(
    "reply", ["550 5.0.0 Kontingent verbraucht", "450 Das KONTINGENT ist leer"]
)
def test_an_account_has_rows_of_its_own(means, follows, reply):
    row = f'replies = [{{ text = "kontingent", means = "{means}" }}]'
    relay = Relay({Phase.END: speak(f"{reply}\r\n".encode())}, first=row)
    relay.mail()
    follows = FOLLOWS[follows]
    assert sent(relay.second) == (follows.mail == "moves")
    assert len(relay.own.mails) == follows.report
    relay.first.script.clear()
    relay.mail()
    assert len(relay.first.mails) == (0 if follows.rests else 1)
