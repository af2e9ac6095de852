"""The table of failures, row by row."""

from __future__ import annotations

import itertools

import pytest

from multisendcon_plugin.mail.phase import Phase
from multisendcon_plugin.mail.reply import Reply
from multisendcon_plugin.outcome.failure import RULES, Action, Meaning, classify, own_rule
from tests.outcome.provider_replies import TOO_MANY_FOR_ONE_MAIL, rows

FOLLOWS = {action.value: action for action in Action} | {"perhaps": Action.DEFER_THEN_SLOW}

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
    (Phase.LOGIN, 0, "5.7.8", Action.ALARM),
    (Phase.MAIL, 530, "5.7.0", Action.ALARM),
    (Phase.MAIL, 503, "5.5.1", Action.REST),
    (Phase.DATA, 503, "5.5.1", Action.REST),
    (Phase.DATA, 535, "", Action.ALARM),
    # The mail.
    (Phase.MAIL, 421, "", Action.SLOW),
    (Phase.END, 421, "4.7.0", Action.SLOW),
    (Phase.MAIL, 432, "4.3.2", Action.SLOW),
    (Phase.END, 451, "4.7.652", Action.SLOW),
    (Phase.MAIL, 451, "4.7.1", Action.SLOW),
    (Phase.END, 451, "4.7.1", Action.DEFER_THEN_SLOW),
    (Phase.MAIL, 451, "4.3.0", Action.DEFER_THEN_SLOW),
    (Phase.DATA, 452, "", Action.DEFER_THEN_SLOW),
    (Phase.MAIL, 450, "4.1.8", Action.DEFER),
    (Phase.END, 451, "4.6.0", Action.DEFER),
    (Phase.END, 552, "5.3.4", Action.FAIL),
    (Phase.END, 554, "", Action.FAIL),
    (Phase.MAIL, 553, "5.7.1", Action.FAIL),
    (Phase.CONTENT, 552, "", Action.FAIL),
    (Phase.CONTENT, 0, "4.3.0", Action.DEFER),
    # A recipient.
    (Phase.RCPT, 550, "5.1.1", Action.FAIL),
    (Phase.RCPT, 450, "4.7.1", Action.DEFER),
    (Phase.RCPT, 451, "", Action.DEFER),
    (Phase.RCPT, 451, "4.3.0", Action.DEFER_THEN_SLOW),
    (Phase.RCPT, 452, "4.2.2", Action.DEFER),
    (Phase.RCPT, 452, "4.5.3", Action.SPLIT),
    (Phase.RCPT, 452, "", Action.SPLIT),
    (Phase.RCPT, 552, "", Action.SPLIT),
    (Phase.RCPT, 432, "4.3.2", Action.SLOW),
]


@pytest.mark.parametrize(("phase", "code", "enhanced", "action"), CASES)
def test_what_follows_from_a_reply_by_its_codes(phase, code, enhanced, action):
    assert classify(phase, Reply(code, enhanced, "some text")) is action


@pytest.mark.parametrize("login", [True, False], ids=["login", "no login"])
@pytest.mark.parametrize("row", rows(), ids=str)
def test_what_follows_from_what_providers_say(row, login):
    assert classify(row.phase, row.reply, login=login) is FOLLOWS[row.follows]


def test_a_server_that_says_nothing_is_slow():
    silence = Reply(0, "4.4.2", "the server did not answer for 300 s")
    assert classify(Phase.GREETING, silence) is Action.SLOW


def test_too_many_recipients_may_be_said_of_the_whole_mail():
    code, text = int(TOO_MANY_FOR_ONE_MAIL[:3]), TOO_MANY_FOR_ONE_MAIL[4:]
    for words in (text, text.upper(), text.lower()):
        assert classify(Phase.END, Reply(code, "", words)) is Action.SPLIT


@pytest.mark.parametrize(("login", "action"), [(True, Action.ALARM), (False, Action.FAIL)])
def test_an_account_that_is_suspended_is_ours_if_we_have_logged_in(login, action):
    assert classify(Phase.MAIL, Reply(550, "", "Account is suspended"), login=login) is action


# Words that say nothing about the account where they are parts of others.
@pytest.mark.parametrize(
    "text",
    [
        "beyond the corporate limits",
        "a separate of each, please",
        "under moderate control",
        "rated as bulk; resend limits are ours",
        "a non_smtp quota",
        "unblocked using caution",
        "interrelay denied",
    ],
)
@pytest.mark.parametrize("phase", [Phase.MAIL, Phase.RCPT, Phase.END])
def test_words_count_as_a_whole(phase, text):
    assert classify(phase, Reply(550, "5.7.1", text), login=True) is Action.FAIL


