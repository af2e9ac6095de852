"""What the rounds of a run come to: medians, ratios and their spread, beside what is wanted.

Pure.  The summary is made of types that JSON knows.
"""

from __future__ import annotations

import statistics


def summarize(row, rounds):
    """Summarize a row.

    :param rounds: for each round, by side, the figures by key.
    :return: by key: `unit`, the spread of each of the `sides`, the spread of what is `judged`,
        which is the ratio of each round or else the only side, `limit`, `aim` and `better` as in
        the row, and the `verdict`.
    """
    return {key: _figure(row, key, figure, rounds) for key, figure in row.figures.items()}


def _figure(row, key, figure, rounds):
    sides = {side: [each[side][key] for each in rounds] for side in row.sides}
    first, *others = sides.values()
    judged = spread([a / b for a, b in zip(first, *others, strict=True)] if others else first)
    return {
        "unit": figure.unit,
        "sides": {side: spread(values) for side, values in sides.items()},
        "judged": judged,
        "limit": figure.limit,
        "aim": figure.aim,
        "better": figure.better,
        "verdict": verdict(judged["median"], figure),
    }


def spread(values):
    """Return the median, and how far the values lie apart."""
    return {"median": statistics.median(values), "least": min(values), "most": max(values)}


def verdict(value, figure):
    """Return "aim" or "limit" for what was reached, "missed", or "" when nothing is wanted."""
    if figure.limit is None:
        return ""
    for name, wanted in (("aim", figure.aim), ("limit", figure.limit)):
        if wanted is not None and (value >= wanted if figure.better == "more" else value <= wanted):
            return name
    return "missed"
