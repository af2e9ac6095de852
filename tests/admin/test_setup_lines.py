"""What `account login NAME --print-setup` prints.

``python -m tests.admin.test_setup_lines`` writes the texts of ``tests/admin/setup`` anew.
"""

from __future__ import annotations

import re
from pathlib import Path

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from multisendcon_plugin.admin.setup_lines import setup_lines
from multisendcon_plugin.routing.account import Account
from multisendcon_plugin.settings.oauth2 import Cloud, Grant, OAuth2, Provider

FOLDER = Path(__file__).with_name("setup")
APPLICATION = "8f9c1a2b-1111-4222-8333-1234567890ab"
MICROSOFT = OAuth2(
    provider=Provider.MICROSOFT,
    grant=Grant.CLIENT_CREDENTIALS,
    tenant="example.onmicrosoft.com",
    client_id=APPLICATION,
    client_secret="not to be seen",
)
GOOGLE = OAuth2(provider=Provider.GOOGLE, grant=Grant.SERVICE_ACCOUNT, mailbox="sales@example.com")
CUSTOM = OAuth2(
    provider=Provider.CUSTOM,
    grant=Grant.AUTHORIZATION_CODE,
    client_id="relay",
    token_url="https://login.example/token",
    authorize_url="https://login.example/authorize",
)
CASES = {
    "application": (MICROSOFT, {}),
    "application_of_another_cloud": (
        attrs.evolve(MICROSOFT, cloud=Cloud.US_GOVERNMENT, client_secret=""),
        {"name": "Info & more", "fixed_sender": "info@example.com"},
    ),
    "names_like_commands": (
        attrs.evolve(MICROSOFT, mailbox="o'neil $(rm) `x`@example.com", client_id="a'b"),
        {},
    ),
    "person_with_a_browser": (
        attrs.evolve(MICROSOFT, grant=Grant.AUTHORIZATION_CODE, client_secret=""),
        {},
    ),
    "person_with_a_device": (
        attrs.evolve(MICROSOFT, grant=Grant.DEVICE, client_secret="", mailbox="shared@example.com"),
        {"fixed_sender": "sales@example.com"},
    ),
    "service_account": (GOOGLE, {}),
    "person_at_google": (
        attrs.evolve(GOOGLE, grant=Grant.AUTHORIZATION_CODE, client_id="1.apps.example"),
        {},
    ),
    "elsewhere": (CUSTOM, {}),
}


def printed(case):
    oauth2, more = CASES[case]
    account = account_with(oauth2, **more)
    return "\n".join([*setup_lines(account, oauth2, "108412345678901234567"), ""])


def account_with(oauth2, **more):
    settings = {"name": "Sales", "server": "smtp.example", "username": "sales@example.com", **more}
    return Account(oauth2=oauth2, **settings)


@pytest.mark.parametrize("case", CASES)
def test_each_text_is_the_one_that_was_looked_at(case):
    assert printed(case) == (FOLDER / f"{case}.txt").read_text("utf-8")


def test_no_secret_is_printed():
    assert "not to be seen" not in printed("application")


def test_an_unknown_client_id_of_a_service_account_is_named_by_its_place():
    lines = setup_lines(account_with(GOOGLE), GOOGLE)
    assert "Client ID:    (client_id in the key of the service account)" in lines


def test_an_unknown_scope_is_asked_for():
    oauth2 = attrs.evolve(CUSTOM, grant=Grant.CLIENT_CREDENTIALS)
    assert '#   the scope: that of SMTP; name it in "scope"' in setup_lines(
        account_with(oauth2), oauth2
    )


#: A string in single quotes, as PowerShell reads it: each of these ends it, unless it is doubled.
_STRING = re.compile("['\u2018-\u201b](?:[^'\u2018-\u201b]|['\u2018-\u201b]{2})*['\u2018-\u201b]")
TEXTS = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=80)


def commands(oauth2, **more):
    """Return what PowerShell runs, without the contents of strings."""
    lines = setup_lines(account_with(oauth2, **more), oauth2)
    return [_STRING.sub("''", line) for line in lines if not line.startswith("#")]


@given(TEXTS, TEXTS, TEXTS)
@pytest.mark.parametrize("grant", [Grant.CLIENT_CREDENTIALS, Grant.AUTHORIZATION_CODE])
def test_nothing_in_a_name_becomes_a_command(grant, mailbox, client_id, tenant):
    oauth2 = attrs.evolve(
        MICROSOFT, grant=grant, mailbox=mailbox, client_id=client_id, tenant=tenant
    )
    assert commands(oauth2, username=mailbox, name=tenant) == commands(
        attrs.evolve(MICROSOFT, grant=grant)
    )


if __name__ == "__main__":
    for each in CASES:
        (FOLDER / f"{each}.txt").write_text(printed(each), "utf-8")
