"""What the API says of a mail before it is sent, and of an account that is tested."""

from __future__ import annotations

import attrs
import pytest
from twisted.logger import capturedLogs

from multisendcon_plugin.logins import Logins
from multisendcon_plugin.operations.account_tests import AccountTests
from multisendcon_plugin.operations.explanation import explain
from multisendcon_plugin.relay import Relays
from multisendcon_plugin.settings.values import MasterRelay
from tests.operations.desk import HEADER, Desk
from tests.queue_world import account
from tests.relays import Network, Server
from tests.web.browser import Browser

SETTINGS = MasterRelay(hostname="relay.example")
SERVER = "192.0.2.1"
FIXED = "office@sales.example"
ACCOUNTS = (
    attrs.evolve(account("Sales", senders="*@sales.example", fixed_sender=FIXED), server=SERVER),
    account("Rest", recipients="*@far.example"),
)


@pytest.fixture
def browser():
    network = Network(Server("SIZE"))
    tests = AccountTests(Relays(network, 5, Logins(network).of), lambda: 1, network.seconds)
    desk = Desk(
        ACCOUNTS,
        explain=lambda question: explain(SETTINGS, desk.registry, question, 0.0),
        tests=tests,
    )
    browser = Browser(desk)
    browser.network = network
    return browser


def test_a_mail_is_explained(browser):
    asked = {
        "sender": "boss@sales.example",
        "recipients": ["one@far.example", "two@near.example"],
        "message": "From: boss@sales.example\nSubject: gr\u00fc\u00dfe\n\nhi\n",
    }
    answer = browser.post("/explain", asked)
    assert answer.status == 200
    assert list(answer.json) == ["sender", "recipients", "accounts"]
    one, _ = answer.json["recipients"]
    assert one["address"] == "one@far.example"
    assert one["account"] == "Sales"
    assert one["accounts"][1] == {
        "name": "Rest",
        "taken": False,
        "reason": "every sender, recipient matches *@far.example; but Sales comes first",
    }
    (sales,) = answer.json["accounts"]
    assert sales["name"] == "Sales"
    assert sales["fallbacks"] == []
    assert sales["envelope"] == {
        "sender": FIXED,
        "recipients": ["one@far.example", "two@near.example"],
    }
    assert list(sales["session"]) == [
        *("server", "port", "tls", "tls_required", "local_address", "helo", "username"),
        *("login", "mailbox", "auth"),
    ]
    assert (
        sales["header"]["before"]
        == asked["message"].partition("\n\n")[0].replace("\n", "\r\n") + "\r\n"
    )
    assert f"From: {FIXED}\r\n" in sales["header"]["after"]


@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        ({"sender": "boss"}, 422, "recipients: is missing"),
        ({"sender": "a@b", "recipients": []}, 422, "ask for 1 to"),
        ({"sender": "boss", "recipients": ["a@b"]}, 422, "sender 'boss' is no address"),
        ({"sender": "", "recipients": [1]}, 422, "a list of texts is needed here"),
    ],
)
def test_what_is_no_mail_is_422(browser, body, status, text):
    answer = browser.post("/explain", body)
    assert answer.status == status
    assert text in answer.json["error"]


def test_a_message_in_the_queue_is_explained(browser):
    (delivery,) = browser.desk.mail(sender="boss@sales.example")
    answer = browser.get(f"/queue/{delivery.message.id}/explain")
    assert answer.json["recipients"][0]["account"] == "Sales"
    (sales,) = answer.json["accounts"]
    assert sales["header"]["before"].encode() == HEADER
    assert sales["header"]["after"].startswith(f"From: {FIXED}\r\nReply-To: a@b.example\r\n")
    assert browser.get("/queue/7Z/explain").status == 404


def test_an_account_is_tested(browser):
    connection = browser.connect()
    connection.send("POST", "/api/v1/accounts/Sales/test", b'{"from": "boss@sales.example"}')
    assert connection.taken() == b""
    browser.network.flush()
    answer = connection.answer("POST").json
    assert list(answer) == [
        *("account", "ok", "advice", "steps", "offers", "certificates", "transcript")
    ]
    assert (answer["account"], answer["ok"], answer["advice"]) == ("Sales", True, "")
    assert answer["steps"][1] == {
        "step": "greeting",
        "ok": True,
        "seconds": 0.0,
        "result": "220 mx.provider.example ESMTP",
        "address": SERVER,
        "advice": "",
    }
    assert answer["offers"] == ["SIZE"]


def test_an_error_instead_of_the_first_step_is_no_bug_in_the_log(browser):
    with capturedLogs() as events:
        connection = browser.connect()
        headers = [("Accept", "application/jsonl")]
        connection.send("POST", "/api/v1/accounts/Nobody/test", b"{}", headers)
        assert connection.answer("POST").status == 404
    assert events == []


def test_an_account_that_is_not_there_is_not_tested(browser):
    assert browser.post("/accounts/Nobody/test").status == 404
    answer = browser.post("/accounts/Sales/test", {"to": "nobody"})
    assert (answer.status, answer.json["error"][:27]) == (422, "to: 'nobody' is no address:")
