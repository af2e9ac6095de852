"""Tables, on a terminal and for a script."""

from __future__ import annotations

from itertools import count, islice

import pytest

from multisendcon_plugin.admin.table import Column, lines

COLUMNS = (Column("ID"), Column("N", right=True), Column("TEXT", shrinks=True), Column("END"))


def table(*rows, width=None):
    return list(lines(COLUMNS, rows, width))


def test_columns_are_as_wide_as_their_cells():
    assert table(("A", "1", "x", "z"), ("BBB", "100", "longer", "")) == [
        "ID     N  TEXT    END",
        "A      1  x       z",
        "BBB  100  longer",
    ]


def test_nothing_is_cut_for_a_script():
    assert table(("A", "1", "x" * 500, "z"))[1] == f"A   1  {'x' * 500}  z"


@pytest.mark.parametrize("width", [30, 60])
def test_a_row_is_a_line_of_the_terminal(width):
    rows = [("A", "1", "x" * 500, "z"), ("B", "1", "short", "z")]
    for line in table(*rows, width=width):
        assert len(line) <= width
    assert table(*rows, width=width)[1].endswith("x…  z")


def test_other_columns_are_not_cut():
    assert table(("A" * 50, "1", "x" * 500, "z"), width=20)[1] == f"{'A' * 50}  1  {'x' * 7}…  z"


def test_wide_and_combining_characters_count_as_they_are_shown():
    assert table(("日本", "1", "e\u0301", "z"), ("ABCD", "2", "e", "z")) == [
        "ID    N  TEXT  END",
        "日本  1  e\u0301     z",
        "ABCD  2  e     z",
    ]
    assert table(("A", "1", "日" * 50, "z"), width=22)[1] == "A   1  日日日日…   z"


def test_on_a_terminal_a_column_that_says_nothing_takes_no_room():
    rows = [("A", "1", "", "z"), ("B", "2", "", "y")]
    assert table(*rows, width=80) == ["ID  N  END", "A   1  z", "B   2  y"]
    assert table(*rows)[0] == "ID  N  TEXT  END"


def test_no_rows_no_titles():
    assert table() == []


def test_rows_are_taken_as_they_come():
    rows = (("A", str(n), "x", "z") for n in count())
    assert list(islice(lines(COLUMNS, rows, None), 1000))[-1] == "A   998  x     z"


def test_on_a_terminal_that_is_too_narrow_the_last_column_stands_below():
    columns = (Column("ID"), Column("TEXT", shrinks=True), Column("WHY", below=True))
    rows = [("A", "short", ""), ("B", "short", "because of a reason that is long")]
    assert list(lines(columns, rows, 30)) == [
        "ID  TEXT",
        "A   short",
        "B   short",
        "    because of a reason that …",
    ]
    assert list(lines(columns, rows, 80))[2] == "B   short  because of a reason that is long"
    assert next(lines(columns, rows, None)) == "ID  TEXT   WHY"
