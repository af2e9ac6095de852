"""Words of errors as the page writes them."""

from __future__ import annotations

import pytest

from multisendcon_plugin.page.wording import sentence


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("", ""),
        ("no mail is chosen", "No mail is chosen"),
        ("to_account: none", "to_account: none"),
    ],
)
def test_what_is_said_begins_with_a_capital_but_for_keys(said, shown):
    assert sentence(said) == shown
