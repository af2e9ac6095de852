"""Signals that end the program do so wherever they come; those that are not for it do nothing."""

import gc
import os
import signal
import subprocess
import sys

import pytest

from multisendcon_plugin.daemon.signals import handle_hangup, handle_in_turn, kept_from_children
from multisendcon_plugin.tap import Options, makeService

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1)

#: A program that gets a signal just when its log has locked its file, and does not know it yet.
PROGRAM = """
import os, signal, sys
from twisted.internet import reactor
from twisted.logger import Logger, globalLogBeginner, textFileLogObserver
from twisted.python.logfile import LogFile
from multisendcon_plugin.daemon.signals import handle_in_turn

class Block:
    signals = [getattr(signal, sys.argv[2])]

    def __init__(self, block):
        self.block = block
        self.release = block.release

    def acquire(self, *args):
        got = self.block.acquire(*args)
        if got and self.signals:
            os.kill(os.getpid(), self.signals.pop())
        return got

def write():
    file._threadable_lock._block = Block(file._threadable_lock._block)
    Logger().info("now")

file = LogFile("log", sys.argv[1])
globalLogBeginner.beginLoggingTo([textFileLogObserver(file)], redirectStandardIO=False)
Logger().info("the file has its lock")
reactor.callWhenRunning(handle_in_turn, reactor)
reactor.callLater(0, write)
reactor.run()
"""


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_a_signal_while_the_log_is_written_ends_the_program(tmp_path, name):
    program = [sys.executable, "-c", PROGRAM, str(tmp_path), name]
    subprocess.run(program, timeout=30, check=True)
    assert f"Received {name}, shutting down." in (tmp_path / "log").read_text()


class Reactor:
    """Knows what is to be called in its next turn."""

    def __init__(self):
        self.turn = []
        self.said = []

    def sigInt(self, number, frame=None):  # noqa: N802 -- Twisted's name
        self.said.append(("INT", number))

    def sigTerm(self, number, frame=None):  # noqa: N802 -- Twisted's name
        self.said.append(("TERM", number))

    def callFromThread(self, function, *args):  # noqa: N802 -- Twisted's name
        self.turn.append((function, args))

    def do_turn(self):
        for function, args in self.turn:
            function(*args)


@pytest.fixture
def handlers_come_back():
    """After the test, the signals are handled as before."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("handlers_come_back")
def test_a_signal_is_handled_in_a_turn_of_the_reactor():
    reactor = Reactor()
    signal.signal(signal.SIGINT, reactor.sigInt)
    signal.signal(signal.SIGTERM, reactor.sigTerm)
    handle_in_turn(reactor)
    os.kill(os.getpid(), signal.SIGTERM)
    os.kill(os.getpid(), signal.SIGINT)
    assert reactor.said == []
    reactor.do_turn()
    assert reactor.said == [("TERM", signal.SIGTERM), ("INT", signal.SIGINT)]


@pytest.mark.usefixtures("handlers_come_back")
def test_handlers_of_others_stay():
    def own(number, frame):
        """Stand for a handler of the embedding program."""

    signal.signal(signal.SIGINT, own)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    handle_in_turn(Reactor())
    assert signal.getsignal(signal.SIGINT) is own
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN


@pytest.mark.usefixtures("handlers_come_back")
def test_sighup_is_handled_in_a_turn_of_the_reactor():
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    reactor = Reactor()
    got = []
    handle_hangup(reactor, got.append)
    os.kill(os.getpid(), signal.SIGHUP)
    os.kill(os.getpid(), signal.SIGHUP)
    assert got == []
    reactor.do_turn()
    assert got == [signal.SIGHUP] * 2


@pytest.mark.usefixtures("handlers_come_back")
@pytest.mark.parametrize("handler", [signal.SIG_IGN, lambda number, frame: None])
def test_a_handler_that_sighup_has_already_stays(handler):
    signal.signal(signal.SIGHUP, handler)
    handle_hangup(Reactor(), print)
    assert signal.getsignal(signal.SIGHUP) is handler


@pytest.mark.usefixtures("handlers_come_back")
def test_a_child_never_gets_them():
    sleeper = [sys.executable, "-c", "print(flush=True); input()"]
    with kept_from_children():
        child = subprocess.Popen(sleeper, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with child:
        for number in SIGNALS:
            child.send_signal(number)
        child.communicate(b"\n")
    assert child.returncode == 0
    # This process gets them as before.
    assert not signal.pthread_sigmask(signal.SIG_BLOCK, []) & {*SIGNALS}


@pytest.mark.usefixtures("handlers_come_back")
def test_the_plugin_asks_for_it_and_for_collections_that_leave_alone_what_stays(monkeypatch):
    from twisted.internet import reactor

    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    asked = []
    monkeypatch.setattr(reactor, "seconds", reactor.seconds)
    monkeypatch.setattr(reactor, "callWhenRunning", lambda *what: asked.append(what))
    options = Options()
    options.parseOptions(["--demo"])
    makeService(options)
    assert (handle_in_turn, reactor) in asked
    assert asked.index((gc.collect,)) < asked.index((gc.freeze,))
    assert reactor.sigTerm in signal.getsignal(signal.SIGHUP).args
