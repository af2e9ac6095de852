"""Accounts are edited, added, removed and ordered: each change is asked for before it is made."""

from __future__ import annotations

import pytest

from multisendcon_plugin.editing.secrets import MASK
from multisendcon_plugin.events import AdminActed
from multisendcon_plugin.routing.account import Account
from multisendcon_plugin.settings.admins import Role
from multisendcon_plugin.settings.keys import Nested, keys_of
from tests.operations.paper import TEXT, Paper
from tests.operations.test_configuring import Past
from tests.page.hostile import HOSTILE, is_harmless
from tests.page.visitor import Editor

#: The names of all fields.
KEYS = [
    f"{name}.{inner}" if inner else name
    for name, key in keys_of(Account).items()
    for inner in (keys_of(key.kind.type) if isinstance(key.kind, Nested) else [""])
]


@pytest.fixture
def editor():
    return Editor()


def edited(editor, account="Sales", /, **fields):
    """Type into the form of an account, and press the button."""
    return editor.send(editor.get(f"/accounts/{account}/edit").form("Save"), "Save", **fields)


def faults_of(page, name):
    """Return the text below a field that says what is wrong with it."""
    _, _, behind = page.html.partition(f'id="{name}-faults">')
    return behind.partition("</ul>")[0]


def test_the_form_has_every_key_with_its_help(editor):
    page = editor.get("/accounts/Sales/edit")
    form = page.form("Save")
    assert page.status == 200
    assert set(KEYS) <= set(form.fields) | set(form.boxes)
    for key in keys_of(Account).values():
        if not isinstance(key.kind, Nested):
            assert key.doc in page.words
    assert form.fields["server"] == ["mail.sales.example"]
    assert form.fields["senders"] == ["*@sales.example"]
    assert form.fields["tls"] == [""]


def test_what_is_not_written_is_shown_as_what_holds_instead():
    paper = Paper(TEXT.replace('server = "mail.example"', 'preset = "microsoft365"'))
    page = Editor(paper=paper).get("/accounts/All/edit")
    found = {each.get("name"): each for _, each in page.tags}
    assert found["server"]["placeholder"] == "smtp.office365.com"
    assert found["port"]["placeholder"] == "587"
    assert found["max_mails_per_connection"]["placeholder"] == "100"
    assert page.form("Save").fields["port"] == [""]
    assert "Logins by password are switched off" in page.words


def test_secrets_are_never_shown(editor):
    page = editor.get("/accounts/Sales/edit")
    assert "s3cret" not in page.html
    assert MASK not in page.html
    assert page.form("Save").fields["password"] == [""]


def test_a_change_is_shown_with_all_that_it_does_before_it_is_made(editor):
    told = []
    editor.desk.events.subscribe(AdminActed, told.append)
    values = {"server": "new.example", "port": "587", "password": "n3w"}
    page = edited(editor, senders="a@x.example\r\n*@y.example", **values)
    assert page.status == 200
    assert ("section", "dialog") in [(tag, found.get("role")) for tag, found in page.tags]
    assert '+server = "new.example"' in page.words
    assert '+senders = ["a@x.example", "*@y.example"]' in page.words
    assert editor.paper.written == []
    page = editor.send(page.form("Save"), "Save")
    assert page.path == "/accounts/Sales"
    assert page.said.startswith('Saved: account "Sales": password, port, senders, server')
    assert [each.text for each in told] == [
        'Saved: account "Sales": password, port, senders, server'
    ]
    assert 'server = "new.example"' in editor.paper.held
    assert "port = 587\n" in editor.paper.held
    assert 'password = "n3w"  # never told' in editor.paper.held


def test_mails_that_would_leave_by_another_account_are_named_before_that():
    editor = Editor(history=Past)
    page = edited(editor, senders="*@other.example")
    assert "recipients of 2 mails" in page.words
    assert [row[-2:] for row in page.rows if len(row) == 5][1:] == [["Sales", "All"]] * 2
    token = page.forms[0].fields["token"][0]
    body = f"token={token}&before=Sales".encode()
    page = editor.ask("POST", "/accounts/All/order", body)
    assert [row[-2:] for row in page.rows if len(row) == 5][1:] == [["Sales", "All"]] * 2
    page = editor.ask("POST", "/accounts/Lab/remove", f"token={token}".encode())
    assert "would have taken the same account" in page.words


