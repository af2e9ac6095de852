"""Who may talk to the relay: the user whose files these are."""

from __future__ import annotations

import pwd
from pathlib import Path


def run_as_owner(path: Path) -> str:
    """Say as whom the command has to be run.

    :param path: what there is no right to; if even that cannot be looked at, the folder around it
        may be.
    """
    for each in (path, *path.parents):
        try:
            number = each.stat().st_uid
        except OSError:
            continue
        name = _name(number)
        return (
            f"it belongs to {name}: run the command as that user (sudo -u {name} multisendcon ...)"
        )
    return "run the command as the user of the relay"


def _name(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"#{number}"
