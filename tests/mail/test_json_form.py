from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multisendcon_plugin.mail.dsn import Notify
from multisendcon_plugin.mail.json_form import LENGTH, plain, plain_untold, recipient_of, untold_of
from multisendcon_plugin.mail.message import Recipient, Untold
from multisendcon_plugin.mail.phase import Phase
from multisendcon_plugin.mail.reply import Reply

wishes = st.none() | st.integers(0, 7).map(Notify)
recipients = st.builds(
    Recipient, address=st.text(), reason=st.text(), notify=wishes, original=st.text()
)


@given(recipients)
def test_a_recipient_comes_back(recipient):
    assert recipient_of(*json.loads(json.dumps(plain(recipient)))) == recipient


def test_never_is_not_the_same_as_not_said():
    never = Recipient(address="a@x.example", reason="test", notify=Notify.NEVER)
    assert plain(never) == ("a@x.example", "test", 0, "")
    assert plain(Recipient(address="a@x.example", reason="test")) == (
        "a@x.example",
        "test",
        None,
        "",
    )


untold = st.builds(
    Untold,
    recipient=recipients,
    delivered=st.booleans(),
    phase=st.sampled_from(Phase),
    reply=st.builds(Reply, st.integers(0, 999), st.text(), st.text()),
)


@given(untold)
def test_what_became_of_a_recipient_comes_back(untold):
    listed = json.loads(json.dumps(plain_untold(untold)))
    assert len(listed) > LENGTH == len(plain(untold.recipient))
    assert untold_of(*listed) == untold


def test_a_wish_that_nobody_can_have_is_refused():
    with pytest.raises(ValueError, match="Notify"):
        recipient_of("a@x.example", "test", "FAILURE", "")
