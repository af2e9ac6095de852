"""twistd that is killed on the way of a token to the disk, as the system kills, once.

The first argument is a file that says where: "open", "sync", "rename" or "folder" (whose
sync is the last step), each before it is done.  The file is removed at that.  All other arguments
are those of twistd.
"""

from __future__ import annotations

import functools
import os
import signal
import sys
from pathlib import Path

#: In the order of the way.
STEPS = ("open", "sync", "rename", "folder")

_open, _sync, _rename = os.open, os.fsync, os.rename


def main():
    die_at = functools.partial(_die_at, Path(sys.argv.pop(1)))

    def opened(path, flags, *more, **options):
        if flags & os.O_CREAT and _is_token(path):
            die_at("open")
        return _open(path, flags, *more, **options)

    def synced(descriptor):
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        if path.name == "tokens":
            die_at("folder")
        elif _is_token(path):
            die_at("sync")
        return _sync(descriptor)

    def renamed(source, target, **options):
        if _is_token(target):
            die_at("rename")
        return _rename(source, target, **options)

    os.open, os.fsync, os.rename = opened, synced, renamed

    from twisted.scripts.twistd import run

    run()


def _die_at(file, step):
    try:
        dies = file.read_text() == step
    except FileNotFoundError:
        return
    if dies:
        file.unlink()
        os.kill(os.getpid(), signal.SIGKILL)


def _is_token(path):
    return Path(os.fsdecode(path)).parent.name == "tokens"


if __name__ == "__main__":
    main()
