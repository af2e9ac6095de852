"""Secrets are seen by nobody, and are there again when their masks come back."""

from __future__ import annotations

import tomllib

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from multisendcon_plugin.configuration import tables
from multisendcon_plugin.editing import scan, secret_places, secrets
from multisendcon_plugin.editing.difference import difference
from multisendcon_plugin.editing.secrets import MASK, masked, masked_document, unmasked
from multisendcon_plugin.errors import EditRefusedError
from multisendcon_plugin.settings import kinds
from multisendcon_plugin.settings.keys import key
from tests.editing.texts import SECRET, texts


def test_the_declarations_say_what_is_secret():
    assert secret_places.declared() == {
        ("alarm", "webhook"),
        ("account", "password"),
        ("account", "oauth2", "client_secret"),
        ("ndr", "password"),
        ("ndr", "oauth2", "client_secret"),
    }


def test_a_key_that_is_declared_secret_is_hidden_at_once(monkeypatch):
    @attrs.frozen(kw_only=True)
    class Settings:
        token: str = key(kinds.text, default="", secret=True, doc="It.")

    monkeypatch.setitem(tables.TABLES, "new", tables.Table(Settings))
    for name in ("declared", "_is_secret", "_named_so", "_commented", "_loose_key"):
        monkeypatch.setattr(secret_places, name, getattr(secret_places, name).__wrapped__)
    assert masked('[new]\ntoken = "x"\n') == f'[new]\ntoken = "{MASK}"\n'


@settings(max_examples=60)
@given(texts())
def test_a_secret_is_never_in_what_is_shown(made):
    shown = masked(made.text)
    assert SECRET not in shown
    assert unmasked(shown, made.text) == made.text
    assert tomllib.loads(shown) == masked_document(tomllib.loads(made.text))
    assert masked(shown) == shown
    assert SECRET not in difference("", made.text)


@settings(max_examples=60)
@given(texts(), st.data())
def test_not_even_of_a_text_that_is_not_toml(made, data):
    lines = made.text.splitlines(keepends=True)
    place = data.draw(st.integers(0, len(lines)))
    broken = data.draw(
        st.sampled_from(['"', "]", "x", "= 1", "[[", "[account", '"""', 'note = "', "x = {"])
    )
    assert SECRET not in masked("".join([*lines[:place], f"{broken}\n", *lines[place:]]))


@pytest.mark.parametrize(
    "written",
    [
        'password = "c4nary',
        "password = c4nary",
        "password = c4nary#c4nary",
        "password = c4nary c4nary  # x",
        'password = "x"c4nary',
        "password = 'c4nary' c4nary",
        'password = """x\nc4nary',
        'password = """x\nc4nary""" c4nary',
        "password = [\n  'c4nary'\n]",
        "password = [\n  'c4nary'\nserver = 1",
        "password = { text = 'c4nary' }",
        "password = { file = 'x', text = 'c4nary' }",
        "password = { file = 'x' 'c4nary'",
        "oauth2 = { client_secret = 'c4nary', scope 'x' }",
        "oauth2 = { scope 'x', client_secret = 'c4nary' }",
        "oauth2 = { scope = '', client_secret = 'c4nary',\n '' }",
        "password = [ { file = 'c4nary' } ]",
        '"password" = "c4nary"',
        "'password'\t=\t'''c4nary'''",
        '"pass\\u0077ord" = "c4nary"',
        "password.text = 'c4nary'",
        "password = 1234567\t# c4nary",
        'oauth2 = { client_secret = """c4nary""" }',
        'oauth2 = { "client_secret" = "c4nary", scope = [ "x" ] }',
        'oauth2."client_secret" = "c4nary"',
        '[account.oauth2]\nclient_secret = "c4nary"',
        '[account."oauth2"]\n"client_secret" = "c4nary"',
        '[account.password]\nvalue = "c4nary"',
        '[[account.password]]\nvalue = "c4nary"',
        '# password = "c4nary"',
        "#password=c4nary",
        "# password: c4nary",
        "# Client-Secret: 'c4nary c4nary'",
        'Password = "c4nary"',
        'oauth2 = { Client-Secret = "c4nary" }',
        'clientSecret = "c4nary"',
        '"pass word" = "c4nary"',
        'password: "c4nary"',
        "client_secret : c4nary",
        'PASSWORD "c4nary"',
        'password =\n  "c4nary"',
        'password = "x\nc4nary"',
        "password = 'x\nc4nary\nc4nary'",
        'smtp.password = "c4nary"',
        '[delivery]\npassword = "c4nary"',
        '[unknown]\nhooks = [{ webhook = "c4nary" }]',
        'port = 25 # client_secret = "c4nary"',
        '[alarm]\nwebhook = "https://c4nary/"',
        'x = 1\n[ndr]\npassword = "c4nary"',
    ],
)
@pytest.mark.parametrize("end", ["\n", "", "\r\n", '\nserver = "s"\n', "\nnot TOML\n"])
def test_a_secret_is_hidden_however_it_is_written(written, end):
    text = f'[[account]]\nname = "a"\n{written}{end}'
    if end == "\r\n":
        text = text.replace("\r\n", "\n").replace("\n", "\r\n")
    assert "c4nary" not in masked(text)
    assert "1234567" not in masked(text)
    if is_toml(text):
        assert unmasked(masked(text), text) == text


