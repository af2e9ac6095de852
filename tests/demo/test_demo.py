"""The demonstration, run as a newcomer runs it."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path

ROOT = Path(__file__).parents[2]
TWISTD = [sys.executable, "-c", "from twisted.scripts.twistd import run; run()"]


def run(command):
    """Run a command of the command line as it is printed."""
    ended = subprocess.run(
        [sys.executable, "-m", "multisendcon_plugin", *shlex.split(command)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def look_at(url):
    """Return what a browser is shown of the page."""
    with urllib.request.urlopen(url, timeout=60) as answer:
        return answer.read().decode()


def test_the_demonstration_shows_all_mails_and_leaves_nothing_behind(tmp_path):
    work, temporary = tmp_path / "work", tmp_path / "tmp"
    work.mkdir()
    temporary.mkdir()
    process = subprocess.Popen(
        [*TWISTD, "-n", "multisendcon", "--demo"],
        cwd=work,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(temporary)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    watchdog = threading.Timer(60, process.kill)
    watchdog.start()
    try:
        lines = []
        for line in process.stdout:
            lines.append(line)
            if "Ctrl-C ends" in line:
                break
        page = look_at(re.search(r"http://127\.0\.0\.1:\d+/", "".join(lines))[0])
        commands = re.findall(r"^ +multisendcon (--config=.*)$", "".join(lines), re.MULTILINE)
        said = {command.partition("toml ")[2]: run(command) for command in commands}
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate()
    finally:
        watchdog.cancel()
        process.kill()
    output = "".join(lines)
    assert re.findall(r"^ *(\d+)  <", output, re.MULTILINE) == [str(n) for n in range(1, 14)]
    assert 'From: "The Boss" <sales@example.com>' in output
    assert "From: The Boss <boss@sales.example.com>" in output
    assert "127.0.0.11 to mx.secure.example, HELO mail.sales.example.com, TLSv1." in output
    assert "greylisted" in output
    assert "account  Newsletter, 1." in output
    assert "Traceback" not in output + rest
    assert " !! " not in output  # there is nothing to be warned of
    assert "running since" in said["status"]
    assert "delivered <anna@customer.example> by Sales: 250" in said["log"]
    assert "Sales" in said["explain boss@sales.example.com anna@customer.example"]
    assert "login" in said["account test Sales"]
    assert said["account pause Sales"] == "Sales is paused\n"
    assert "queue list" in said
    assert said["account resume Sales"] == "Sales goes on\n"
    assert "Sign in" not in page
    for name in ("Sales", "Support", "Branch office", "Shop"):
        assert name in page
    assert not list(work.iterdir())
    assert not list(temporary.iterdir())