# A stranger who may choose an address must not stop an account.
@pytest.mark.parametrize(
    "text",
    [
        "<daily.limit@b.example>: Recipient address rejected: User unknown",
        '<"relay access denied"@b.example>... no such user',
        "no such user: rate-limit@b.example",
        "no such user, your.quota@slow-down.example, here",
        "<r@daily.limit.example> is not known",
        "MAIL FROM:<hourly+limit=exceeded@bounce.example> refused",
    ],
)
@pytest.mark.parametrize("phase", [Phase.MAIL, Phase.RCPT, Phase.END])
def test_words_of_an_address_do_not_count(phase, text):
    for words in (text, text.upper()):
        assert classify(phase, Reply(550, "5.1.1", words), login=True) is Action.FAIL


@pytest.mark.parametrize(
    "text",
    [
        "<r@b.example>: Relay access denied",
        "<r@b.example>... Relaying denied",
        "r@b.example: relay access denied",
        "<localhost>: Helo command rejected",
        "<r@b.example Relay access denied",
    ],
)
def test_words_beside_an_address_count(text):
    assert classify(Phase.RCPT, Reply(554, "5.7.1", text)) is Action.ALARM


def test_every_row_has_a_case():
    unused = list(RULES)
    replies = [(phase, Reply(code, enhanced, "some text")) for phase, code, enhanced, _ in CASES]
    replies += [(row.phase, row.reply) for row in rows()]
    replies.append((Phase.GREETING, Reply(0, "4.4.2", "did not answer")))
    replies.append((Phase.MAIL, Reply(550, "", "Account is suspended")))
    replies.append((Phase.LOGIN, Reply(535, "", "too fast")))
    for phase, reply in replies:
        rule = next(rule for rule in RULES if rule.applies(phase, reply, login=True))
        unused = [each for each in unused if each is not rule]
    assert unused == []


def test_every_refusal_has_a_row():
    for phase, code in itertools.product(Phase, [0, *range(400, 600)]):
        for enhanced in ("", f"{code // 100}.0.0", f"{code // 100}.7.1"):
            assert isinstance(classify(phase, Reply(code, enhanced)), Action)


def test_between_mails_every_reply_is_about_the_account():
    for phase in set(Phase) - {Phase.MAIL, Phase.RCPT, Phase.DATA, Phase.CONTENT, Phase.END}:
        for row in rows():
            assert classify(phase, row.reply).stops_account


# Rows of an account's own.


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ((550, "", "Sending limit reached"), True),
        ((550, "5.1.2", "your SENDING\nLIMITS are low"), True),
        ((451, "", "sending limit"), True),
        ((550, "", "limit of sending"), False),
        ((250, "", "sending limit"), False),
    ],
)
def test_a_row_of_ones_own_is_for_a_text_of_any_case(said, found):
    rule = own_rule(text="sending  limit", means=Meaning.QUOTA)
    assert rule.applies(Phase.END, Reply(*said), login=True) is found


def test_it_may_name_the_enhanced_code_as_the_log_shows_it():
    rule = own_rule(text="5.7.99 go away", means=Meaning.LOGIN)
    assert rule.applies(Phase.RCPT, Reply(550, "5.7.99", "Go away"), login=True)


@pytest.mark.parametrize(
    ("code", "codes"), [("550", {550}), ("45.", set(range(450, 460))), ("[45]..", None)]
)
def test_it_is_for_a_code_whose_digits_may_be_any(code, codes):
    rule = own_rule(code=code, means=Meaning.ACCOUNT)
    found = {n for n in range(200, 600) if rule.applies(Phase.MAIL, Reply(n), login=False)}
    assert found == (codes or set(range(400, 600)))


@pytest.mark.parametrize("meaning", Meaning)
def test_a_mail_is_not_what_a_session_is_about(meaning):
    own = (own_rule(text="x", means=meaning),)
    stops = meaning not in (Meaning.DEFER, Meaning.FAIL)
    for phase, code in [(Phase.GREETING, 554), (Phase.LOGIN, 535), (Phase.MAIL, 421)]:
        action = classify(phase, Reply(code, "", "x"), own=own)
        assert action.stops_account
        assert (action is not classify(phase, Reply(code, "", "x"))) <= stops


def test_the_first_row_counts():
    own = (own_rule(text="x", means=Meaning.SLOW), own_rule(code="550", means=Meaning.FAIL))
    assert classify(Phase.END, Reply(550, "", "x"), own=own) is Action.SLOW
    assert classify(Phase.END, Reply(550, "", "y"), own=own) is Action.FAIL