def test_a_password_that_is_kept_is_not_sent_elsewhere(editor):
    page = edited(editor, server="evil.example")
    assert page.status == 409
    assert "would be sent elsewhere than before; write it again" in page.words
    assert editor.paper.written == []


def test_a_key_without_text_is_removed(editor):
    page = edited(editor, senders="")
    editor.send(page.form("Save"), "Save")
    assert "sales.example" not in editor.paper.text.replace("mail.sales.example", "")


def test_a_list_can_be_empty(editor):
    page = edited(editor, fallback="[]")
    editor.send(page.form("Save"), "Save")
    assert "fallback = []" in editor.paper.text


def test_nothing_is_asked_while_nothing_is_changed(editor):
    page = edited(editor)
    assert page.status == 422
    assert "Nothing is changed." in page.said
    assert editor.paper.written == []


def test_faults_stand_at_their_keys_and_what_was_typed_stays(editor):
    page = edited(
        editor, port="70000", tls_ciphers="x", senders="nobody", **{"oauth2.grant": "device"}
    )
    assert page.status == 409
    assert "70000 is not a port" in faults_of(page, "port")
    assert "is not a mask" in faults_of(page, "senders")
    assert "is missing" in faults_of(page, "oauth2-provider")
    form = page.form("Save")
    assert form.fields["port"] == ["70000"]
    assert form.fields["senders"] == ["nobody"]
    assert editor.paper.written == []
    form.fields["tls_ciphers"] = form.fields["oauth2.grant"] = [""]
    page = editor.send(form, "Save", port="465", senders="*@x.example", password="n3w")
    editor.send(page.form("Save"), "Save")
    assert "port = 465" in editor.paper.text


def test_faults_of_other_accounts_are_told_above(editor):
    page = edited(editor, "Lab", name="sales")
    assert page.status == 409
    assert "must be unique" in page.words


# Secrets.


def test_a_new_password_is_saved_and_shown_to_nobody(editor):
    page = edited(editor, password="n3w")
    assert "n3w" not in page.html
    editor.send(page.form("Save"), "Save")
    assert 'password = "n3w"' in editor.paper.text


def test_a_password_survives_a_fault_elsewhere(editor):
    page = edited(editor, password="n3w", port="0")
    assert "n3w" not in page.html
    assert "written just now" in page.words
    page = editor.send(page.form("Save"), "Save", port="465")
    assert "n3w" not in page.html
    editor.send(page.form("Save"), "Save")
    assert 'password = "n3w"' in editor.paper.text


def test_a_password_is_removed_by_its_box(editor):
    page = edited(editor, username="", **{"password.remove": "yes"})
    editor.send(page.form("Save"), "Save")
    assert "s3cret" not in editor.paper.text
    assert "\npassword" not in editor.paper.text


def test_a_password_goes_to_another_place_and_back(editor, monkeypatch):
    monkeypatch.setenv("PASSWORD_OF_SALES", "x")
    place = {"password.source": "env", "password.place": "PASSWORD_OF_SALES"}
    page = edited(editor, **place)
    editor.send(page.form("Save"), "Save")
    assert 'password = {env = "PASSWORD_OF_SALES"}' in editor.paper.text.replace("{ ", "{").replace(
        " }", "}"
    )
    form = editor.get("/accounts/Sales/edit").form("Save")
    assert (form.fields["password.source"], form.fields["password.place"]) == (
        ["env"],
        ["PASSWORD_OF_SALES"],
    )
    page = editor.send(form, "Save", password="itself")
    editor.send(page.form("Save"), "Save")
    assert 'password = "itself"' in editor.paper.text


def test_what_somebody_else_has_kept_is_found_by_nobody(editor):
    page = edited(editor, password="n3w")
    number = page.form("Save").fields["password.kept"][0]
    other = Editor()
    page = edited(other, **{"password.kept": number})
    assert "Nothing is changed." in page.said


# Two at once.


def test_a_file_that_was_changed_meanwhile_is_not_overwritten(editor):
    page = edited(editor, server="new.example", password="n3w")
    editor.paper.text = theirs = TEXT.replace('"mail.lab.example"', '"lab.example"')
    page = editor.send(page.form("Save"), "Save")
    assert page.status == 409
    assert "has been changed since it was read" in page.said
    assert editor.paper.text == theirs
    assert page.form("Save").fields["server"] == ["new.example"]
    page = editor.send(page.form("Save"), "Save")
    editor.send(page.form("Save"), "Save")
    assert '"lab.example"' in editor.paper.text
    assert '"new.example"' in editor.paper.text


