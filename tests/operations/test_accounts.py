"""How relay and accounts are, and what is done with accounts."""

from __future__ import annotations

import pytest
from twisted.internet.defer import fail

from multisendcon_plugin import events
from multisendcon_plugin.errors import AccountNotFoundError, AccountUnfitError
from multisendcon_plugin.logins import LoginStanding
from multisendcon_plugin.operations.errors import NotFoundError, RefusedError
from multisendcon_plugin.operations.json_form import to_json
from multisendcon_plugin.operations.values import (
    AccountCounts,
    DeliveryState,
    Filter,
    Login,
    Quota,
    SpoolStatus,
)
from multisendcon_plugin.outcome.condition import QuotaUse, State
from multisendcon_plugin.routing.account import AccountType
from multisendcon_plugin.settings.oauth2 import Grant, OAuth2, Provider
from multisendcon_plugin.settings.quota import quotas
from tests.operations.desk import Desk
from tests.queue_world import account
from tests.queues import NOW

#: What scripts rely on.
ACCOUNT_FIELDS = {
    *("name", "type", "enabled", "state", "fault", "since", "until", "waiting", "oldest", "active"),
    *("connections", "delivered", "deferred", "failed", "last_success", "last_failure", "quota"),
    "login",
}


def test_each_account_in_order_of_priority():
    desk = Desk(counts=lambda name: AccountCounts(delivered=len(name)))
    (held,) = desk.mail()
    desk.put(held, held=True)
    desk.mail()
    sales, lab, old = desk.ask(desk.operations.accounts())
    assert [each.name for each in (sales, lab, old)] == ["Sales", "Lab", "Old"]
    assert (sales.waiting, sales.held, sales.oldest) == (1, 1, NOW + 2)
    assert (lab.waiting, lab.held, lab.oldest) == (0, 0, None)
    assert [each.state for each in (sales, lab, old)] == [State.OK, State.OK, State.OFF]
    assert sales.counts.delivered == 5
    assert to_json(sales).keys() >= ACCOUNT_FIELDS


def test_the_type_of_an_account_and_how_many_of_its_destinations_rest():
    desk = Desk((account("A", type=AccountType.DIRECT), account("B")))
    desk.queue.more["A"] = {"resting_destinations": 2}
    told = [to_json(each) for each in desk.ask(desk.operations.accounts())]
    assert [(each["type"], each["resting_destinations"]) for each in told] == [
        ("direct", 2),
        ("smtp", 0),
    ]


def test_one_account():
    desk = Desk()
    assert desk.ask(desk.operations.account("Lab")).name == "Lab"
    with pytest.raises(NotFoundError, match='no account "lab"; there are: Sales, Lab, Old'):
        desk.ask(desk.operations.account("lab"))


def test_an_account_is_paused_resumed_and_probed():
    desk = Desk()
    assert desk.ask(desk.operations.pause("Lab")).state is State.PAUSED
    assert desk.ask(desk.operations.resume("Lab")).state is State.OK
    assert desk.ask(desk.operations.probe("Lab")).name == "Lab"
    assert desk.queue.told == [("probe", "Lab")]
    for operation in (desk.operations.pause, desk.operations.resume, desk.operations.probe):
        with pytest.raises(NotFoundError):
            desk.ask(operation("Nobody"))


@pytest.mark.parametrize(
    ("error", "told"),
    [(AccountNotFoundError("gone"), NotFoundError), (AccountUnfitError("paused"), RefusedError)],
)
def test_what_the_queue_cannot_do_is_refused(error, told):
    desk = Desk()
    desk.queue.probe = lambda _: fail(error)
    with pytest.raises(told, match=str(error)):
        desk.ask(desk.operations.probe("Lab"))


def test_the_status_of_the_relay():
    desk = Desk()
    desk.mail(("Gone", "one@far.example"))
    (held,) = desk.mail()
    desk.put(held, held=True)
    status = desk.ask(desk.operations.status())
    assert (status.version, status.started) == ("1.2.3", NOW)
    assert (status.waiting, status.held, status.oldest) == (1, 1, NOW + 1)
    assert [each.name for each in status.accounts] == ["Sales", "Lab", "Old"]
    assert (status.accepting, status.front) == (True, "none")
    assert status.spool == SpoolStatus(full=False, broken=False, error="")


