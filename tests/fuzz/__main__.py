"""Plays many scripts of one target, and ends with status 1 at the first that breaks a rule.

With atheris (`pip install atheris`), coverage of the program guides it; without, the scripts are
random.
"""

from __future__ import annotations

import argparse
import importlib
import random
import sys
import time
import traceback

from twisted.logger import globalLogBeginner

#: Modules with a `play` for a script's octets.
TARGETS = {
    "sessions": "tests.fuzz.script",
    "fields": "tests.fuzz.fields",
    "reports": "tests.fuzz.reports",
}
#: Octets of a script.
_LONGEST = 80


def main():
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("target", nargs="?", default="sessions", choices=TARGETS)
    parser.add_argument("--scripts", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--play", metavar="HEX", help="one script again, as it was printed")
    parser.add_argument("--atheris", action="store_true", help="guided by coverage")
    parser.add_argument("--corpus", help="a folder; atheris goes on with what it finds there")
    options = parser.parse_args()
    globalLogBeginner.beginLoggingTo([], redirectStandardIO=False, discardBuffer=True)
    if options.atheris:
        _guided(options)
    else:
        _random(options)


def _random(options):
    play = importlib.import_module(TARGETS[options.target]).play
    print("seed:", options.seed)
    chance = random.Random(options.seed)
    begin = time.monotonic()
    for number in range(1 if options.play else options.scripts):
        script = chance.randbytes(chance.randrange(4, _LONGEST))
        if options.play:
            script = bytes.fromhex(options.play)
        try:
            play(script)
        except Exception:
            traceback.print_exc()
            sys.exit(f"script {number}: {options.target} --play {script.hex()}")
    seconds = time.monotonic() - begin
    print(f"{number + 1} {options.target} in {seconds:.0f} s, no rule broken")


def _guided(options):
    import atheris

    with atheris.instrument_imports(include=["multisendcon_plugin"]):
        play = importlib.import_module(TARGETS[options.target]).play

    arguments = [f"-runs={options.scripts}", f"-seed={options.seed}", f"-max_len={_LONGEST}"]
    folders = [options.corpus] if options.corpus else []
    atheris.Setup([sys.argv[0], *arguments, *folders], play)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
