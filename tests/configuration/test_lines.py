"""Where the tables and keys of a document stand."""

from __future__ import annotations

from multisendcon_plugin.configuration.lines import line_numbers

DOCUMENT = '''\
# [spool]
top = 1
[ spool ]            # path = 2
path = "a # b = ["   # [ "not the end
"quoted" = """
[delivery]
path = 1
"""
list = [
  [
  ],
  "x = 1",
]
dotted . key = 1
[[account]]
name = 'one'
[account.password]
file = "x"
[[account]]

name = "two"
  port=25
'''


def test_tables_and_keys_are_found_where_they_begin():
    assert line_numbers(DOCUMENT) == {
        ("top",): 2,
        ("spool",): 3,
        ("spool", "path"): 4,
        ("spool", "quoted"): 5,
        ("spool", "list"): 9,
        ("spool", "dotted"): 14,
        ("spool", "dotted", "key"): 14,
        ("account",): 15,
        ("account", 0): 15,
        ("account", 0, "name"): 16,
        ("account", 0, "password"): 17,
        ("account", 0, "password", "file"): 18,
        ("account", 1): 19,
        ("account", 1, "name"): 21,
        ("account", 1, "port"): 22,
    }


def test_inline_tables_have_no_lines_of_their_own():
    assert line_numbers('account = [{ name = "a" }]\n') == {("account",): 1}


def test_windows_line_ends_count_once():
    assert line_numbers("a = 1\r\n[b]\r\nc = 1\r\n") == {("a",): 1, ("b",): 2, ("b", "c"): 3}
