"""Who may talk to the relay, and write beside it: the user whose files these are."""

from __future__ import annotations

import os
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


def become_owner(folder: Path) -> None:
    """Go on as the owner of a folder for good, if this is root: what is made there is the relay's.

    :raise OSError: the folder cannot be looked at.
    """
    owner = folder.stat().st_uid
    if os.geteuid() != 0 or owner == 0:
        return
    try:
        user = pwd.getpwuid(owner)
    except KeyError:
        os.setgroups([])
        os.setgid(folder.stat().st_gid)
    else:
        os.initgroups(user.pw_name, user.pw_gid)
        os.setgid(user.pw_gid)
    os.setuid(owner)


def _name(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"#{number}"
