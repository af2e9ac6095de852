"""All rows and curves of the benchmark, in the order of the table.

A module with some of them has a tuple `ROWS` and a tuple `CURVES`.
"""

from __future__ import annotations

from tests.benchmarks import accounts, growth, listings, pages, peers, stalls, stories

_MODULES = (peers, accounts, growth, stalls, listings, stories, pages)

ROWS = {row.name: row for module in _MODULES for row in module.ROWS}
CURVES = {curve.name: curve for module in _MODULES for curve in module.CURVES}
