"""Who may see and begin a sign-in for an account, and what is told of anybody."""

from __future__ import annotations

import pytest

from multisendcon_plugin.page.rights import changes, needed
from multisendcon_plugin.settings.admins import Role


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_a_sign_in_is_for_those_who_configure(method):
    # With its code, anybody could sign in, with another mailbox.
    assert needed(method, ["accounts", "A", "login"]) is Role.CONFIGURE


def test_an_account_of_that_name_is_like_others():
    assert needed("GET", ["accounts", "login"]) is Role.VIEW


@pytest.mark.parametrize(
    ("method", "path", "dry_run", "is_told"),
    [
        ("POST", "queue/hold", False, True),
        ("POST", "queue/hold", True, False),
        ("PUT", "configuration", True, False),
        ("DELETE", "configuration/accounts/A", True, False),
        ("PUT", "configuration", False, True),
        # These do not look at it.
        ("POST", "accounts/A/pause", True, True),
        ("POST", "reload", True, True),
        ("POST", "explain", False, False),
        ("POST", "explain/x", False, True),
        ("POST", "", True, True),
        ("GET", "queue", False, False),
        ("HEAD", "queue", False, False),
    ],
)
def test_what_changes_something(method, path, dry_run, is_told):
    segments = path.split("/") if path else []
    assert changes(method, segments, dry_run=dry_run) is is_told
