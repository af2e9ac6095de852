"""Our address on a blocklist: one destination's affair, or the account's."""

from __future__ import annotations

import pytest

from multisendcon_plugin.outcome.attempt import Scope
from multisendcon_plugin.outcome.failure import Action
from tests.relay.direct.world import Mailing, said
from tests.relays import Server

LISTED = "550 5.7.1 Service unavailable; client host [192.0.2.10] blocked using zen.spamhaus.org"


def mailing_to(answers):
    """Return a world with a domain for each answer to RCPT."""
    mailing = Mailing(local_address=("192.0.2.10",))
    for n, answer in enumerate(answers):
        mailing.domain(f"d{n}.example", f"mx.d{n}.example")
        mailing.host(
            f"mx.d{n}.example", f"198.51.100.{n}", server=lambda answer=answer: Server(RCPT=answer)
        )
    return mailing


def test_single_destinations_that_refuse_our_address_are_obeyed():
    mailing = mailing_to(["250 ok"] * 5 + [LISTED] * 2)
    attempts = [mailing.send(f"d{n}.example") for n in range(7)]
    assert [said(each)[0] for each in attempts] == ["delivered"] * 5 + ["failed"] * 2


def test_one_destination_that_refuses_many_mails_is_one():
    mailing = mailing_to([LISTED])
    for _ in range(20):
        attempt = mailing.send("d0.example")
        assert (said(attempt)[0], attempt.fault) == ("failed", None)


def test_where_most_refuse_it_the_account_rests_and_mail_waits():
    mailing = mailing_to(["250 ok"] * 2 + [LISTED] * 6)
    attempts = [mailing.send(f"d{n}.example") for n in range(8)]
    assert [said(each)[0] for each in attempts] == (
        ["delivered"] * 2 + ["failed"] * 2 + ["deferred"] * 4
    )
    fault = attempts[-1].fault
    assert (fault.scope, fault.action) == (Scope.ACCOUNT, Action.ALARM)
    assert attempts[-1].moves
    assert str(fault).endswith(
        "(192.0.2.10 is on the blocklist zen.spamhaus.org: 6 of the last 8 mail servers refuse it)"
    )


@pytest.mark.parametrize("greeting", [LISTED.replace("550", "554")])
def test_it_may_be_said_before_the_mail(greeting):
    mailing = mailing_to(["250 ok"] * 3)
    for n in range(3):
        mailing.network.at[f"198.51.100.{n}"] = lambda: Server(GREETING=greeting)
    attempts = [mailing.send(f"d{n}.example") for n in range(3)]
    assert [said(each)[0] for each in attempts] == ["deferred"] * 3
    scopes = [each.fault.scope for each in attempts]
    assert scopes == [Scope.DESTINATION, Scope.DESTINATION, Scope.ACCOUNT]


def test_it_is_over_when_others_take_mail():
    mailing = mailing_to([LISTED] * 4 + ["250 ok"] * 4)
    for n in range(8):
        mailing.send(f"d{n}.example")
    mailing.network.at["198.51.100.0"] = Server
    mailing.network.advance(15)
    assert said(mailing.send("d0.example"))[0] == "delivered"
    assert mailing.send("d1.example").fault is None
