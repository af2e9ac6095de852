"""Alarms by a program: what it gets, and what becomes of one that fails, hangs, or floods."""

from __future__ import annotations

import json
import os
import shutil
import stat
import tempfile
from pathlib import Path
from unittest import mock

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.trial import unittest

from multisendcon_plugin.monitoring import command as alarm_command
from multisendcon_plugin.monitoring.command import AlarmCommand
from multisendcon_plugin.operations.values import Alarm, AlarmKind
from multisendcon_plugin.times import Time
from tests.live_relay import Log

CANARY = "c4nary-Pa55"


def alarm(text="cannot log in", account="A"):
    return Alarm(kind=AlarmKind.LOGIN, account=account, text=text, since=Time(1_700_000_000.0))


class Ended(AlarmCommand):
    """Says when nothing runs any more."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.at_rest = Deferred()

    def ended(self, program, why):
        super().ended(program, why)
        if not self._running and not self.at_rest.called:
            self.at_rest.callback(None)


class Commands(unittest.TestCase):
    timeout = 30

    def setUp(self):
        from twisted.internet import reactor
        from twisted.logger import globalLogPublisher

        self.reactor = reactor
        self.folder = Path(tempfile.mkdtemp(prefix="multisendcon-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.log = Log()
        globalLogPublisher.addObserver(self.log)
        self.addCleanup(globalLogPublisher.removeObserver, self.log)

    def command(self, script, *arguments):
        path = self.folder / "page"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        command = Ended((str(path), *arguments), self.reactor)
        self.addCleanup(command.stop)
        return command

    async def test_it_gets_the_alarm_as_json_and_its_arguments_as_they_are(self):
        command = self.command(
            f'echo "$1" > {self.folder}/args; cat > {self.folder}/told', "$(id) *"
        )
        command.tell(alarm('"; rm -rf / #'))
        await command.at_rest
        assert (self.folder / "args").read_text() == "$(id) *\n"
        assert json.loads((self.folder / "told").read_text()) == {
            "kind": "login",
            "account": "A",
            "text": '"; rm -rf / #',
            "since": 1_700_000_000.0,
            "since_at": "2023-11-14T22:13:20.000Z",
            "over": False,
        }
        assert self.log.having("alarm command") == []

    async def test_it_gets_no_variable_that_may_be_a_password(self):
        with mock.patch.dict(os.environ, {"SALES_PASSWORD": CANARY, "LANG": "C"}):
            command = self.command(f"env > {self.folder}/env")
            command.tell(alarm())
            await command.at_rest
        env = (self.folder / "env").read_text()
        assert CANARY not in env
        assert "LANG=C\n" in env

    async def test_one_that_fails_is_logged_with_the_end_of_what_it_said(self):
        command = self.command("echo no route >&2; exit 3")
        command.tell(alarm())
        await command.at_rest
        [line] = self.log.having("alarm command")
        assert "page failed: " in line
        assert line.endswith("exit code 3.: no route")

    async def test_one_that_is_not_there_is_logged(self):
        command = Ended(("/nowhere/page",), self.reactor)
        command.tell(alarm())
        await command.at_rest
        [line] = self.log.having("alarm command /nowhere/page ")
        assert "cannot be started: [Errno 2]" in line or "failed" in line

    async def test_one_that_floods_fills_neither_memory_nor_log(self):
        command = self.command("head -c 3000000 /dev/zero | tr '\\0' x; exit 1")
        command.tell(alarm())
        await command.at_rest
        [line] = self.log.having("alarm command")
        assert len(line) < 1000

    async def test_one_that_reads_nothing_harms_nobody(self):
        command = self.command("exec <&-; exit 0")
        command.tell(alarm("x" * 1_000_000))
        await command.at_rest
        assert self.log.having("alarm command") == []

    async def test_one_that_hangs_is_killed(self):
        self.patch(alarm_command, "RUNS_FOR", 0.2)
        command = self.command("exec sleep 1000")
        command.tell(alarm())
        await command.at_rest
        assert len(self.log.having("was killed, since it ran for more than")) == 1

    async def test_what_it_leaves_behind_is_not_waited_for(self):
        command = self.command(f"sleep 1000 & echo $! > {self.folder}/pid")
        command.tell(alarm())
        await command.at_rest
        os.kill(int((self.folder / "pid").read_text()), 9)

    async def test_two_run_at_a_time_and_all_get_their_turn(self):
        script = f"""
            n=$(ls {self.folder}/running.* 2>/dev/null | wc -l)
            touch {self.folder}/running.$$
            echo $n >> {self.folder}/beside
            cat > /dev/null
            rm {self.folder}/running.$$
        """
        command = self.command(script)
        for n in range(8):
            command.tell(alarm(str(n)))
            assert len(command._running) <= alarm_command.MOST_RUNNING
        await command.at_rest
        while command._running or command._waiting:
            await deferLater(self.reactor, 0.01)
        beside = (self.folder / "beside").read_text().split()
        assert len(beside) == 8
        assert max(map(int, beside)) < alarm_command.MOST_RUNNING

    async def test_alarms_that_are_too_many_to_wait_are_dropped_the_oldest_first(self):
        self.patch(alarm_command, "MOST_WAITING", 3)
        command = self.command("exec sleep 1000")
        for n in range(7):
            command.tell(alarm(str(n)))
        assert [each.text for each in command._waiting] == ["4", "5", "6"]
        assert len(self.log.having("too many alarms wait")) == 2
        self.stopped(command)

    def stopped(self, command):
        pids = [each.transport.pid for each in command._running]
        command.stop()
        for pid in pids:
            os.kill(pid, 9)
        command.tell(alarm())
        assert not command._waiting
