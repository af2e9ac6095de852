"""The page Settings: all tables but accounts, each with a form for its keys."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from multisendcon_plugin.configuration.tables import TABLES
from multisendcon_plugin.errors import ConfigurationError
from multisendcon_plugin.page.pages import settings
from multisendcon_plugin.settings.admins import Role
from tests.operations.paper import TEXT, Paper
from tests.page.hostile import HOSTILE, is_harmless
from tests.page.visitor import Editor

SECOND = '\n[[client]]\naddresses = ["198.51.100.1"]\nstarttls = false\n'


@pytest.fixture
def editor():
    return Editor()


def of(page, name, index=None):
    """Return the form of a table."""
    return next(
        form
        for form in page.forms
        if form.action == f"/settings/{name}"
        and form.fields.get("index") == ["" if index is None else str(index)]
    )


def saved(editor, name, index=None, button="Save", **fields):
    """Type into a form, send it, and confirm what is asked then."""
    page = editor.send(of(editor.get("/settings"), name, index), button, **fields)
    assert page.status == 200, page.words
    return editor.send(page.form(button), button)


def test_each_table_is_there_with_all_its_keys(editor):
    page = editor.get("/settings")
    for name, table in TABLES.items():
        if name == "account":
            continue
        form = of(page, name, 0 if table.repeated else None)
        for key in table.keys:
            nested = f"{key}.provider" in form.fields
            assert key in form.fields or nested, f"{name}.{key}"
    assert of(page, "master_relay").fields["hostname"] == ["relay.example"]
    assert of(page, "client", 0).fields["addresses"] == ["192.0.2.0/24"]
    # What is not written shows what holds then.
    assert 'placeholder="50 MiB"' in page.html
    assert TABLES["delivery"].keys["retry"].doc in page.words


def test_each_id_is_there_once(editor):
    ids = [found["id"] for _, found in editor.get("/settings").tags if "id" in found]
    assert sorted(ids) == sorted(set(ids))
    labels = {
        found["for"]
        for tag, found in editor.get("/settings").tags
        if tag == "label" and "for" in found
    }
    assert labels <= set(ids)


def test_a_key_is_saved_when_the_difference_was_seen(editor):
    page = editor.send(of(editor.get("/settings"), "delivery"), "Save", max_connections="9")
    assert editor.paper.written == []
    assert "<ins><bdi>+max_connections = 9</bdi></ins>" in page.html
    assert [found for _, found in page.tags if found.get("role") == "dialog"]
    page = editor.send(page.form("Save"), "Save")
    assert "Saved: [delivery]: max_connections" in page.said
    assert "changed tables: delivery" in page.said
    assert editor.paper.held.replace("[delivery]\nmax_connections = 9\n\n", "") == TEXT
    assert of(page, "delivery").fields["max_connections"] == ["9"]


def test_comments_stay(editor):
    saved(editor, "master_relay", hostname="mx.example")
    assert editor.paper.held == TEXT.replace('"relay.example"', '"mx.example"')


def test_faults_are_at_their_keys_and_what_was_typed_stays(editor):
    form = of(editor.get("/settings"), "delivery")
    page = editor.send(form, "Save", max_connections="many", retry="1m\r\nsoon")
    assert page.status == 422
    assert editor.paper.written == []
    form = of(page, "delivery")
    assert (form.fields["max_connections"], form.fields["retry"]) == (["many"], ["1m\r\nsoon"])
    faulty = {
        found["name"] for _, found in page.tags if found.get("aria-invalid") and "name" in found
    }
    assert faulty == {"max_connections", "retry"}
    assert "is not a count" in page.words
    # It can be mended, and only then is it written.
    page = editor.send(form, "Save", max_connections="9", retry="1m")
    editor.send(page.form("Save"), "Save")
    assert 'retry = ["1m"]' in editor.paper.held


def test_faults_of_a_repeated_table_are_at_its_keys(editor):
    page = editor.send(of(editor.get("/settings"), "client", 0), "Save", addresses="somewhere")
    assert page.status == 422
    assert [found["id"] for _, found in page.tags if found.get("aria-invalid")] == [
        "client-0-addresses"
    ]


def test_nothing_typed_is_nothing_saved(editor):
    page = editor.send(of(editor.get("/settings"), "delivery"), "Save")
    assert page.status == 422
    assert "Nothing is changed." in page.said


def test_a_table_is_switched_on_and_off(editor):
    page = saved(editor, "metrics", button="Switch on")
    assert "Switched on: [metrics]" in page.said
    assert editor.paper.held.replace("[metrics]\n\n", "") == TEXT
    page = editor.send(of(page, "metrics"), "Switch off")
    assert "-[metrics]" in page.html
    page = editor.send(page.form("Switch off"), "Switch off")
    assert "Switched off: [metrics]" in page.said
    assert editor.paper.held.rstrip() == TEXT.rstrip()
    assert "Switch off" not in of(page, "metrics").buttons


def test_whoever_switches_the_page_off_is_told():
    editor = Editor(paper=Paper(TEXT + "\n[web]\n"))
    page = editor.send(of(editor.get("/settings"), "web"), "Switch off")
    assert "It serves this page" in page.words


def test_repeated_tables_are_added_changed_and_removed(editor):
    page = saved(editor, "client", 1, "Add", addresses="198.51.100.1", starttls="false")
    assert "Added: [[client]]: addresses, starttls" in page.said
    assert 'addresses = ["198.51.100.1"]\nstarttls = false' in editor.paper.held
    saved(editor, "client", 1, starttls="", tolerant="true")
    assert 'addresses = ["198.51.100.1"]\ntolerant = true' in editor.paper.held
    page = saved(editor, "client", 0, "Remove")
    assert "Removed: [[client]] 1" in page.said
    assert "192.0.2.0/24" not in editor.paper.held
    assert of(page, "client", 0).fields["addresses"] == ["198.51.100.1"]


def test_a_table_that_has_another_place_is_still_the_one_that_is_meant():
    editor = Editor(paper=Paper(TEXT + SECOND))
    page = editor.get("/settings")
    editor.paper.text = editor.paper.held = (
        "[[client]]\naddresses = ['203.0.113.1']\n" + TEXT + SECOND
    )
    page = editor.send(of(page, "client", 1), "Save", starttls="true")
    editor.send(page.form("Save"), "Save")
    assert editor.paper.held.endswith('addresses = ["198.51.100.1"]\nstarttls = true\n')


@pytest.mark.parametrize("button", ["Save", "Remove"])
def test_a_table_that_somebody_else_has_changed_is_not_overwritten(button):
    editor = Editor(paper=Paper(TEXT + SECOND))
    page = editor.get("/settings")
    editor.paper.text = TEXT + SECOND.replace("198.51.100.1", "198.51.100.2")
    page = editor.send(of(page, "client", 1), button, tolerant="true")
    assert page.status == 422
    assert editor.paper.written == []
    assert "nothing is written" in page.said
    # Theirs, and what was typed as a new one.
    assert of(page, "client", 1).fields["addresses"] == ["198.51.100.2"]
    mine = of(page, "client", 2)
    assert mine.fields["addresses"] == ["198.51.100.1"]
    assert (mine.fields["starttls"], mine.fields["tolerant"]) == (["false"], ["true"])


def test_what_others_change_meanwhile_stays(editor):
    page = editor.get("/settings")
    theirs = TEXT + '\n[delivery]\nwarn_after = "1h"\n'
    editor.paper.text = editor.paper.held = theirs
    page = editor.send(of(page, "delivery"), "Save", max_connections="9")
    editor.send(page.form("Save"), "Save")
    assert editor.paper.held == theirs + "max_connections = 9\n"


def test_what_was_shown_is_what_is_confirmed(editor):
    page = editor.send(of(editor.get("/settings"), "delivery"), "Save", max_connections="9")
    editor.paper.text = editor.paper.held = TEXT + "\n[history]\nkeep = 0\n"
    page = editor.send(page.form("Save"), "Save")
    assert editor.paper.written == []
    editor.send(page.form("Save"), "Save")
    assert "keep = 0" in editor.paper.held
    assert "max_connections = 9" in editor.paper.held


def test_what_the_relay_does_not_go_on_with_is_told(editor):
    page = editor.send(of(editor.get("/settings"), "delivery"), "Save", max_connections="9")
    editor.paper.refuses = ConfigurationError(["port 25 is in use"])
    page = editor.send(page.form("Save"), "Save")
    assert page.status == 422
    assert "port 25 is in use" in page.said
    assert of(page, "delivery").fields["max_connections"] == ["9"]


def test_what_holds_from_the_next_start_says_so(editor):
    page = editor.get("/settings")
    assert page.words.count("holds from the next start") == 3
    locked = {
        found["name"]
        for tag, found in page.tags
        if tag in ("input", "select") and ("readonly" in found or "disabled" in found)
    }
    assert locked == {"own_process", "path", "format"}
    assert of(page, "archive").fields["path"] == [""]


def test_a_table_inside_of_one_is_made():
    editor = Editor(paper=Paper(TEXT + '\n[ndr]\nserver = "mx.example"\n'))
    fields = {
        "oauth2.provider": "microsoft",
        "oauth2.grant": "client_credentials",
        "oauth2.tenant": "t.example",
        "oauth2.client_id": "c",
        "oauth2.mailbox": "a@b.example",
        "oauth2.client_secret": "hush",
        "oauth2.expires": "2027-05-01",
    }
    page = editor.send(of(editor.get("/settings"), "ndr"), "Save", **fields)
    assert page.status == 200, page.said
    assert "hush" not in page.html
    page = editor.send(page.form("Save"), "Save")
    assert "hush" not in page.html
    assert 'client_secret = "hush"' in editor.paper.held
    assert "expires = 2027-05-01" in editor.paper.held


def test_secrets_are_written_and_never_shown():
    editor = Editor(paper=Paper(TEXT + '\n[alarm]\nwebhook = "https://hooks.example/s3cret2"\n'))
    page = editor.get("/settings")
    assert "s3cret2" not in page.html
    page = editor.send(of(page, "alarm"), "Save", repeat="1h")
    page = editor.send(page.form("Save"), "Save")
    assert "s3cret2" in editor.paper.held
    assert "s3cret2" not in page.html
    page = saved(editor, "alarm", webhook="https://hooks.example/n3w")
    assert "https://hooks.example/n3w" in editor.paper.held
    assert "n3w" not in page.html
    saved(editor, "alarm", **{"webhook.remove": "yes"})
    assert "webhook" not in editor.paper.held


def test_what_cannot_be_read_is_told_at_its_key(editor):
    fields = {"password.source": "command", "password.place": "pass 'show", "max_per_hour": "9"}
    page = editor.send(of(editor.get("/settings"), "ndr"), "Save", **fields)
    assert page.status == 422
    assert "the quotes of this command do not end" in page.said
    assert of(page, "ndr").fields["max_per_hour"] == ["9"]
    assert of(page, "ndr").fields["password.place"] == ["pass 'show"]


def test_who_may_not_change_them_reads_them():
    editor = Editor(Role.VIEW, paper=Paper(TEXT + SECOND))
    page = editor.get("/settings")
    assert page.status == 200
    assert page.buttons == {"Sign out"}
    assert of(page, "client", 1).fields["addresses"] == ["198.51.100.1"]
    assert "New [[client]]" not in page.words
    token = page.form("Sign out").fields["token"][0]
    for path in ("/settings/delivery", "/settings/web/remove"):
        assert editor.ask("POST", path, f"token={token}&index=".encode()).status == 403


def test_many_tables_are_shown_page_by_page(monkeypatch):
    monkeypatch.setattr(settings, "MOST", 2)
    editor = Editor(paper=Paper(TEXT + SECOND * 4))
    page = editor.get("/settings")
    assert "/settings/client?from=2" in page.links
    page = editor.get("/settings/client?from=2")
    assert [form.fields["index"] for form in page.forms[1:]] == [["2"], ["3"], ["5"]]
    assert {"/settings/client?from=0", "/settings/client?from=4"} <= set(page.links)


def test_a_file_with_faults_says_where_to_mend_it():
    paper = Paper()
    editor = Editor(paper=paper)
    paper.text = TEXT + "\n[delivery]\nmax_connections = []\n[log]\nformat = 5\n[web\n"
    page = editor.get("/settings")
    assert page.status == 200
    assert "Mend them" in page.said
    paper.text = paper.text.replace("[web\n", "").replace("[delivery]", "[[delivery]]")
    assert editor.get("/settings").status == 200


def test_a_file_that_differs_from_what_runs_can_be_loaded(editor):
    assert "Reload" not in editor.get("/settings").buttons
    editor.paper.text = TEXT + "\n[delivery]\nmax_connections = 9\n"
    assert "Reload" in editor.get("/settings").buttons


@pytest.mark.parametrize("name", ["account", "nothing", "client'"])
def test_other_tables_are_not_found(editor, name):
    assert editor.get(f"/settings/{name}").status == 404
    token = editor.get("/settings").form("Sign out").fields["token"][0]
    editor.came_from = ""
    answer = editor.ask("POST", f"/settings/{name}", f"token={token}".encode())
    assert editor.paper.written == []
    assert "There is no page for a table" in answer.said


@pytest.mark.parametrize("text", [each for each in HOSTILE if "\x00" not in each])
def test_what_others_have_written_is_text(text):
    quoted = text.replace("'", "").replace("\udce4", "").strip()
    written = f"\n[alarm]\ncommand = ['{quoted}', 'b']\n[ndr]\nsender = '{quoted}'\n"
    paper = Paper()
    editor = Editor(paper=paper)
    paper.text = TEXT + written
    page = editor.get("/settings")
    assert is_harmless(page)
    assert of(page, "alarm").fields["command"] == [f"{quoted}\r\nb"]
    paper.text = TEXT
    form = of(editor.get("/settings"), "ndr")
    page = editor.send(form, "Save", sender=quoted, postmaster=quoted)
    assert page.status == 422
    assert is_harmless(page)
    assert of(page, "ndr").fields["sender"] == [quoted]


@pytest.mark.parametrize("start", ["9" * 20, "9" * 5000, "-1", "\N{SUPERSCRIPT TWO}"])
def test_what_is_no_place_is_said(editor, start):
    page = editor.get(f"/settings/client?from={quote(start)}")
    assert page.status == 422
