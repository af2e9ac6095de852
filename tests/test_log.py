from __future__ import annotations

import io
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.application.service import Application
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import ILogObserver, Logger, LogLevel, formatEventAsClassicLogText
from twisted.python import threadable
from twisted.python.failure import Failure
from twisted.scripts.twistd import ServerOptions

from multisendcon_plugin import log
from multisendcon_plugin.tap import makeService


def event_of(*said, **fields):
    """Return the event that somebody publishes who says this."""
    events = []
    Logger(namespace="some.room", observer=events.append).emit(*said, **fields)
    (event,) = events
    return event


@given(
    st.sampled_from(list(LogLevel.iterconstants())),
    st.text() | st.sampled_from(["a\nb", "{field}", "{{}}", "{", "}", "{nothing}", "{call()}"]),
    st.integers(0, 4 * 10**12),
)
def test_a_line_is_what_twisted_would_write(level, text, now):
    event = event_of(level, text, field="x{y}\nz", call=lambda: 1)
    event["log_time"] = now / 1000
    assert log.line(event) == formatEventAsClassicLogText(event)


@pytest.mark.parametrize(
    "fields",
    [
        {"log_system": "of its own"},
        {"log_failure": Failure(ZeroDivisionError("why"))},
        {"log_format": None},
        {"log_format": b"octets"},
    ],
)
def test_what_is_not_so_simple_is_left_to_twisted(fields):
    event = event_of(LogLevel.info, "text") | fields
    assert log.line(event) == formatEventAsClassicLogText(event)


def test_an_event_from_elsewhere_has_less():
    assert log.line({"log_format": "text"}) == "- [-#-] text\n"


class Writes(io.StringIO):
    """A file that remembers what was written at a time."""

    def __init__(self):
        super().__init__()
        self.all = []

    def write(self, text):
        self.all.append([line.partition("] ")[2] for line in text.splitlines()])


@pytest.fixture
def reactor(monkeypatch):
    monkeypatch.setattr(threadable, "ioThread", threadable.getThreadID())
    reactor = MemoryReactorClock()
    reactor.running = True
    return reactor


def test_it_goes_to_standard_output(capsys):
    log.standard_output(MemoryReactorClock())(event_of(LogLevel.info, "text"))
    assert capsys.readouterr().out.endswith(" [some.room#info] text\n")


def test_what_is_told_in_one_turn_is_written_together(reactor):
    file = Writes()
    told = log.Log(file, reactor)
    for text in "ab":
        told(event_of(LogLevel.info, text))
    assert file.all == []
    reactor.advance(0)
    told(event_of(LogLevel.debug, "c"))
    reactor.advance(0)
    assert file.all == [["a", "b"], ["c"]]


@pytest.mark.parametrize("level", [LogLevel.warn, LogLevel.error, LogLevel.critical])
def test_what_is_urgent_is_written_at_once_behind_what_came_before(reactor, level):
    file = Writes()
    told = log.Log(file, reactor)
    told(event_of(LogLevel.info, "before"))
    told(event_of(level, "urgent"))
    assert file.all == [["before", "urgent"]]
    reactor.advance(0)
    assert file.all == [["before", "urgent"]]


def test_nothing_waits_for_a_reactor_that_does_not_run(reactor):
    file = Writes()
    told = log.Log(file, reactor)
    told(event_of(LogLevel.info, "last turn"))
    reactor.running = False
    told(event_of(LogLevel.info, "the end"))
    assert file.all == [["last turn", "the end"]]


def test_other_threads_do_not_touch_what_waits(reactor):
    file = Writes()
    told = log.Log(file, reactor)
    told(event_of(LogLevel.info, "waits"))
    thread = threading.Thread(target=told, args=(event_of(LogLevel.info, "from elsewhere"),))
    thread.start()
    thread.join()
    assert file.all == [["from elsewhere"]]
    reactor.advance(0)
    assert file.all == [["from elsewhere"], ["waits"]]


def test_an_event_that_is_not_to_be_written_is_none(reactor):
    file = Writes()
    log.Log(file, reactor)({"log_format": ""})
    reactor.advance(0)
    assert file.all == []


@pytest.mark.parametrize(
    ("options", "ours"),
    [
        (["--nodaemon"], True),
        (["--nodaemon", "--logfile=-"], True),
        (["--nodaemon", "--logfile=relay.log"], False),
        (["--nodaemon", "--syslog"], False),
        ([], False),
    ],
)
def test_it_is_for_twistd_in_the_foreground(tmp_path, monkeypatch, options, ours):
    from twisted.internet import reactor

    monkeypatch.setattr(reactor, "seconds", reactor.seconds)
    configuration = tmp_path / "relay.toml"
    configuration.write_text(
        f'[spool]\npath = "{tmp_path}/spool"\n[[account]]\nname = "A"\nserver = "a.example"\n'
    )
    twistd = ServerOptions()
    twistd.parseOptions([*options, "multisendcon", f"--config={configuration}"])
    service = makeService(twistd.subOptions)
    application = Application("multisendcon")
    service.setServiceParent(application)
    observer = application.getComponent(ILogObserver)
    assert (observer is not None) == ours
