"""Which facts are a trouble for an admin."""

from __future__ import annotations

import pytest

from multisendcon_plugin.mail.selection import StoreFigures, Total
from multisendcon_plugin.monitoring import troubles
from multisendcon_plugin.monitoring.troubles import RESTS_FOR, USED_UP_FOR, Expiry
from multisendcon_plugin.operations.values import AlarmKind
from multisendcon_plugin.outcome.condition import Condition, State
from multisendcon_plugin.settings.quota import Counted, Quota

NOW, DAY, MIB = 1_700_000_000.0, 86400.0, 1024 * 1024


QUOTA = Quota(1000, Counted.RECIPIENTS, DAY)
WAITING = {"A": Total(1, 0, NOW)}
SEE_TEST = "multisendcon account test A says what to do"


def of_accounts(*conditions, waiting=WAITING, **cures):
    return list(
        troubles.of_accounts(
            conditions, NOW, waiting=waiting, cure=lambda name: cures.get(name, "")
        )
    )


@pytest.mark.parametrize(
    ("state", "rested", "kind", "text"),
    [
        (State.OK, 0, None, ""),
        (
            State.LOGIN,
            0,
            AlarmKind.LOGIN,
            f"account A cannot log in, or may not send: 535 no; {SEE_TEST}",
        ),
        (
            State.QUOTA,
            0,
            AlarmKind.QUOTA,
            (
                'account A has used up its quota: 535 no; set "quota" to what the provider allows,'
                " or ask for more"
            ),
        ),
        (State.RESTING, RESTS_FOR - 1, None, ""),
        (
            State.RESTING,
            RESTS_FOR,
            AlarmKind.RESTING,
            "account A has not been usable for 15 minutes: 535 no",
        ),
        (
            State.SLOW,
            7300,
            AlarmKind.RESTING,
            "account A has not been usable for 2 hours: 535 no",
        ),
        # Somebody wants it.
        (State.PAUSED, 1e6, None, ""),
        (State.OFF, 1e6, None, ""),
    ],
)
def test_an_account_that_needs_somebody(state, rested, kind, text):
    condition = Condition(account="A", state=state, fault="535 no", since=NOW - rested)
    found = [(each.kind, each.account, each.text, each.since) for each in of_accounts(condition)]
    assert found == ([(kind, "A", text, NOW - rested)] if kind else [])


def test_an_account_of_which_nobody_knows_since_when_it_rests():
    assert of_accounts(Condition(account="A", state=State.RESTING)) == []


def test_what_can_be_done_about_a_login_is_said_where_it_is_known():
    condition = Condition(account="A", state=State.LOGIN, fault="550 5.7.30 no")
    [found] = of_accounts(condition, A="see docs/microsoft365.rst")
    assert found.text.endswith(" send: 550 5.7.30 no. see docs/microsoft365.rst")
    [found] = of_accounts(condition, B="see docs/microsoft365.rst")
    assert found.text.endswith(SEE_TEST)


def test_until_when_the_provider_lets_nothing_through():
    condition = Condition(account="A", state=State.QUOTA, fault="550 no", until=NOW + 60)
    [found] = of_accounts(condition)
    assert "quota: 550 no; it sends again at 2023-11-14 22:14 UTC; set" in found.text


@pytest.mark.parametrize(
    ("closed", "waiting", "told"),
    [
        (USED_UP_FOR, WAITING, False),
        (USED_UP_FOR + 1, WAITING, True),
        (USED_UP_FOR + 1, {}, False),
        # Somebody holds it, or a fallback has taken it.
        (USED_UP_FOR + 1, {"A": Total(0, 5, None)}, False),
        # One by the minute is used up again and again.
        (20, WAITING, False),
        (None, WAITING, False),
    ],
)
def test_a_quota_of_ours_is_told_when_mail_waits_long_for_it(closed, waiting, told):
    condition = Condition(
        account="A",
        state=State.QUOTA,
        fault=f"its quota of {QUOTA} is used up",
        used_up=QUOTA,
        since=None if closed is None else NOW - closed,
        until=NOW + 3600,
    )
    found = of_accounts(condition, waiting=waiting)
    assert [(each.kind, each.text) for each in found] == (
        [
            (
                AlarmKind.QUOTA,
                (
                    "mail for account A has been waiting for 15 minutes, since its quota of 1000"
                    " recipients/1d is used up; it sends again at 2023-11-14 23:13 UTC;"
                    ' "quota" sets how much it may send, and over_quota = "fallback" lets another'
                    " account send the rest"
                ),
            )
        ]
        if told
        else []
    )


