from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multisendcon_plugin.mail.dsn import Notify, Return
from multisendcon_plugin.mail.envelope import Client, Envelope
from multisendcon_plugin.mail.json_form import (
    LENGTH,
    envelope_of,
    envelope_text,
    plain,
    plain_untold,
    recipient_of,
    recipients_text,
    untold_of,
)
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


envelopes = st.builds(
    Envelope,
    reverse_path=st.text(),
    recipients=st.lists(st.text()).map(tuple),
    eight_bit=st.booleans(),
    utf8=st.booleans(),
    author=st.text(),
    returns=st.none() | st.sampled_from(Return),
    envelope_id=st.text(),
    client=st.none() | st.builds(Client, *[st.text()] * 4),
    message_id=st.text(),
    subject=st.text(),
)


@given(envelopes)
def test_an_envelope_comes_back(envelope):
    text = envelope_text(envelope)
    assert envelope_of(json.loads(text)) == envelope
    assert text.isascii()
    assert text.isprintable()


def test_an_envelope_is_the_list_of_the_schema():
    envelope = Envelope(
        reverse_path="Bö@x",
        recipients=("a@x",),
        eight_bit=True,
        author="c@x",
        returns=Return.HEADER,
        envelope_id="id",
        client=Client("192.0.2.7", "joe", "h", "t"),
        message_id="<1@x>",
        subject="é",
    )
    assert envelope_text(envelope) == (
        '["B\\u00f6@x", ["a@x"], true, false, "HDRS", "id", "c@x", ["192.0.2.7", "joe", "h", "t"],'
        ' "<1@x>", "\\u00e9"]'
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


@given(st.lists(recipients), st.lists(untold))
def test_recipients_stand_before_those_who_are_settled(some, settled):
    listed = json.loads(recipients_text(some, settled))
    assert [recipient_of(*each) for each in listed[: len(some)]] == some
    assert [untold_of(*each) for each in listed[len(some) :]] == settled


def test_a_wish_that_nobody_can_have_is_refused():
    with pytest.raises(ValueError, match="Notify"):
        recipient_of("a@x.example", "test", "FAILURE", "")
