"""What of a server's words is shown where it may repeat a secret."""

from __future__ import annotations

import base64

import pytest

from multisendcon_plugin.relay.mask import Mask

SECRET = b"S3cret word"
SAID = base64.b64encode(SECRET)


@pytest.mark.parametrize(
    "said", [SECRET, SECRET.lower(), SECRET.upper(), SAID, SAID.upper(), SAID.rstrip(b"=")]
)
def test_a_secret_is_hidden_in_each_form_in_which_a_server_may_repeat_it(said):
    mask = Mask()
    mask.hide(SECRET)
    assert mask.masked(b"no: " + said + b" is wrong").startswith(b"no: ***")
    assert said not in mask.masked(b"no: " + said + b" is wrong")


def test_a_secret_that_is_a_part_of_another_leaves_nothing_of_it():
    mask = Mask()
    mask.hide(b"pass")
    mask.hide(b"password!")
    assert mask.masked(b"password! and pass") == b"*** and ***"


@pytest.mark.parametrize("secrets", [(), (b"",)])
def test_without_a_secret_all_is_shown(secrets):
    mask = Mask()
    mask.hide(*secrets)
    assert mask.masked(b"535 no") == b"535 no"


def test_what_a_pattern_would_mean_is_taken_literally():
    mask = Mask()
    mask.hide(b"a.c*")
    assert mask.masked(b"abc a.c*") == b"abc ***"