def is_toml(text):
    try:
        tomllib.loads(text)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize(
    "text",
    [
        '[[account]]\npassword = { file = "x" }\n',
        "[[account]]\npassword.env = 'X'\n",
        '[[account]]\npassword = { command = ["pass", "show"] } # x\n',
        '[account.password]\ncredential = "x"\n',
        '[[account]]\n#password = { file = "x" }\n',
        '[[account]]\npassword = ""\n',
        '[delivery]\nnote = "password" # the password: ask the office\n',
        '[[account]]\nname = "password"\nusername = "client_secret x"\n',
        'not TOML\npassword = { file = "x" }  # y\nclient_secret = { env = "Y" }\n',
    ],
)
def test_the_place_where_a_secret_is_kept_is_no_secret(text):
    assert masked(text) == text
    assert difference(text, text) == ""


def test_accounts_as_one_value_are_masked_too():
    text = 'account = [{ name = "a", password = "c4nary" }, { name = "b", password = "d4rling" }]\n'
    shown = masked(text)
    assert shown == text.replace("c4nary", MASK).replace("d4rling", MASK)
    turned = f'account = [{{ password = "{MASK}", name = "b" }}]\n'
    assert unmasked(turned, text) == 'account = [{ password = "d4rling", name = "b" }]\n'


ACCOUNTS = """\
[[account]]
name = "a"
password = "of a"

[[account]]
name = "b"
password = '''of
b'''
# password = "before"
"""
B = f'[[account]]\nname = "b"\npassword = "{MASK}"\n'


def test_a_mask_is_known_by_the_name_of_its_account():
    assert unmasked(B, ACCOUNTS) == B.replace(f'"{MASK}"', "'''of\nb'''")


def test_an_account_with_another_name_is_known_by_its_place():
    renamed = masked(ACCOUNTS).replace('"b"', '"c"')
    assert unmasked(renamed, ACCOUNTS) == ACCOUNTS.replace('"b"', '"c"')
    exchanged = masked(ACCOUNTS).replace('"a"', '"x"').replace('"b"', '"a"')
    with pytest.raises(EditRefusedError, match='account "x", password'):
        unmasked(exchanged, ACCOUNTS)


def test_a_secret_goes_to_no_other_account():
    text = masked(ACCOUNTS) + f'\n[[account]]\nname = "new"\npassword = "{MASK}"\n'
    with pytest.raises(
        EditRefusedError, match=r'account "new", password is .*write the secret itself'
    ):
        unmasked(text, ACCOUNTS)


def test_a_mask_where_only_a_place_was_is_refused():
    original = '[[account]]\nname = "b"\npassword = { file = "x" }\n[alarm]\n'
    with pytest.raises(EditRefusedError, match="there is none"):
        unmasked(B, original)
    with pytest.raises(EditRefusedError, match=r"\[alarm\], webhook is"):
        unmasked(f'[alarm]\nwebhook = "{MASK}"\n', original)


