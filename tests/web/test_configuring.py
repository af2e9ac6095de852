"""The configuration over HTTP, and sign-ins for accounts."""

from __future__ import annotations

import pytest

from multisendcon_plugin.editing.secrets import MASK
from tests.operations.desk import Desk
from tests.operations.paper import TEXT, Paper, with_paper
from tests.operations.test_sign_ins import TOKEN, browser, page
from tests.web.browser import Browser


class Admin(Browser):
    """Somebody who sees the file of a relay.

    :ivar hash: of the file as it was at first.
    """

    def __init__(self):
        self.paper = Paper()
        super().__init__(Desk(**with_paper(self.paper)))
        self.hash = self.paper.hash

    def send(self, method, path, **body):
        return self.ask(method, f"/configuration{path}", {"hash": self.hash, **body})


def test_text_and_accounts_are_told_without_secrets():
    admin = Admin()
    told = admin.get("/configuration").json
    assert (told["text"], told["hash"]) == (TEXT.replace("s3cret", MASK), admin.hash)
    rows = admin.get("/configuration/accounts").lines
    assert [(each["name"], each["hash"]) for each in rows] == [
        (name, admin.hash) for name in ("Sales", "Lab", "All")
    ]
    assert rows[0]["values"]["password"] == MASK


CHANGES = [
    ("PUT", "", {"text": TEXT.replace("Lab", "Den")}, ["Sales", "Den", "All"]),
    ("PUT", "/accounts/Lab", {"values": {"name": "a/b ü"}}, ["Sales", "a/b ü", "All"]),
    ("PUT", "/accounts/a%2Fb", {"values": {"server": "a.example"}}, ["Sales", "Lab", "All", "a/b"]),
    (
        "PUT",
        "/accounts/New",
        {"values": {"server": "a.example"}, "before": "Lab"},
        ["Sales", "New", "Lab", "All"],
    ),
    ("DELETE", "/accounts/Lab", {}, ["Sales", "All"]),
    ("POST", "/order", {"names": ["All", "Lab", "Sales"]}, ["All", "Lab", "Sales"]),
    ("PUT", "/tables/client", {"values": None, "index": 0}, ["Sales", "Lab", "All"]),
]


@pytest.mark.parametrize(("method", "path", "body", "names"), CHANGES)
def test_each_change_is_made_after_it_was_only_told(method, path, body, names):
    admin = Admin()
    told = admin.send(method, path, **body, dry_run=True)
    assert (told.status, told.json["dry_run"], admin.paper.text) == (200, True, TEXT)
    done = admin.send(method, path, **body)
    assert (done.status, done.json["dry_run"]) == (200, False)
    assert done.json["hash"] == admin.paper.hash != admin.hash
    assert done.json["difference"] == told.json["difference"] != ""
    assert [each["name"] for each in admin.get("/configuration/accounts").lines] == names
    again = admin.send(method, path, **body)
    assert (again.status, "read it again" in again.json["error"]) == (409, True)


def test_what_is_answered():
    admin = Admin()
    done = admin.send("PUT", "/accounts/Lab", values={"senders": ["*@far.example"]}).json
    assert {name: done[name] for name in ("added", "removed", "changed", "tables", "warnings")} == {
        "added": [],
        "removed": [],
        "changed": ["Lab"],
        "tables": [],
        "warnings": ["mind this"],
    }
    assert done["effects"] == {
        "looked_at": 0,
        "since": None,
        "since_at": None,
        "changed": [],
        "more": 0,
        "problem": "which mails change is not known: keep is 0 in [history]",
    }


def test_faults_are_told_with_their_lines():
    refused = Admin().send("PUT", "", text=TEXT + "port = 0\n")
    assert refused.status == 409
    assert refused.json["faults"][0].startswith("/etc/multisendcon.toml, line 24, ")


WRONG = [
    ("PUT", "", {}, 422, "text: is missing"),
    ("PUT", "", {"text": "", "hash": None}, 422, "hash: text is needed here"),
    ("PUT", "/accounts/Lab", {"values": {"a": [None]}}, 422, "values of the configuration file"),
    ("PUT", "/accounts/Lab", {"values": None}, 422, "values of the configuration file"),
    ("PUT", "/tables/client", {"values": {}, "index": -1}, 422, "a number from 0 on"),
    ("PUT", "/tables/client", {"values": {}, "index": True}, 422, "a number from 0 on"),
    ("PUT", "/tables/client", {"values": {"a": 1}, "index": 2}, 404, "1 of [[client]]"),
    ("PUT", "/tables/client", {"values": None, "index": 1}, 404, "1 of [[client]]"),
    ("PUT", "/tables/destination", {"values": None, "index": 0}, 404, "0 of [[destination]]"),
    ("PUT", "/tables/client", {"values": {"a": 1}}, 422, "1 of [[client]]; say which"),
    ("PUT", "/tables/master_relay", {"values": {"a": 1}, "index": 0}, 422, "leave it out"),
    ("PUT", "/tables/client", {"values": {"a": 1}, "index": 1}, 409, "has faults"),
    ("PUT", "/tables/delivery", {"values": {"a": 1}}, 409, "has faults"),
    ("PUT", "/tables/account", {"values": {}}, 422, "configuration/accounts/NAME"),
    ("DELETE", "/accounts/Nobody", {}, 404, 'no account "Nobody"'),
    ("POST", "/order", {"names": ["All"]}, 422, "each once"),
    ("GET", "/accounts/Lab", {}, 405, "PUT, DELETE"),
    ("GET", "/tables", {}, 404, "there is no /configuration/tables here"),
    ("GET", "/tables/a/b", {}, 404, "there is no /configuration/tables/a/b here"),
]


@pytest.mark.parametrize(("method", "path", "body", "status", "text"), WRONG)
def test_what_cannot_be_is_refused(method, path, body, status, text):
    admin = Admin()
    answer = admin.send(method, path, **body)
    assert (answer.status, text in answer.json["error"]) == (status, True), answer.json
    assert admin.paper.text == TEXT


def test_a_sign_in_is_begun_looked_at_and_ended(tmp_path):
    account = browser(tmp_path, TOKEN)
    admin = Browser(account.desk)
    assert admin.get("/accounts/A/login").json["state"] == "none"
    begun = admin.post("/accounts/A/login")
    assert (begun.status, begun.json["state"]) == (200, "waiting")
    redirected = page(account.look())
    done = admin.post("/accounts/A/login", {"redirected": redirected})
    assert done.json["state"] == "done"
    assert admin.get("/accounts/A/login").json == done.json
    assert admin.post("/accounts/Plain/login").status == 409