def test_who_comes_second_changes_only_what_they_have_typed(editor):
    form = editor.get("/accounts/Sales/edit").form("Save")
    editor.paper.text = TEXT.replace('"mail.sales.example"', '"theirs.example"')
    page = editor.send(form, "Save", port="465", password="n3w")
    assert page.status == 409
    assert page.form("Save").fields["server"] == ["theirs.example"]
    page = editor.send(page.form("Save"), "Save")
    editor.send(page.form("Save"), "Save")
    assert '"theirs.example"' in editor.paper.text
    assert "port = 465" in editor.paper.text


# Names, and tables inside.


def test_an_account_gets_another_name(editor):
    page = edited(editor, name="Sellers")
    page = editor.send(page.form("Save"), "Save")
    assert 'name = "Sellers"' in editor.paper.text


def test_a_table_inside_is_written_and_removed(editor):
    typed = {
        "oauth2.provider": "microsoft",
        "oauth2.grant": "client_credentials",
        "oauth2.client_id": "id",
        "oauth2.client_secret": "h1dden",
        "oauth2.tenant": "x.example",
        "oauth2.expires": "2031-05-01",
        "tls": "starttls",
        "password.remove": "yes",
    }
    page = edited(editor, **typed)
    assert "h1dden" not in page.html
    editor.send(page.form("Save"), "Save")
    assert "[account.oauth2]" in editor.paper.text
    assert "expires = 2031-05-01" in editor.paper.text
    page = editor.get("/accounts/Sales/edit")
    assert page.form("Save").fields["oauth2.expires"] == ["2031-05-01"]
    inside = {
        name: ""
        for name in page.form("Save").fields
        if name.startswith("oauth2.") and not name.endswith(".was")
    }
    page = edited(editor, **inside, **{"oauth2.client_secret.remove": "yes", "password": "back"})
    editor.send(page.form("Save"), "Save")
    assert "oauth2" not in editor.paper.text


# Adding.


def test_presets_are_searched(editor):
    page = editor.get("/accounts/add?search=office365")
    assert page.row("microsoft365")[2] == "smtp.office365.com:587"
    assert len(page.rows) == 2
    assert "/accounts/add?type=smtp&preset=microsoft365" in page.links
    assert len(editor.get("/accounts/add").rows) > 20
    assert "No provider is called so" in editor.get("/accounts/add?search=zzz").html


def test_an_account_is_added_from_a_preset_before_another(editor):
    page = editor.get("/accounts/add?type=smtp&preset=microsoft365")
    assert "What is known of Microsoft 365" in page.words
    form = page.form("Save")
    assert form.fields["preset"] == ["microsoft365"]
    page = editor.send(
        form, "Save", name="New", username="a@x.example", password="pw", before="All"
    )
    assert "pw" not in page.html
    page = editor.send(page.form("Save"), "Save")
    assert page.said.startswith('Added: account "New"')
    text = editor.paper.text
    assert text.index('"Lab"') < text.index('name = "New"') < text.index('"All"')
    assert 'preset = "microsoft365"' in text
    assert 'password = "pw"' in text


def test_an_account_without_a_server_is_added(editor):
    page = editor.get("/accounts/add?type=direct")
    found = {each.get("name"): each for _, each in page.tags}
    assert found["max_connections"]["placeholder"] == "40"
    page = editor.send(page.form("Save"), "Save", name="D")
    editor.send(page.form("Save"), "Save")
    assert 'type = "direct"' in editor.paper.text


def test_an_account_needs_a_name_of_its_own(editor):
    form = editor.get("/accounts/add?type=smtp").form("Save")
    page = editor.send(form, "Save", server="x.example")
    assert "is missing" in faults_of(page, "name")
    page = editor.send(page.form("Save"), "Save", name="Lab")
    assert "must be unique" in faults_of(page, "name")
    assert page.form("Save").fields["server"] == ["x.example"]
    assert editor.paper.written == []


# Removing, ordering.


def test_an_account_is_removed_once_it_is_said_twice(editor):
    editor.desk.mail()
    page = editor.get("/accounts/Sales")
    page = editor.send(page.form("Remove"), "Remove")
    assert "1 delivery waits" in page.words
    assert '-name = "Sales"' in page.words
    assert editor.paper.written == []
    page = editor.send(page.form("Remove"), "Remove")
    assert page.path == "/accounts"
    assert page.said.startswith('Removed: account "Sales"')
    assert '"Sales"' not in editor.paper.text


