"""Who may see and begin a sign-in for an account."""

from __future__ import annotations

import pytest

from multisendcon_plugin.page.rights import needed
from multisendcon_plugin.settings.admins import Role


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_a_sign_in_is_for_those_who_configure(method):
    # With its code, anybody could sign in, with another mailbox.
    assert needed(method, ["accounts", "A", "login"]) is Role.CONFIGURE


def test_an_account_of_that_name_is_like_others():
    assert needed("GET", ["accounts", "login"]) is Role.VIEW
