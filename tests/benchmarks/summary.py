"""What the rounds of a run come to: medians, ratios and their spread, beside what is wanted.

Pure.  The summary is made of types that JSON knows.
"""

from __future__ import annotations

import statistics


def summarize(row, rounds):
    """Summarize a row.

    :param rounds: for each round, by side, the figures by key.
    :return: by key: `unit`, the spread of each of the `sides`, the spread of what is `judged`,
        which is the ratio of each round or else the only side, and None where nothing is wanted,
        `limit`, `aim` and `better` as in the row, and the `verdict`.
    """
    return {key: _figure(row, key, figure, rounds) for key, figure in row.figures.items()}


def _figure(row, key, figure, rounds):
    sides = [[each[side][key] for each in rounds] for side in row.sides]
    judged = spread(_judged(*sides)) if figure.limit is not None else None
    return {
        "unit": figure.unit,
        "sides": dict(zip(row.sides, map(spread, sides), strict=True)),
        "judged": judged,
        "limit": figure.limit,
        "aim": figure.aim,
        "better": figure.better,
        "verdict": verdict(judged["median"], figure) if judged else "",
    }


def _judged(values, beside=None):
    """Return what is judged of each round, from the values of one side or two."""
    return [a / b for a, b in zip(values, beside, strict=True)] if beside else values


def spread(values):
    """Return the median, and how far the values lie apart."""
    return {"median": statistics.median(values), "least": min(values), "most": max(values)}


def verdict(value, figure):
    """Return "aim" or "limit" for what was reached, or "missed"."""
    for name, wanted in (("aim", figure.aim), ("limit", figure.limit)):
        if wanted is not None and (value >= wanted if figure.better == "more" else value <= wanted):
            return name
    return "missed"
