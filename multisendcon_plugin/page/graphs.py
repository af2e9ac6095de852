"""Small graphs, as paths of SVG: attributes only, as no style may stand in a page.  Pure."""

from __future__ import annotations

from collections.abc import Sequence

#: Of a graph, in units of its own; one of them is a value wide.
HEIGHT = 20


def bars(values: Sequence[int]) -> str:
    """Return values as bars beside each other, the greatest as high as the graph.

    :return: for the attribute ``d``; ``""``: there is nothing to be seen.
    """
    most = max(values, default=0)
    if not most:
        return ""
    steps, height = [f"M0 {HEIGHT}"], 0
    for place, value in enumerate(values):
        # What is there is to be seen.
        now = max(1, round(HEIGHT * value / most)) if value else 0
        if now != height:
            steps.append(f"H{place}V{HEIGHT - now}")
            height = now
    return "".join([*steps, f"H{len(values)}V{HEIGHT}Z"])