def test_a_new_secret_stays_what_it_is():
    text = masked(ACCOUNTS).replace(f'password = "{MASK}"', 'password = "fresh"', 1)
    assert unmasked(text, ACCOUNTS) == ACCOUNTS.replace("of a", "fresh")


def test_a_text_that_is_not_toml_is_mended_without_its_secrets():
    broken = ACCOUNTS.replace('name = "a"\n', 'name = "a\n')
    assert unmasked(masked(broken), broken) == broken
    mended = masked(broken).replace('name = "a\n', 'name = "a"\n')
    assert unmasked(B, broken) == unmasked(B, ACCOUNTS)
    assert unmasked(mended, broken) == ACCOUNTS


def test_two_accounts_of_one_name_keep_their_own():
    text = ACCOUNTS.replace('"b"', '"a"')
    assert unmasked(masked(text), text) == text


def test_a_difference_tells_that_a_secret_is_another_and_not_which():
    after = ACCOUNTS.replace("of a", "new of a").replace('name = "b"', 'name = "c"')
    assert difference(ACCOUNTS, after) == (
        "@@ -1,8 +1,8 @@\n"
        ' [[account]]\n name = "a"\n'
        f'-password = "{MASK}"\n+password = "{MASK}"\n'
        ' \n [[account]]\n-name = "b"\n+name = "c"\n'
        f' password = "{MASK}"\n # password = "{MASK}"\n'
    )


def test_a_difference_has_the_lines_around_and_their_numbers():
    before = "".join(f"line{n} = 1\n" for n in range(20))
    after = before.replace("line9 = 1\n", "line9 = 2\nnew = 1\n")
    assert difference(before, after).splitlines() == [
        "@@ -7,7 +7,8 @@",
        *(f" line{n} = 1" for n in (6, 7, 8)),
        "-line9 = 1",
        "+line9 = 2",
        "+new = 1",
        *(f" line{n} = 1" for n in (10, 11, 12)),
    ]
    assert difference(before, before) == ""
    assert difference("", "a = 1\n") == "@@ -0,0 +1 @@\n+a = 1\n"
    assert difference("a = 1\n", "") == "@@ -1 +0,0 @@\n-a = 1\n"


def test_the_mask_is_what_clients_know():
    assert secrets.MASK == "********"


@pytest.mark.parametrize(
    "line",
    [
        "x",
        "x = [",
        "# #password # password is # secret : of whom",
        'password = "',
        "password = { file = ",
        "'''",
    ],
)
def test_a_long_text_that_is_not_toml_takes_no_longer_by_its_square(line):
    text = f"{line}\n" * 20_000 + '\n\n[ndr]\npassword = "c4nary"\n'
    assert "c4nary" not in masked(text)
    assert "c4nary" not in masked(text.replace("\n", " ") + '\n[ndr]\npassword = "c4nary"\n')


def test_few_brackets_that_are_never_closed_are_looked_for(monkeypatch):
    measured = []
    closed = scan._closed
    monkeypatch.setattr(scan, "_closed", lambda *at: measured.append(at) or closed(*at))
    found = list(scan.scan("x = [\n" * 1000, lenient=True))
    assert {each.kind for each in found} == {scan.Kind.BROKEN}
    assert len(measured) == scan.MOST_UNCLOSED


def test_a_secret_that_is_put_into_a_comment_is_not_lost_unsaid():
    text = masked(ACCOUNTS).replace('"a"\npassword', '"a"\n#password')
    with pytest.raises(
        EditRefusedError, match=r'a comment with "password =" is .*write the secret'
    ):
        unmasked(text, ACCOUNTS)


def test_a_secret_in_a_comment_stays_with_its_account():
    original = '[[account]]\nname = "a"\n#password = "of a"\n'
    second = '\n[[account]]\nname = "b"\n#password = "of b"\n'
    assert unmasked(masked(second), original + second) == second
