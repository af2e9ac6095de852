"""The completion scripts for shells are those of the command line as it is.

``python -m tests.admin.test_completion`` writes them anew.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
import shtab

from multisendcon_plugin.admin.parser import make_parser

FOLDER = Path(__file__).parents[2] / "etc/completion"
#: The version of shtab that has written them; another one may write otherwise.
WRITTEN_BY = "1.13.0"
SCRIPTS = {"bash": FOLDER / "multisendcon.bash", "zsh": FOLDER / "_multisendcon"}


def script(shell):
    return shtab.complete(make_parser(), shell) + "\n"


@pytest.mark.skipif(shtab.__version__ != WRITTEN_BY, reason=f"needs shtab {WRITTEN_BY}")
@pytest.mark.parametrize("shell", SCRIPTS)
def test_the_script_is_up_to_date(shell):
    assert SCRIPTS[shell].read_text("utf-8") == script(shell), f"run: python -m {__name__}"


@pytest.mark.skipif(not shutil.which("bash"), reason="there is no bash here")
@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("acc", ["account"]),
        ("account p", ["pause", "probe"]),
        ("preset s", ["show"]),
        ("queue move --to", ["--to-account"]),
        ("queue list --state res", ["resting"]),
        ("--config /etc/pass", ["/etc/passwd"]),
        ("queue list --config /etc/pass", ["/etc/passwd"]),
    ],
)
def test_bash_completes(words, found):
    line = ["multisendcon", *words.split()]
    program = f"""
        source {SCRIPTS["bash"]}
        COMP_WORDS=({" ".join(line)})
        COMP_CWORD={len(line) - 1}
        _shtab_multisendcon {line[0]} {line[-1]} {line[-2]}
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    ended = subprocess.run(
        ["bash", "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert [each for each in ended.stdout.split() if not each.endswith("-")] == found
    assert ended.stderr == ""


if __name__ == "__main__":
    for shell, path in SCRIPTS.items():
        path.write_text(script(shell), "utf-8")
