"""What of a server's words is shown where it may repeat a secret."""

from __future__ import annotations

import base64
import html
import json
import string
from random import Random
from urllib.parse import quote, quote_plus

import pytest

from multisendcon_plugin.relay.redaction import Redaction

SECRET = b"S3cret word"
SAID = base64.b64encode(SECRET)


@pytest.mark.parametrize(
    "said", [SECRET, SECRET.lower(), SECRET.upper(), SAID, SAID.upper(), SAID.rstrip(b"=")]
)
def test_a_secret_is_hidden_in_each_form_in_which_a_server_may_repeat_it(said):
    redaction = Redaction()
    redaction.hide(SECRET)
    assert redaction.redacted(b"no: " + said + b" is wrong").startswith(b"no: ***")
    assert said not in redaction.redacted(b"no: " + said + b" is wrong")


def test_a_secret_that_is_a_part_of_another_leaves_nothing_of_it():
    redaction = Redaction()
    redaction.hide(b"pass")
    redaction.hide(b"password!")
    assert redaction.redacted(b"password! and pass") == b"*** and ***"


@pytest.mark.parametrize("secrets", [(), (b"",)])
def test_without_a_secret_all_is_shown(secrets):
    redaction = Redaction()
    redaction.hide(*secrets)
    assert redaction.redacted(b"535 no") == b"535 no"


def test_what_a_pattern_would_mean_is_taken_literally():
    redaction = Redaction()
    redaction.hide(b"a.c*")
    assert redaction.redacted(b"abc a.c*") == b"abc ***"


SPECIAL = 'c4nary-Pa"5 5&<wörd/+%'


@pytest.mark.parametrize(
    "said",
    [
        quote(SPECIAL),
        quote(SPECIAL, safe=""),
        quote_plus(SPECIAL),
        json.dumps(SPECIAL),
        json.dumps(SPECIAL, ensure_ascii=False),
        html.escape(SPECIAL),
    ],
)
def test_a_secret_is_hidden_as_programs_write_it(said):
    redaction = Redaction()
    redaction.hide(SPECIAL.encode())
    assert b"c4nary" not in redaction.redacted(said.encode())


@pytest.mark.parametrize("form", [SECRET, SAID.rstrip(b"=")])
@pytest.mark.parametrize("between", [b"\n", b" \n", b"\n5.7.8 ", b"\n 4.7.0  "])
def test_a_secret_that_goes_over_the_end_of_a_line_takes_all_lines_with_it(form, between):
    redaction = Redaction()
    redaction.hide(SECRET)
    for at in range(1, len(form)):
        said = b"you said " + form[:at] + between + form[at:] + b", no\nbye"
        assert redaction.redacted(said) == b"***\n***\n***"


def test_lines_are_shown_where_there_is_no_secret():
    redaction = Redaction()
    redaction.hide(SECRET, b"oner")
    assert redaction.redacted(b"one\nread " + SECRET) == b"one\nread ***"


# Tokens.

LETTERS = string.ascii_letters + string.digits + "-_."
TOKEN = "".join(Random("tokens").choices(LETTERS, k=2500)).encode()
SENT = base64.b64encode(b"user=sales\1auth=Bearer " + TOKEN + b"\1\1")


@pytest.fixture
def tokens():
    redaction = Redaction()
    redaction.hide(TOKEN, SENT)
    return redaction


@pytest.mark.parametrize("form", [TOKEN, SENT, base64.b64encode(TOKEN)])
@pytest.mark.parametrize(
    "repeated",
    [
        bytes,
        bytes.upper,
        lambda form: form[:480],
        lambda form: form[100:164],
        lambda form: form[-64:],
        lambda form: quote(form, safe="").encode(),
        lambda form: json.dumps(form.decode()).replace("/", r"\/").encode(),
        lambda form: html.escape(form.decode()).replace("+", "&#43;").encode(),
        lambda form: b"AUTH=" + form + b".",
    ],
)
def test_a_token_is_hidden_and_so_is_a_part_of_it(tokens, form, repeated):
    shown = tokens.redacted(b"no: " + repeated(form) + b" is too long")
    assert shown.replace(b'"', b"") == b"no: *** is too long"


@pytest.mark.parametrize("width", [20, 63, 64, 76, 400])
@pytest.mark.parametrize("form", [TOKEN, SENT])
def test_a_token_over_several_lines_is_hidden(tokens, form, width):
    lines = [form[at : at + width] for at in range(0, len(form), width)]
    shown = tokens.redacted(b"\n5.7.8 ".join(lines))
    assert not any(line in shown for line in lines if len(line) > 16)


def test_beside_a_token_other_words_are_shown_however_long_and_other_secrets_are_not(tokens):
    tokens.hide(SECRET)
    said = b"queued as " + b"0123456789abcdef" * 20 + b".example by " + SECRET
    assert tokens.redacted(said) == said.replace(SECRET, b"***")
    assert tokens.redacted(said + b" " + TOKEN) == said.replace(SECRET, b"***") + b" ***"
    assert tokens.redacted(b"one\nread two") == b"one\nread two"
