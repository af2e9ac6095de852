"""The results of a run as tables in reStructuredText.

`python -m tests.benchmarks.table results.json docs/benchmarks.rst` puts them into a document,
between the comments "results begin" and "results end".
"""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path

_VERDICTS = {"aim": "aim reached", "limit": "enough", "missed": "missed", "": "--"}
_PLACE = re.compile(r"(?<=\.\. results begin\n\n).*?(?=\.\. results end\n)", re.DOTALL)


def tables(results):
    """Return the tables, one for all rows with the same sides, and what they were measured with."""
    rows = results["rows"]
    kinds = list(dict.fromkeys(tuple(row["sides"]) for row in rows.values()))
    parts = [
        _table(_head(sides), [line for name in rows for line in _lines(name, rows[name], sides)])
        for sides in kinds
    ]
    loads = "\n".join(f"* *{name}*: {row['about']}" for name, row in rows.items())
    return "\n\n".join([*parts, loads, _machine(results)]) + "\n"


def _head(sides):
    judged = ["ratio"] if len(sides) > 1 else []
    return ["row", "figure", *sides, *judged, "at least", "aim", "so"]


def _lines(name, row, sides):
    if tuple(row["sides"]) != sides:
        return
    for figure in row["summary"].values():
        judged = [_spread(figure["judged"])] if len(sides) > 1 else []
        yield [
            name,
            figure["unit"],
            *(_spread(figure["sides"][side]) for side in sides),
            *judged,
            _target(figure, "limit"),
            _target(figure, "aim"),
            _VERDICTS[figure["verdict"]],
        ]


def _target(figure, name):
    if figure[name] is None:
        return "--"
    return f"{'≥' if figure['better'] == 'more' else '≤'} {number(figure[name])}"


def _spread(spread):
    if spread is None:
        return "--"
    return "{} ({} to {})".format(*(number(spread[key]) for key in ("median", "least", "most")))


def number(value):
    """Return a number with three digits that count, or all before the point."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _table(head, lines):
    widths = [max(map(len, column)) for column in zip(head, *lines, strict=True)]
    rule = "  ".join("=" * width for width in widths)
    cells = [
        "  ".join(map(str.ljust, line, widths)).rstrip()  # the first cell is never empty
        for line in (head, *lines)
    ]
    return "\n".join([rule, cells[0], rule, *cells[1:], rule])


def _machine(results):
    facts = ", ".join(f"{key} {value}" for key, value in results["machine"].items())
    trial = "  A trial with small loads." if results["quick"] else ""
    return f"Medians of the rounds (least to most); rounds {results['rounds']}, {facts}.{trial}"


def put_into(document, results):
    """Return a document with these results in place of those that it had.

    :raise ValueError: the comments that say where are missing.
    """
    text, times = _PLACE.subn(lambda _: tables(results) + "\n", document)
    if times != 1:
        raise ValueError('the document has not one "results begin" and "results end"')
    return text


def main():
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.table", description=__doc__)
    parser.add_argument("results", type=Path)
    parser.add_argument("document", type=Path)
    chosen = parser.parse_args()
    results = json.loads(chosen.results.read_text())
    chosen.document.write_text(put_into(chosen.document.read_text("utf-8"), results), "utf-8")


if __name__ == "__main__":
    main()
