"""Which field of a form a fault of the configuration is about.  Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable


def placed(
    faults: Iterable[str], title: str, names: Iterable[str]
) -> tuple[dict[str, list[str]], list[str]]:
    """Return faults by the name of their field, and all others.

    :param faults: sentences of a check, such as ``FILE, line 1, [[account]] "A", port: REASON``.
    :param title: how they name the table.
    :param names: of the fields; of a table inside of the table, as in ``oauth2.tenant``.
    """
    there = "|".join(re.escape(each.replace(".", ", ")) for each in names)
    # The name of a file may be anything, but the table comes first that has a title like this.
    pattern = re.compile(rf".*?{re.escape(title)}, ({there}): (.*)", re.DOTALL)
    by_name: dict[str, list[str]] = {}
    others = []
    for fault in faults:
        if found := pattern.fullmatch(fault):
            by_name.setdefault(found[1].replace(", ", "."), []).append(found[2])
        else:
            others.append(fault)
    return by_name, others