def test_mail_that_waits_for_long():
    totals = {
        "A": Total(1, 0, NOW - 3601),
        "B": Total(5, 0, NOW - 3600),
        "none": Total(0, 0, None),
        "held": Total(0, 3, None),
    }
    [found] = troubles.of_mail(totals, NOW, 3600.0)
    assert (found.kind, found.account) == (AlarmKind.OLDEST_MAIL, "A")
    assert found.text == (
        "a mail for account A has been waiting for 60 minutes; see multisendcon queue list"
        ' --account "A"'
    )
    assert list(troubles.of_mail(totals, NOW, 0.0)) == []


@pytest.mark.parametrize(
    ("free", "text", "urgent"),
    [
        (1500, "", False),
        (1499, "the disk of the spool is nearly full: 1,499 MiB are free", False),
        (1000, "there is no room for new mail, which is put off (452): 1,000 MiB are free", True),
        (0, "there is no room for new mail", True),
    ],
)
def test_a_disk_that_is_full_or_nearly_so(free, text, urgent):
    figures = StoreFigures(0, free * MIB, 1000 * MIB, (), 0)
    found = list(troubles.of_disk(figures))
    assert len(found) == bool(text)
    for each in found:
        assert each.text.startswith(text)
        assert "min_free" in each.text
        assert (each.kind, each.urgent) == (AlarmKind.SPOOL_FULL, urgent)


@pytest.mark.parametrize(
    ("days", "text", "urgent"),
    [
        (14.1, None, False),
        (13.9, "expires in 13 days; renew /x.pem", False),
        (3.1, "expires in 3 days; renew /x.pem", False),
        (2.9, "expires in 2 days; renew /x.pem", True),
        (1.5, "expires in 1 day; renew /x.pem", True),
        (-1, "has expired; renew /x.pem", True),
    ],
)
def test_a_certificate_that_runs_out(days, text, urgent):
    expiries = [Expiry("/x.pem", account, NOW + days * DAY) for account in (None, "A")]
    found = [
        (each.account, each.text, each.urgent) for each in troubles.of_certificates(expiries, NOW)
    ]
    assert found == (
        [
            (None, f"the certificate that clients see {text}", urgent),
            ("A", f"the certificate that the server of A sees {text}", urgent),
        ]
        if text
        else []
    )


@pytest.mark.parametrize(
    ("days", "text", "urgent"),
    [
        (30.1, None, False),
        (29.9, "expires in 29 days", False),
        (7.1, "expires in 7 days", False),
        (6.9, "expires in 6 days", True),
        (-0.1, "has expired", True),
    ],
)
def test_a_certificate_that_others_have_to_know_is_told_earlier(days, text, urgent):
    expiry = Expiry("/x.pem", "A", NOW + days * DAY, for_tokens=True)
    found = [
        (each.kind, each.account, each.text, each.urgent)
        for each in troubles.of_certificates([expiry], NOW)
    ]
    what = "the certificate with which account A asks for its tokens"
    renew = "renew /x.pem, and register the new one with the provider"
    told = (AlarmKind.EXPIRES, "A", f"{what} {text}; {renew}", urgent)
    assert found == ([told] if text else [])


def test_a_certificate_that_cannot_be_read_any_more():
    [found] = troubles.of_certificates([Expiry("/x.pem", None, None, "/x.pem: no key")], NOW)
    assert found.text == "the certificate that clients see cannot be read: /x.pem: no key"
    assert found.urgent


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (3.4, "3 seconds"),
        (119, "119 seconds"),
        (120, "2 minutes"),
        (7199, "119 minutes"),
        (7200, "2 hours"),
        (2 * DAY, "2 days"),
    ],
)
def test_how_long_in_words(seconds, words):
    assert troubles.in_words(seconds) == words
