"""A secret that is kept is sent nowhere else, however that is tried."""

from __future__ import annotations

import pytest

from multisendcon_plugin.editing.secrets import MASK
from multisendcon_plugin.operations.errors import RefusedError
from tests.operations.paper import TEXT, Paper
from tests.operations.test_configuring import Admin

OAUTH2 = """\
[[account]]
name = "Cloud"
server = "mail.cloud.example"
senders = ["*@cloud.example"]
username = "cloud"
[account.oauth2]
provider = "custom"
grant = "client_credentials"
token_url = "https://tokens.cloud.example/token"
scope = "send"
client_id = "id"
client_secret = "s3cret2"

[ndr]
server = "mail.ndr.example"
username = "ndr"
password = "s3cret3"

"""
ALL = TEXT.replace("# Who sells.\n", OAUTH2 + "# Who sells.\n")
SHOWN = ALL.replace("s3cret3", MASK).replace("s3cret2", MASK).replace("s3cret", MASK)
SALES = 'server = "mail.sales.example"'


@pytest.fixture
def admin():
    return Admin(Paper(ALL))


def refused(admin, change, *said, **more):
    with pytest.raises(RefusedError) as error:
        change(*said, **more)
    assert (admin.paper.text, admin.paper.written) == (ALL, [])
    assert "s3cret" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("dry_run", [True, False])
@pytest.mark.parametrize("password", [{}, {"password": MASK}])
@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("server", "evil.example"),
        ("port", 2525),
        ("tls", "none"),
        ("tls_verify", False),
        ("tls_name", "evil.example"),
        ("tls_fingerprint", "sha256:" + "0" * 64),
        ("tls_ciphers", "ALL"),
    ],
)
def test_a_password_is_not_sent_elsewhere(admin, key, value, password, dry_run):
    said = refused(admin, admin.account, "Sales", dry_run=dry_run, **{key: value}, **password)
    assert said == (
        f'account "Sales", password: with another {key} it would be sent elsewhere than before;'
        " write it again, as it is kept only for where it is sent now"
    )


def test_a_password_that_is_written_again_is(admin):
    admin.account("Sales", server="new.example", password="s3cret")
    admin.look()
    admin.account("Sales", port=2525, password="other")
    assert 'server = "new.example"' in admin.paper.text
    assert 'password = "other"' in admin.paper.text


@pytest.mark.parametrize(
    "values",
    [
        {"username": "other"},
        {"password": MASK, "enabled": False},
        {"port": 25, "tls": "auto", "tls_verify": True},
        {"name": "Sellers"},
        {"server": "evil.example", "password": None, "username": None},
        {"server": "new.example", "password": {"env": "HOME"}},
    ],
)
def test_what_sends_it_to_the_same_place_is_done(admin, values):
    admin.account("Sales", **values)
    assert len(admin.paper.written) == 1


@pytest.mark.parametrize(
    "values",
    [
        {"server": "evil.example"},
        {"tls_verify": False},
        {"oauth2": {"token_url": "https://evil.example/token"}},
        {"oauth2": {"token_url": "https://evil.example/token", "client_secret": MASK}},
        {"oauth2": {"provider": "microsoft", "tenant": "evil.example"}},
    ],
)
def test_the_secret_of_an_application_is_not_either(admin, values):
    if "provider" in values.get("oauth2", {}):
        gone = {"token_url": None, "scope": None}
        values = {"oauth2": {**values["oauth2"], **gone}}
    said = refused(admin, admin.account, "Cloud", **values)
    assert said.startswith('account "Cloud", oauth2.client_secret: with another ')


def test_the_secret_of_an_application_is_when_it_is_written_again(admin):
    oauth2 = {"token_url": "https://new.example/token", "client_secret": "s3cret2"}
    admin.account("Cloud", server="new.example", oauth2=oauth2)
    assert "https://new.example/token" in admin.paper.text


def test_that_of_reports_is_not_either(admin):
    said = refused(admin, admin.table, "ndr", {"server": "evil.example"})
    assert said.startswith("[ndr], password: with another server it would be sent elsewhere")
    admin.table("ndr", {"server": "new.example", "password": "s3cret3"})
    assert len(admin.paper.written) == 1


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (SALES, 'server = "evil.example"'),
        (SALES, f"{SALES}\nport = 2525"),
        # Another name, and another account of that name.
        (f'name = "Sales"\n{SALES}', 'name = "Evil"\nserver = "evil.example"'),
        ('server = "mail.ndr.example"', 'server = "evil.example"'),
        ("https://tokens.cloud.example", "https://evil.example"),
        ('server = "mail.cloud.example"', 'server = "evil.example"'),
    ],
)
def test_who_edits_the_text_does_not_have_them_sent_elsewhere(admin, before, after):
    assert SHOWN.count(before) == 1
    said = refused(admin, admin.text, SHOWN.replace(before, after))
    assert "it would be sent elsewhere than before" in said
    # A secret that is written is not kept.
    written = ALL.replace(before, after)
    admin.text(written)
    assert admin.paper.text == written


def test_two_accounts_do_not_change_their_places(admin):
    swapped = SHOWN.replace('name = "Sales"', 'name = "X"').replace(
        'name = "Lab"', 'name = "Sales"'
    )
    refused(admin, admin.text, swapped.replace('name = "X"', 'name = "Lab"'))


def test_a_place_to_which_another_secret_is_sent_is_another_place(admin):
    admin.account("Lab", server="evil.example", username="lab", password="theirs")
    admin.look()
    with pytest.raises(RefusedError, match='account "Sales", password: with another server'):
        admin.account("Sales", server="evil.example")


def test_orders_and_other_changes_keep_them(admin):
    admin.order("All", "Lab", "Sales", "Cloud")
    admin.look()
    admin.remove("Lab")
    admin.look()
    admin.table("delivery", {"max_connections": 7})
    assert [each in admin.paper.text for each in ("s3cret", "s3cret2", "s3cret3")] == [True] * 3


def test_a_secret_of_two_accounts_is_kept_by_both():
    text = TEXT.replace(
        'server = "mail.lab.example"\n',
        'server = "mail.lab.example"\nusername = "lab"\npassword = "s3cret"\n',
    )
    admin = Admin(Paper(text))
    admin.account("Lab", senders=["*"])
    admin.look()
    with pytest.raises(RefusedError, match='account "Lab", password: with another server'):
        admin.account("Lab", server="evil.example")
