"""Somebody signs in for an account on the page."""

from __future__ import annotations

import pytest

from multisendcon_plugin.events import AdminActed
from multisendcon_plugin.settings.admins import Role
from multisendcon_plugin.settings.oauth2 import Grant
from tests.logins import world
from tests.logins.test_sign_in import CODE, PENDING, TOKEN
from tests.operations.test_sign_ins import NOBODY, Admin, page
from tests.page.hostile import HOSTILE, is_harmless
from tests.page.visitor import Visitor


def opened(admin, role=Role.CONFIGURE):
    return Visitor(admin.desk, role)


def by_code(folder, *answers, code=CODE):
    return Admin(folder, world.account(grant=Grant.DEVICE), code, *answers)


def begun(visitor):
    """Press the button, and return the page then."""
    return visitor.send(visitor.get("/accounts/A/login").form("Sign in"), "Sign in")


def test_by_a_code(tmp_path):
    admin = by_code(tmp_path, PENDING, TOKEN)
    visitor = opened(admin)
    told = []
    admin.desk.events.subscribe(AdminActed, told.append)
    shown = begun(visitor)
    assert shown.said.startswith('Began: the sign-in for account "A"')
    assert [each.text for each in told] == ['Began: the sign-in for account "A"']
    assert "https://login.example/go" in shown.links
    assert '<strong class="code">AB-CD</strong>' in shown.html
    assert "Waiting for somebody to sign in" in shown.html
    assert shown.buttons == {"Sign out", "Sign in anew"}
    admin.pass_by(6)
    admin.pass_by(6)
    shown = visitor.get("/accounts/A/login")
    assert "Signed in: the relay uses the token now" in " ".join(shown.said.split())
    assert "AB-CD" not in shown.html


def test_nobody_has_signed_in(tmp_path):
    admin = by_code(tmp_path, NOBODY)
    visitor = opened(admin)
    begun(visitor)
    admin.pass_by(6)
    shown = visitor.get("/accounts/A/login")
    assert "Nobody has signed in" in shown.said
    assert "Sign in" in shown.buttons


def test_in_a_browser_with_the_address_at_its_end(tmp_path):
    admin = Admin(tmp_path, world.account(grant=Grant.AUTHORIZATION_CODE), TOKEN)
    visitor = opened(admin)
    shown = begun(visitor)
    form = shown.form("Sign in")
    shown = visitor.send(form, "Sign in", redirected="http://127.0.0.1/nothing")
    assert "redirected" in shown.said
    shown = visitor.send(shown.form("Sign in"), "Sign in", redirected=page(admin.look()))
    assert "Signed in" in shown.said


def test_who_does_not_configure_sees_no_code(tmp_path):
    admin = by_code(tmp_path, PENDING)
    begun(opened(admin))
    for role in (Role.VIEW, Role.OPERATE):
        shown = opened(admin, role).get("/accounts/A/login")
        assert shown.status == 403
        assert "AB-CD" not in shown.html


def test_the_page_of_the_account_leads_there(tmp_path):
    admin = by_code(tmp_path)
    admin.desk.operations._logins = admin.tokens.logins.standing
    assert "/accounts/A/login" in opened(admin).get("/accounts/A").links
    assert "/accounts/A/login" not in opened(admin, Role.OPERATE).get("/accounts/A").links


def test_an_account_with_a_password_needs_nobody(tmp_path):
    shown = opened(by_code(tmp_path)).get("/accounts/Plain/login")
    assert shown.status == 422
    assert "Nobody has to sign in" in shown.html


@pytest.mark.parametrize("text", HOSTILE)
def test_what_a_provider_says_is_text(tmp_path, text):
    text = text.replace("\udce4", "")
    said = {**CODE, "user_code": text, "message": text}
    visitor = opened(by_code(tmp_path, PENDING, code=said))
    shown = begun(visitor)
    assert shown.status == 200
    assert is_harmless(shown)
