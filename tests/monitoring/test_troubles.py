"""Which facts are a trouble for an admin."""

from __future__ import annotations

import pytest

from multisendcon_plugin.interfaces import StoreFigures
from multisendcon_plugin.mail.selection import Total
from multisendcon_plugin.monitoring import troubles
from multisendcon_plugin.monitoring.troubles import RESTS_FOR, Expiry
from multisendcon_plugin.operations.values import AlarmKind
from multisendcon_plugin.outcome.condition import Condition, State

NOW, DAY, MIB = 1_700_000_000.0, 86400.0, 1024 * 1024


@pytest.mark.parametrize(
    ("state", "rested", "kind", "text"),
    [
        (State.OK, 0, None, ""),
        (State.LOGIN, 0, AlarmKind.LOGIN, "account A cannot log in, or may not send: 535 no"),
        (State.QUOTA, 0, AlarmKind.QUOTA, "account A has used up its quota: 535 no"),
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
    found = [
        (each.kind, each.account, each.text, each.since)
        for each in troubles.of_accounts([condition], NOW)
    ]
    assert found == ([(kind, "A", text, NOW - rested)] if kind else [])


def test_an_account_of_which_nobody_knows_since_when_it_rests():
    condition = Condition(account="A", state=State.RESTING)
    assert list(troubles.of_accounts([condition], NOW)) == []


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
