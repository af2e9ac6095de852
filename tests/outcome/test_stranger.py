"""What follows from replies of servers that know no account of ours."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multisendcon_plugin.mail.phase import Phase
from multisendcon_plugin.mail.reply import Reply
from multisendcon_plugin.outcome.failure import TRANSACTION, Action, Meaning, own_rule
from multisendcon_plugin.outcome.stranger import classify_stranger, takes_no_mail
from multisendcon_plugin.routing.account import Account, AccountType

CASES = [
    # Before a mail is begun, it is about the host.
    (Phase.CONNECT, 0, "4.4.1", "mx port 25 cannot be reached: refused", "REST"),
    (Phase.CONNECT, 0, "4.4.2", "the server did not answer for 60 s", "SLOW"),
    (Phase.GREETING, 554, "", "no SMTP service here", "REST"),
    (Phase.GREETING, 554, "5.7.1", "Service unavailable; blocked using zen.spamhaus.org", "REST"),
    (Phase.GREETING, 521, "", "host does not accept mail", "REST"),
    (Phase.GREETING, 450, "4.3.2", "try again later", "REST"),
    (Phase.GREETING, 421, "4.3.2", "service not available", "SLOW"),
    (Phase.GREETING, 554, "", "too many connections from your host", "SLOW"),
    (Phase.EHLO, 550, "5.7.1", "helo command rejected", "REST"),
    (Phase.TLS, 0, "4.7.0", "the certificate has expired", "REST"),
    # Here, it is about the mail.
    (Phase.MAIL, 550, "5.7.1", "client host [192.0.2.1] blocked using zen.spamhaus.org", "FAIL"),
    (Phase.MAIL, 550, "5.7.1", "authentication required", "FAIL"),
    (Phase.MAIL, 530, "5.7.0", "must issue a STARTTLS command first", "FAIL"),
    (Phase.MAIL, 451, "4.7.1", "try again later", "DEFER_THEN_SLOW"),
    (Phase.MAIL, 451, "4.7.1", "greylisted, try again in 300 s", "DEFER"),
    (Phase.MAIL, 421, "4.7.0", "[TSS04] temporarily deferred", "SLOW"),
    (Phase.MAIL, 452, "4.3.1", "insufficient system storage", "SLOW"),
    (Phase.RCPT, 450, "4.2.0", "recipient address rejected: Greylisted", "DEFER"),
    (
        Phase.RCPT,
        450,
        "4.7.1",
        "client host rejected: cannot find your hostname",
        "DEFER_THEN_SLOW",
    ),
    (Phase.RCPT, 450, "4.7.28", "unusual rate of mail, rate limited", "SLOW"),
    (Phase.RCPT, 550, "5.7.1", "relaying denied", "FAIL"),
    (Phase.RCPT, 550, "5.1.1", "user unknown", "FAIL"),
    (Phase.RCPT, 552, "5.2.2", "mailbox full", "FAIL"),
    (Phase.RCPT, 452, "4.5.3", "too many recipients", "SPLIT"),
    (Phase.RCPT, 550, "5.4.5", "daily sending quota exceeded", "FAIL"),
    (Phase.RCPT, 451, "4.3.0", "temporary lookup failure", "DEFER_THEN_SLOW"),
    (Phase.RCPT, 556, "5.1.10", "domain does not accept mail", "FAIL"),
    (Phase.END, 554, "5.7.1", "message looks like spam", "FAIL"),
    (Phase.END, 451, "4.7.1", "Greylisting in action", "DEFER"),
    (Phase.END, 450, "", "please try again", "DEFER_THEN_SLOW"),
    (Phase.END, 421, "4.4.2", "timeout", "SLOW"),
]


@pytest.mark.parametrize(("phase", "code", "enhanced", "text", "expected"), CASES)
def test_the_phase_says_what_a_reply_is_about(phase, code, enhanced, text, expected):
    assert classify_stranger(phase, Reply(code, enhanced, text)).name == expected


@given(
    st.sampled_from(Phase),
    st.sampled_from([0, *range(400, 600)]),
    st.sampled_from(["", "4.7.0", "5.7.1", "5.7.8", "4.4.1", "5.4.5"]),
    st.sampled_from([text for *_, text, _ in CASES] + ["your account is blocked", "login first"]),
)
def test_nothing_is_ever_an_account_s(phase, code, enhanced, text):
    action = classify_stranger(phase, Reply(code, enhanced, text))
    assert action not in (Action.ALARM, Action.QUOTA, Action.MOVE)
    if phase in TRANSACTION and code >= 500:
        assert action in (Action.FAIL, Action.SPLIT)
    if phase not in TRANSACTION:
        assert action.stops_account


def test_the_admin_knows_better():
    rule = own_rule(means=Meaning.DEFER, code="550", text="not today")
    reply = Reply(550, "5.7.1", "not today")
    assert classify_stranger(Phase.RCPT, reply, own=(rule,)) is Action.DEFER


def test_an_account_knows_whose_servers_it_speaks_to():
    reply = Reply(550, "5.7.1", "relaying denied")
    own = Account(name="A", server="mx.example")
    direct = Account(name="A", type=AccountType.DIRECT)
    assert own.classify(Phase.RCPT, reply) is Action.ALARM
    assert direct.classify(Phase.RCPT, reply) is Action.FAIL


@pytest.mark.parametrize(
    ("phase", "code", "expected"),
    [
        (Phase.GREETING, 521, True),
        (Phase.GREETING, 554, False),
        (Phase.RCPT, 521, False),
    ],
)
def test_one_code_says_that_a_host_never_takes_mail(phase, code, expected):
    assert takes_no_mail(phase, Reply(code)) is expected
