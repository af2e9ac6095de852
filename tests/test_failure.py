"""The table of failures, row by row."""

from __future__ import annotations

import itertools

import pytest

from multisendcon_plugin.failure import RULES, Action, Scope, classify
from multisendcon_plugin.phase import Phase
from multisendcon_plugin.reply import Reply

ACCOUNT, MESSAGE, RECIPIENT = Scope.ACCOUNT, Scope.MESSAGE, Scope.RECIPIENT

CASES = [
    # The connection.
    (Phase.CONNECT, 0, "4.4.1", ACCOUNT, Action.REST),
    (Phase.TLS, 0, "4.7.0", ACCOUNT, Action.REST),
    (Phase.END, 0, "4.4.2", ACCOUNT, Action.REST),
    (Phase.RCPT, 0, "4.4.2", ACCOUNT, Action.REST),
    # The session.
    (Phase.GREETING, 421, "4.3.2", ACCOUNT, Action.SLOW),
    (Phase.GREETING, 554, "5.7.1", ACCOUNT, Action.REST),
    (Phase.EHLO, 550, "", ACCOUNT, Action.REST),
    (Phase.EHLO, 450, "", ACCOUNT, Action.REST),
    (Phase.TLS, 454, "4.7.0", ACCOUNT, Action.REST),
    (Phase.RSET, 500, "", ACCOUNT, Action.REST),
    # The login.
    (Phase.LOGIN, 535, "5.7.8", ACCOUNT, Action.ALARM),
    (Phase.LOGIN, 550, "5.7.139", ACCOUNT, Action.ALARM),
    (Phase.LOGIN, 504, "5.5.4", ACCOUNT, Action.REST),
    (Phase.LOGIN, 454, "4.7.0", ACCOUNT, Action.SLOW),
    (Phase.LOGIN, 432, "4.3.2", ACCOUNT, Action.SLOW),
    (Phase.LOGIN, 451, "", ACCOUNT, Action.REST),
    (Phase.LOGIN, 0, "4.7.0", ACCOUNT, Action.REST),
    (Phase.MAIL, 530, "5.7.0", ACCOUNT, Action.ALARM),
    (Phase.MAIL, 503, "5.5.1", ACCOUNT, Action.REST),
    (Phase.DATA, 503, "5.5.1", MESSAGE, Action.FAIL),
    (Phase.DATA, 535, "", ACCOUNT, Action.ALARM),
    # The mail.
    (Phase.MAIL, 421, "", ACCOUNT, Action.SLOW),
    (Phase.END, 421, "4.7.0", ACCOUNT, Action.SLOW),
    (Phase.MAIL, 432, "4.3.2", ACCOUNT, Action.SLOW),
    (Phase.END, 451, "4.7.652", ACCOUNT, Action.SLOW),
    (Phase.MAIL, 451, "4.3.0", MESSAGE, Action.DEFER),
    (Phase.DATA, 452, "", MESSAGE, Action.DEFER),
    (Phase.END, 552, "5.3.4", MESSAGE, Action.FAIL),
    (Phase.END, 554, "", MESSAGE, Action.FAIL),
    (Phase.MAIL, 553, "5.7.1", MESSAGE, Action.FAIL),
    (Phase.CONTENT, 552, "", MESSAGE, Action.FAIL),
    (Phase.CONTENT, 0, "4.3.0", MESSAGE, Action.DEFER),
    # A recipient.
    (Phase.RCPT, 550, "5.1.1", RECIPIENT, Action.FAIL),
    (Phase.RCPT, 450, "4.7.1", RECIPIENT, Action.DEFER),
    (Phase.RCPT, 451, "", RECIPIENT, Action.DEFER),
    (Phase.RCPT, 452, "4.2.2", RECIPIENT, Action.DEFER),
    (Phase.RCPT, 452, "4.5.3", RECIPIENT, Action.SPLIT),
    (Phase.RCPT, 452, "", RECIPIENT, Action.SPLIT),
    (Phase.RCPT, 432, "4.3.2", ACCOUNT, Action.SLOW),
]


@pytest.mark.parametrize(("phase", "code", "enhanced", "scope", "action"), CASES)
def test_a_reply_is_about_this_and_means_that(phase, code, enhanced, scope, action):
    rule = classify(phase, Reply(code, enhanced, "some text"))
    assert (rule.scope, rule.action) == (scope, action)


def test_every_row_has_a_case():
    used = [classify(phase, Reply(code, enhanced)) for phase, code, enhanced, *_ in CASES]
    assert [rule for rule in RULES if not any(rule is each for each in used)] == []


def test_every_refusal_has_a_row():
    for phase, code in itertools.product(Phase, [0, *range(400, 600)]):
        for enhanced in ("", f"{code // 100}.0.0", f"{code // 100}.7.1"):
            classify(phase, Reply(code, enhanced))


def test_nothing_about_an_account_is_ever_told_to_a_sender():
    for rule in RULES:
        ours = {Action.REST, Action.SLOW, Action.ALARM}
        assert (rule.scope is Scope.ACCOUNT) == (rule.action in ours)