def test_an_account_that_others_name_stays():
    paper = Paper(TEXT.replace('"mail.lab.example"', '"mail.lab.example"\nfallback = ["All"]'))
    desk_of_all = Editor(paper=paper)
    form = desk_of_all.get("/accounts/Sales").form("Remove")
    form.buttons["Remove"] = "/accounts/All/remove"
    page = desk_of_all.send(form, "Remove")
    assert page.path == "/accounts/Sales"
    assert "fallback" in page.said
    assert paper.written == []


@pytest.mark.parametrize(
    ("name", "fields", "order"),
    [
        ("Lab", {"place": "up"}, ["Lab", "Sales", "All"]),
        ("Lab", {"place": "down"}, ["Sales", "All", "Lab"]),
        ("Sales", {"place": "last"}, ["Lab", "All", "Sales"]),
        ("All", {"before": "Sales"}, ["All", "Sales", "Lab"]),
    ],
)
def test_an_account_gets_another_place(editor, name, fields, order):
    token = editor.get("/accounts").forms[0].fields["token"][0]
    body = "&".join(f"{key}={value}" for key, value in {"token": token, **fields}.items())
    page = editor.ask("POST", f"/accounts/{name}/order", body.encode())
    assert f'Move account "{name}" to place {order.index(name) + 1} of 3?' in page.words
    assert editor.paper.written == []
    page = editor.send(page.form("Move"), "Move")
    assert page.said.startswith(f'Moved: account "{name}", to place {order.index(name) + 1} of 3')
    places = [editor.paper.text.index(f'name = "{each}"') for each in order]
    assert places == sorted(places)


@pytest.mark.parametrize(
    ("name", "fields", "said"),
    [
        ("Sales", "place=up", "is the first already"),
        ("All", "place=down", "is the last already"),
        ("All", "before=Nobody", '"Nobody" is none of the other accounts'),
        ("Gone", "place=up", "has no account"),
    ],
)
def test_a_place_that_there_is_not(editor, name, fields, said):
    token = editor.get("/accounts").forms[0].fields["token"][0]
    page = editor.ask("POST", f"/accounts/{name}/order", f"token={token}&{fields}".encode())
    assert said in page.said
    assert editor.paper.written == []


def test_a_question_about_another_file_is_not_answered(editor):
    page = editor.get("/accounts/Lab")
    page = editor.send(page.form("Remove"), "Remove")
    editor.paper.text = theirs = TEXT + "\n"
    page = editor.send(page.form("Remove"), "Remove")
    assert "has been changed since it was read" in page.said
    assert editor.paper.text == theirs


# Who may.


@pytest.mark.parametrize("role", [Role.VIEW, Role.OPERATE])
def test_others_see_keys_and_change_nothing(role):
    editor = Editor(role=role)
    page = editor.get("/accounts/Sales/edit")
    assert page.status == 200
    assert page.buttons == {"Sign out"}
    assert "s3cret" not in page.html
    assert 'needs the role "configure"' in page.html
    token = page.forms[0].fields["token"][0]
    for path in ("Sales/edit", "add", "Sales/remove", "Sales/order", "Sales/login"):
        body = f"token={token}&confirmed=yes&hash={editor.paper.hash}&port=465".encode()
        assert editor.ask("POST", f"/accounts/{path}", body).status == 403
    assert editor.paper.written == []


@pytest.mark.parametrize("text", HOSTILE)
def test_what_was_typed_is_text(editor, text):
    typed = {name: text for name in KEYS if name not in ("type", "tls", "password")}
    page = edited(editor, **{name: each.replace("\udce4", "") for name, each in typed.items()})
    assert page.status in (409, 422)
    assert is_harmless(page)


def test_a_name_that_is_html_is_text():
    name = '\\"><img src=x onerror=alert(1)>, port: no'
    editor = Editor(paper=Paper(TEXT.replace('"All"', f'"{name}"')))
    path = "/accounts/%22%3E%3Cimg%20src%3Dx%20onerror%3Dalert%281%29%3E%2C%20port%3A%20no/edit"
    page = editor.get(path)
    assert page.status == 200
    assert is_harmless(page)
    page = editor.send(page.form("Save"), "Save", port="0")
    assert "0 is not a port" in faults_of(page, "port")
    page = editor.send(page.form("Save"), "Save", port="25")
    assert "<img" not in page.html
    assert "+port = 25" in page.words
