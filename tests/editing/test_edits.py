"""Edits of a file as admins write one: where things come to stand, and what is refused."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from multisendcon_plugin.configuration.tables import TABLES
from multisendcon_plugin.editing.blocks import blocks_of
from multisendcon_plugin.editing.difference import difference
from multisendcon_plugin.editing.edits import (
    in_order,
    with_account,
    with_values,
    without_account,
    without_table,
)
from multisendcon_plugin.editing.scan import Kind, NotScannedError, scan
from multisendcon_plugin.editing.secrets import masked, unmasked
from multisendcon_plugin.errors import AccountNotFoundError, EditRefusedError

REFERENCE = (Path(__file__).parents[2] / "etc" / "multisendcon.toml").read_text("utf-8")
TEXT = """\
# The relay of the house.

[delivery]
retry = "5m"   # as they want it
#give_up = "2d"

# Everybody in sales.
[[account]]
name = "Sales"
senders = [  # who
  "*@sales.example.com",  # all
  "boss@example.com",
]
password.file = "sales"

[account.oauth2]
provider = "google"

# The rest.
[[account]]
name = 'Rest'
server = "smtp.example.com"
"""


def changed(before, after):
    """Return the lines that went and came."""
    return [line for line in difference(before, after).splitlines() if line[0] in "+-"]


def test_a_value_is_another_and_its_comment_stays():
    assert changed(TEXT, with_values(TEXT, ("delivery",), {"retry": "1m"})) == [
        '-retry = "5m"   # as they want it',
        '+retry = "1m"   # as they want it',
    ]


def test_a_new_key_comes_below_the_last_one():
    assert with_values(TEXT, ("account", "Rest"), {"port": 587}) == TEXT + "port = 587\n"
    assert changed(TEXT, with_values(TEXT, ("delivery",), {"x": 1})) == ["+x = 1"]


def test_lines_end_as_those_of_the_file():
    text = "# x\r\n\r\n[delivery]"
    assert with_values(text, ("delivery",), {"x": 1}) == text + "\r\nx = 1"


def test_a_dotted_key_takes_the_place_of_another():
    text = '[[account]]\nname = "A"\npassword.file = "x"\nport = 1\n'
    result = with_values(text, ("account", "A"), {"password": {"env": "P"}})
    assert result == text.replace('file = "x"', 'env = "P"')


def test_elements_of_a_list_keep_their_lines_and_comments():
    values = {"senders": ["*@sales.example.com", "new@example.com"]}
    assert changed(TEXT, with_values(TEXT, ("account", "Sales"), values)) == [
        '-  "boss@example.com",',
        '+  "new@example.com",',
    ]


def test_a_list_on_one_line_stays_on_it_with_the_quotes_that_it_has():
    text = "[master_relay]\nlisten = ['a\\b', \"c\"]  # x\n"
    result = with_values(text, ("master_relay",), {"listen": ["new", "a\\b"]})
    assert result == "[master_relay]\nlisten = [\"new\", 'a\\b']  # x\n"


def test_dotted_keys_stay_dotted_and_inline_tables_inline():
    account = ("account", "Sales")
    assert changed(TEXT, with_values(TEXT, account, {"password": {"env": "P"}})) == [
        '-password.file = "sales"',
        '+password.env = "P"',
    ]
    assert changed(TEXT, with_values(TEXT, account, {"password": "secret"})) == [
        '-password.file = "sales"',
        '+password = "********"',
    ]
    assert '\npassword = { file = "f" }\n' in with_values(
        TEXT, ("account", "Rest"), {"password": {"file": "f"}}
    )


def test_a_table_inside_of_an_account_is_changed_made_and_removed():
    sales = ("account", "Sales", "oauth2")
    values = {"provider": "microsoft", "tenant": "t"}
    assert changed(TEXT, with_values(TEXT, sales, values)) == [
        '-provider = "google"',
        '+provider = "microsoft"',
        '+tenant = "t"',
    ]
    made = TEXT + '\n[account.oauth2]\nprovider = "google"\n'
    assert with_values(TEXT, ("account", "Rest", "oauth2"), {"provider": "google"}) == made
    assert with_values(TEXT, ("account", "Rest"), {"oauth2": {"provider": "google"}}) == made
    assert with_values(made, ("account", "Rest"), {"oauth2": None}).rstrip() == TEXT.rstrip()
    assert with_values(TEXT, ("account", "Rest", "oauth2"), {"provider": None}) == TEXT


def test_a_table_is_made_where_the_reference_file_has_it():
    result = with_values(TEXT, ("metrics",), {})
    assert changed(TEXT, result) == ["+", "+[metrics]"]
    assert result.index("[delivery]") < result.index("[metrics]") < result.index("[[account]]")
    assert without_table(result, ("metrics",)) == TEXT
    assert without_table(TEXT, ("metrics",)) == TEXT
    client = with_values(TEXT, ("client", 0), {"addresses": ["192.0.2.1"]})
    assert tomllib.loads(client)["client"] == [{"addresses": ["192.0.2.1"]}]
    assert tomllib.loads(with_values(client, ("client", 1), {"a": 1}))["client"][1] == {"a": 1}
    assert without_table(client, ("client", 0)) == TEXT


def test_an_account_comes_above_another_or_last():
    values = {"name": "New", "oauth2": {"provider": "google"}, "server": "x"}
    written = '[[account]]\nname = "New"\nserver = "x"\n\n[account.oauth2]\nprovider = "google"\n'
    assert with_account(TEXT, values) == f"{TEXT}\n{written}"
    above = with_account(TEXT, values, "Rest")
    assert above == TEXT.replace("# The rest.", f"{written}\n# The rest.")
    assert without_account(above, "New") == TEXT
    assert with_account("", {"name": "A"}) == '[[account]]\nname = "A"\n'
    assert with_account("# x", {"name": "A"}) == '# x\n\n[[account]]\nname = "A"'


def test_accounts_move_with_what_belongs_to_them():
    head, sales, rest = (
        TEXT[: TEXT.index("# Everybody")],
        TEXT[TEXT.index("# Everybody") : TEXT.index("\n\n# The rest.")],
        TEXT[TEXT.index("# The rest.") : -1],
    )
    assert in_order(TEXT, ["Rest", "Sales"]) == f"{head}{rest}\n\n{sales}\n"
    assert in_order(TEXT, ["Sales", "Rest"]) == TEXT


def test_a_comment_that_comes_to_stand_above_a_header_does_not_become_its_own():
    text = '[[account]]\nname = "A"\n[[account]]\nname = "B"\n\n# of B\n'
    result = in_order(text, ["B", "A"])
    assert result == '[[account]]\nname = "B"\n\n# of B\n\n[[account]]\nname = "A"\n'


def test_a_comment_that_begins_the_file_stays_there():
    text = '# The file.\n[[account]]\nname = "A"\n\n# of B\n[[account]]\nname = "B"\n'
    assert in_order(text, ["B", "A"]).startswith("# The file.\n# of B\n[[account]]")
    assert without_account(text, "A").startswith("# The file.\n# of B")


@pytest.mark.parametrize("name", list(TABLES))
def test_every_table_of_the_reference_file_can_be_changed(name):
    repeated = TABLES[name].repeated
    there = tomllib.loads(REFERENCE).get(name)
    path = (name, 0) if repeated else (name,)
    result = with_values(REFERENCE, path, {"new": 1})
    assert [line for line in changed(REFERENCE, result) if line[0] == "-"] == []
    assert len(changed(REFERENCE, result)) <= (1 if there else 3)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("x", "is not TOML"),
        ('a = "\n', "is not TOML"),
        ("a = 1\na = 2\n[[account]]\nname = 'A'\n", "is not TOML"),
        ('[[account]]\nname = "A"\n[[account]]\nname = "A"\n', 'two accounts .* "A"'),
        ("[[account]]\nname = 'A'\nport = 1\n[log]\n[account.oauth2]\n", None),
        ('account = [{ name = "A" }]\n', None),
        ('account = [\n  { name = "A", port = 1 }, # first\n]\n', None),
    ],
)
def test_what_cannot_be_changed_is_refused_and_what_can_is_right(text, what):
    if what:
        with pytest.raises(EditRefusedError, match=what):
            with_values(text, ("account", "A"), {"port": 25})
        return
    meant = tomllib.loads(text)
    meant["account"][0]["port"] = 25
    assert tomllib.loads(with_values(text, ("account", "A"), {"port": 25})) == meant
    for edit in (
        lambda: without_account(text, "A"),
        lambda: in_order(text, ["A"]),
    ):
        with pytest.raises(EditRefusedError, match=r"edit .*text .*by hand"):
            edit()


def test_a_plain_installation_shows_the_text_and_writes_it():
    modules = "secrets", "difference", "file"
    code = "import sys; sys.modules['tomlkit'] = None; " + "; ".join(
        f"import multisendcon_plugin.editing.{name}" for name in modules
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_who_is_not_there_is_told():
    with pytest.raises(AccountNotFoundError, match='no account "Nobody"'):
        with_values(TEXT, ("account", "Nobody"), {})
    with pytest.raises(AccountNotFoundError):
        without_account(TEXT, "Nobody")
    with pytest.raises(AccountNotFoundError):
        with_account(TEXT, {"name": "New"}, "Nobody")
    with pytest.raises(EditRefusedError, match="choose another name"):
        with_account(TEXT, {"name": "Rest"})
    with pytest.raises(EditRefusedError, match="has 0 tables"):
        with_values(TEXT, ("client", 1), {"a": 1})
    for names in (["Sales"], ["Sales", "Rest", "Rest"], ["Sales", "Nobody"], []):
        with pytest.raises(EditRefusedError, match="name each account"):
            in_order(TEXT, names)


def test_what_would_mean_something_else_is_refused(monkeypatch):
    wrong = "multisendcon_plugin.editing.edits.with_value"
    monkeypatch.setattr(wrong, lambda text, *others: text + "\nmore = 1\n")
    with pytest.raises(EditRefusedError, match="edit its text by hand"):
        with_values(TEXT, ("delivery",), {"retry": "1m"})


def test_a_long_text_is_scanned_once_and_read_in_part(monkeypatch):
    text = "".join(
        f'# account {number}\n[[account]]\nname = "A{number}"\nserver = "smtp.example.com"\n'
        f'senders = [\n  "*@a{number}.example.com",\n]\npassword = "c4nary{number}"\n\n'
        for number in range(10_000)
    )
    read = []
    loads = tomllib.loads
    monkeypatch.setattr(tomllib, "loads", lambda part: read.append(len(part)) or loads(part))
    result = with_values(text, ("account", "A5000"), {"server": "other"})
    assert changed(text, result) == ['-server = "smtp.example.com"', '+server = "other"']
    names = [f"A{number}" for number in range(10_000)]
    names[7], names[8] = names[8], names[7]
    assert len(changed(text, in_order(text, names))) == 18
    assert len(without_account(text, "A1").splitlines()) == len(text.splitlines()) - 9
    with_account(text, {"name": "New"}, "A9999")
    assert sum(read) < 10_000
    assert "c4nary" not in masked(text)
    assert unmasked(masked(text), text) == text
    assert len(blocks_of(text)) == 10_001


@pytest.mark.parametrize("text", ["a", "a =", "a = 'x", "[a", "a = [1", "a = 1 2 # x\nb = [", "{}"])
def test_what_is_not_toml_is_not_scanned_but_may_be_looked_at(text):
    with pytest.raises(NotScannedError):
        list(scan(text))
    assert Kind.BROKEN in {item.kind for item in scan(text, lenient=True)}


def test_names_may_be_quoted_and_have_dots():
    text = '["a.b" . \'c"d\'.e]\n"f\\u0067".h = 1\n'
    header, entry = scan(text)
    assert (header.keys, entry.keys) == (("a.b", 'c"d', "e"), ("fg", "h"))
