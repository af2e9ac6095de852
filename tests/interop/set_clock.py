"""twistd with a clock on the wall that a test sets.

The first argument is a file with the seconds by which it is set; all others are those of twistd.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

_file = Path(sys.argv.pop(1))
_time = time.time
time.time = lambda: _time() + float(_file.read_text() or 0)

if __name__ == "__main__":
    from twisted.scripts.twistd import run

    run()