FULL = events.SpoolFull("the disk is full")
BROKEN = events.SpoolBroken("spool.db", "disk I/O error", writes=False, advice="")
ROOM, ENDED = events.SpoolHasRoom(), events.FrontProcessEnded("ended", 1.0)
STANDINGS = [
    ([FULL], False, SpoolStatus(full=True, broken=False, error="the disk is full"), "none"),
    ([FULL, ROOM], True, SpoolStatus(full=False, broken=False, error=""), "none"),
    ([BROKEN, ROOM], False, SpoolStatus(full=False, broken=True, error="disk I/O error"), "none"),
    ([ENDED], False, SpoolStatus(full=False, broken=False, error=""), "restarting"),
    (
        [ENDED, events.FrontProcessStarted()],
        True,
        SpoolStatus(full=False, broken=False, error=""),
        "running",
    ),
]


@pytest.mark.parametrize(("told", "accepting", "spool", "front"), STANDINGS)
def test_what_keeps_the_relay_from_taking_mail(told, accepting, spool, front):
    desk = Desk()
    for event in told:
        desk.events.publish(event)
    status = desk.ask(desk.operations.status())
    assert (status.accepting, status.spool, status.front) == (accepting, spool, front)


MINUTE, DAY = quotas(["30 mails/1m", "1000 recipients/1d"])


def test_how_much_of_each_quota_is_used_and_which_of_them_is_waited_for():
    desk = Desk()
    desk.mail()
    desk.queue.states["Sales"] = State.QUOTA
    desk.queue.more["Sales"] = {
        "fault": "its quota of 1000 recipients/1d is used up",
        "until": NOW + 900,
        "quotas": (QuotaUse(MINUTE, 30, 0, NOW + 20), QuotaUse(DAY, 1000, 0, NOW + 900)),
    }
    sales, lab, _ = desk.ask(desk.operations.accounts())
    assert (sales.state, sales.until) == (State.QUOTA, NOW + 900)
    assert sales.fault == "its quota of 1000 recipients/1d is used up"
    assert sales.quota == (
        Quota(quota="30 mails/1m", used=30, left=0, opens=NOW + 20),
        Quota(quota="1000 recipients/1d", used=1000, left=0, opens=NOW + 900),
    )
    assert to_json(sales)["quota"][1] == {
        "quota": "1000 recipients/1d",
        "used": 1000,
        "left": 0,
        "opens": NOW + 900,
        "opens_at": "2023-11-14T22:28:20.000Z",
    }
    assert lab.quota == ()
    assert [row.state for row in desk.rows(Filter(state=DeliveryState.QUOTA))] == [
        DeliveryState.QUOTA
    ]


def test_how_a_login_stands_is_told_in_full():
    standing = LoginStanding(
        kind="token", valid_until=NOW + 60, refreshed=NOW, unused_since=NOW, expires=NOW + 9
    )
    oauth2 = OAuth2(provider=Provider.MICROSOFT, grant=Grant.DEVICE, mailbox="box@sales.example")
    accounts = (account("Sales", username="joe", oauth2=oauth2), account("Lab", username="ann"))
    standings = {"Sales": standing, "Lab": LoginStanding(kind="password", trouble="no file")}
    desk = Desk(accounts, logins=lambda account: standings[account.name])
    sales, lab = desk.ask(desk.operations.accounts())
    assert sales.login == Login(
        kind="token",
        mailbox="box@sales.example",
        valid_until=NOW + 60,
        refreshed=NOW,
        unused_since=NOW,
        expires=NOW + 9,
    )
    assert lab.login == Login(kind="password", mailbox="ann", trouble="no file")
    assert to_json(lab)["login"]["valid_until"] is None
    assert to_json(sales)["login"]["expires_at"] == "2023-11-14T22:13:29.000Z"


def test_an_account_without_a_login_has_none():
    desk = Desk(logins=lambda _: LoginStanding(kind="password"))
    assert to_json(desk.ask(desk.operations.account("Lab")))["login"] is None
