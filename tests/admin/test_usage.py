"""How a command line is read, and how a command ends."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from multisendcon_plugin.admin.parser import make_parser
from multisendcon_plugin.web.control import NAME
from tests.admin.examples import delivery, lines, status

ROOT = Path(__file__).parents[2]
COMMANDS = (
    *("check", "explain", "status", "log", "reload", "user", "demo"),
    *(f"account {name}" for name in ("list", "test", "login", "pause", "resume", "probe")),
    *(f"preset {name}" for name in ("list", "show")),
    *(f"queue {n}" for n in ("list", "show", "retry", "hold", "release", "delete", "move")),
)


@pytest.mark.parametrize("command", ["", "account", "preset", "queue", *COMMANDS])
def test_each_command_has_a_help(run, command):
    ended = run(*command.split(), "--help")
    assert (ended.status, ended.err) == (0, "")
    assert ended.out.startswith(f"usage: multisendcon {command}".rstrip())
    assert "--config" in ended.out


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("", "the following arguments are required: COMMAND"),
        ("queue", "the following arguments are required: COMMAND"),
        ("account", "the following arguments are required: COMMAND"),
        ("qeue", "invalid choice: 'qeue'"),
        ("queue lst", "invalid choice: 'lst'"),
        ("queue list --colour", "unrecognized arguments: --colour"),
        ("queue list --state broken", "argument --state: invalid choice: 'broken'"),
        ("queue list --older-than soon", 'argument --older-than: "soon" is no time; write'),
        ("queue list --sender boss", "argument --sender: 'boss': "),
        ("queue list --recipient <>", "argument --recipient: '<>': "),
        ("queue list --limit 0", "argument --limit: '0' is not a number of at least 1"),
        ("queue list --limit many", "argument --limit: 'many' is not a number"),
        ("queue list EXTRA", "unrecognized arguments: EXTRA"),
        ("queue show", "the following arguments are required: ID"),
        ("queue move A", "the following arguments are required: --to-account"),
        ("queue hold", "queue hold: name mails by their IDs, or choose them by a filter"),
        ("queue hold A --account Sales", "queue hold: IDs, or a filter; not both"),
        ("preset", "the following arguments are required: COMMAND"),
        ("preset show", "the following arguments are required: NAME"),
        ("account test", "the following arguments are required: NAME"),
        ("account test Sales --to boss", "argument --to: 'boss': "),
        ("account login", "the following arguments are required: NAME"),
        ("account pause", "the following arguments are required: NAME"),
        ("explain boss@x.example", "the following arguments are required: RECIPIENT"),
        ("explain boss a@x.example", "argument SENDER: 'boss': "),
        ("log --since yesterday", 'argument --since: "yesterday" is no time; write for example'),
        ("log --since 2026-13-01", 'argument --since: "2026-13-01" is no time'),
        ("log --sender boss", "argument --sender: 'boss': "),
        ("user a:b", "argument NAME: "),
        ("user", "the following arguments are required: NAME"),
    ],
)
def test_what_cannot_be_understood_is_told(run, relay, line, said):
    ended = run(*line.split())
    assert (ended.status, ended.out) == (2, "")
    assert said in ended.err
    assert relay.asked == []


@pytest.mark.parametrize("order", ["before", "behind"])
def test_the_configuration_may_stand_before_the_command(order):
    config = ["--config", "relay.toml"]
    words = ["queue", "list"]
    options = make_parser().parse_args(config + words if order == "before" else words + config)
    assert options.config == "relay.toml"


def test_times_may_be_written_in_both_ways():
    arguments = ["log", "--since=90m", "--until=2026-01-31T12:00:00+01:00"]
    options = make_parser().parse_args(arguments)
    assert (options.since, options.until) == ("90m", "2026-01-31T12:00:00+01:00")


# How it ends.


def start(folder, *arguments, **how):
    command = [sys.executable, "-m", "multisendcon_plugin", *arguments]
    config = str(folder.parent / "multisendcon.toml")
    return subprocess.Popen(
        [*command, "--config", config], cwd=ROOT, stderr=subprocess.PIPE, text=True, **how
    )


@pytest.mark.parametrize("more", [["--json"], []])
def test_who_has_seen_enough_may_stop_to_read(folder, relay, more):
    relay.answers_with("GET queue", lines=lines(*[delivery()] * 20_000))
    process = start(folder, "queue", "list", *more, stdout=subprocess.PIPE)
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == ""
    process.stderr.close()
    assert process.wait(60) == 0


def test_who_never_reads_a_short_answer_is_told_nothing(folder, relay):
    relay.answers_with("GET status", status())
    reads, writes = os.pipe()
    os.close(reads)
    process = start(folder, "status", stdout=writes)
    os.close(writes)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")


def test_ctrl_c_ends_it_quietly(folder):
    with socket.socket(socket.AF_UNIX) as deaf:
        deaf.bind(str(folder / NAME))
        deaf.listen()
        process = start(folder, "log", "--follow")
        with deaf.accept()[0]:
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, "")


def test_a_locale_without_letters_is_no_reason_to_stop(folder, relay):
    relay.answers_with("GET queue", lines=lines(delivery(account="Köln")))
    environment = os.environ | {"PYTHONIOENCODING": "ascii:strict"}
    process = start(folder, "queue", "list", stdout=subprocess.PIPE, env=environment)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    assert re.search(r"K\\xf6ln", out)
