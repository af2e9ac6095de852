"""The table of failures, row by row."""

from __future__ import annotations

import itertools

import pytest

from multisendcon_plugin.failure import RULES, Action, classify
from multisendcon_plugin.phase import Phase
from multisendcon_plugin.reply import Reply

CASES = [
    # The connection.
    (Phase.CONNECT, 0, "4.4.1", Action.REST),
    (Phase.TLS, 0, "4.7.0", Action.REST),
    (Phase.END, 0, "4.4.2", Action.REST),
    (Phase.RCPT, 0, "4.4.2", Action.REST),
    # The session.
    (Phase.GREETING, 421, "4.3.2", Action.SLOW),
    (Phase.GREETING, 554, "5.7.1", Action.REST),
    (Phase.EHLO, 550, "", Action.REST),
    (Phase.EHLO, 450, "", Action.REST),
    (Phase.TLS, 454, "4.7.0", Action.REST),
    (Phase.RSET, 500, "", Action.REST),
    # The login.
    (Phase.LOGIN, 535, "5.7.8", Action.ALARM),
    (Phase.LOGIN, 550, "5.7.139", Action.ALARM),
    (Phase.LOGIN, 504, "5.5.4", Action.REST),
    (Phase.LOGIN, 454, "4.7.0", Action.SLOW),
    (Phase.LOGIN, 432, "4.3.2", Action.SLOW),
    (Phase.LOGIN, 451, "", Action.REST),
    (Phase.LOGIN, 0, "4.7.0", Action.REST),
    (Phase.MAIL, 530, "5.7.0", Action.ALARM),
    (Phase.MAIL, 503, "5.5.1", Action.REST),
    (Phase.DATA, 503, "5.5.1", Action.FAIL),
    (Phase.DATA, 535, "", Action.ALARM),
    # The mail.
    (Phase.MAIL, 421, "", Action.SLOW),
    (Phase.END, 421, "4.7.0", Action.SLOW),
    (Phase.MAIL, 432, "4.3.2", Action.SLOW),
    (Phase.END, 451, "4.7.652", Action.SLOW),
    (Phase.END, 451, "4.7.1", Action.DEFER_THEN_SLOW),
    (Phase.MAIL, 451, "4.7.1", Action.SLOW),
    (Phase.MAIL, 451, "4.3.0", Action.DEFER),
    (Phase.DATA, 452, "", Action.DEFER),
    (Phase.END, 552, "5.3.4", Action.FAIL),
    (Phase.END, 554, "", Action.FAIL),
    (Phase.MAIL, 553, "5.7.1", Action.FAIL),
    (Phase.CONTENT, 552, "", Action.FAIL),
    (Phase.CONTENT, 0, "4.3.0", Action.DEFER),
    # A recipient.
    (Phase.RCPT, 550, "5.1.1", Action.FAIL),
    (Phase.RCPT, 450, "4.7.1", Action.DEFER),
    (Phase.RCPT, 451, "", Action.DEFER),
    (Phase.RCPT, 452, "4.2.2", Action.DEFER),
    (Phase.RCPT, 452, "4.5.3", Action.SPLIT),
    (Phase.RCPT, 452, "", Action.SPLIT),
    (Phase.RCPT, 432, "4.3.2", Action.SLOW),
]


@pytest.mark.parametrize(("phase", "code", "enhanced", "action"), CASES)
def test_what_follows_from_a_reply(phase, code, enhanced, action):
    assert classify(phase, Reply(code, enhanced, "some text")) is action


def test_every_row_has_a_case():
    unused = list(RULES)
    for phase, code, enhanced, _ in CASES:
        reply = Reply(code, enhanced, "some text")
        rule = next(rule for rule in RULES if rule.applies(phase, reply, login=False))
        unused = [each for each in unused if each is not rule]
    assert unused == []


def test_every_refusal_has_a_row():
    for phase, code in itertools.product(Phase, [0, *range(400, 600)]):
        for enhanced in ("", f"{code // 100}.0.0", f"{code // 100}.7.1"):
            classify(phase, Reply(code, enhanced))
