"""What the benchmark makes of its rounds, and the tables in the documents."""

from __future__ import annotations

import pytest

from tests.benchmarks.row import Bench, Figure, Row
from tests.benchmarks.summary import spread, summarize, verdict
from tests.benchmarks.table import number, put_into, tables

RATE = Figure(unit="messages/s", limit=2, aim=5)
STALL = Figure(unit="ms", limit=100, better="less")


def row(*sides, **figures):
    return Row(name="row", about="", sides=sides, figures=figures, measure=lambda *_: {})


def results(judged, rounds):
    summary = summarize(judged, rounds)
    return {
        "machine": {"processors": 2},
        "quick": False,
        "rounds": len(rounds),
        "rows": {judged.name: {"about": "mails", "sides": judged.sides, "summary": summary}},
    }


def test_the_ratio_is_that_of_each_round():
    rounds = [{"ours": {"rate": a}, "theirs": {"rate": b}} for a, b in ((6, 2), (8, 4), (9, 1))]
    figure = summarize(row("ours", "theirs", rate=RATE), rounds)["rate"]
    assert figure["sides"]["ours"] == {"median": 8, "least": 6, "most": 9}
    assert figure["judged"] == {"median": 3, "least": 2, "most": 9}
    assert figure["verdict"] == "limit"


def test_a_row_with_one_side_is_judged_by_itself():
    figure = summarize(row("ours", stall=STALL), [{"ours": {"stall": n}} for n in (30, 90, 50)])
    assert figure["stall"]["judged"] == spread([30, 90, 50])
    assert figure["stall"]["verdict"] == "limit"


@pytest.mark.parametrize(
    ("value", "figure", "expected"),
    [
        (5, RATE, "aim"),
        (2, RATE, "limit"),
        (1.9, RATE, "missed"),
        (100, STALL, "limit"),
        (101, STALL, "missed"),
        (0.2, Figure(unit="ms", limit=0.3, aim=0.2, better="less"), "aim"),
    ],
)
def test_verdict(value, figure, expected):
    assert verdict(value, figure) == expected


def test_numbers_have_three_digits_that_count():
    assert [number(n) for n in (12345.6, 100.4, 100, 99.94, 0.01234, 0)] == [
        "12,346",
        "100",
        "100",
        "99.9",
        "0.0123",
        "0",
    ]


def test_the_table_replaces_the_one_before():
    document = "Above.\n\n.. results begin\n\nold\n\n.. results end\n\nBelow.\n"
    found = results(row("ours", stall=STALL), [{"ours": {"stall": 30}}])
    once = put_into(document, found)
    assert put_into(once, found) == once
    assert once.startswith("Above.\n\n.. results begin\n\n===")
    assert once.endswith("\n\n.. results end\n\nBelow.\n")
    assert "old" not in once
    assert "row  ms      30 (30 to 30)  ≤ 100     --   enough" in once


def test_a_document_without_a_place_for_results_is_left_alone():
    with pytest.raises(ValueError, match="results begin"):
        put_into("no place", results(row("ours", stall=STALL), [{"ours": {"stall": 30}}]))


def test_only_what_has_a_target_has_a_ratio():
    compared = row("ours", "theirs", rate=RATE, sink=Figure(unit="processors"))
    ours, theirs = {"rate": 12, "sink": 0.1}, {"rate": 3, "sink": 0}
    found = results(compared, [{"ours": ours, "theirs": theirs}])
    assert found["rows"]["row"]["summary"]["sink"]["judged"] is None
    _, head, _, rate, sink, *_ = tables(found).splitlines()
    assert head.split() == ["row", "figure", "ours", "theirs", "ratio", "at", "least", "aim", "so"]
    assert "4 (4 to 4)" in rate
    assert sink.split()[-4:] == ["--"] * 4


def test_a_short_run_has_small_loads():
    assert [Bench().scaled(1000), Bench(quick=True).scaled(1000)] == [1000, 40]
    assert Bench(quick=True).scaled(1) == 1
