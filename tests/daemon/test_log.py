from __future__ import annotations

import io
import os
import re
import signal
import syslog
import threading
from unicodedata import category

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.application.service import Application
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import (
    ILogObserver,
    Logger,
    LogLevel,
    eventAsJSON,
    eventFromJSON,
    formatEventAsClassicLogText,
)
from twisted.python import threadable
from twisted.python.failure import Failure
from twisted.python.syslog import SyslogObserver
from twisted.scripts.twistd import ServerOptions

from multisendcon_plugin.daemon import log
from multisendcon_plugin.tap import makeService


def event_of(*said, **fields):
    """Return the event that somebody publishes who says this."""
    events = []
    Logger(namespace="some.room", observer=events.append).emit(*said, **fields)
    (event,) = events
    return event


HARMLESS = st.text(st.characters(exclude_categories=["Cc", "Cf", "Cs", "Zl", "Zp"]))


@given(
    st.sampled_from(list(LogLevel.iterconstants())),
    HARMLESS | st.sampled_from(["{field}", "{{}}", "{", "}", "{nothing}", "{call()}"]),
    st.integers(0, 4 * 10**12),
)
def test_a_line_is_what_twisted_would_write(level, text, now):
    event = event_of(level, text, field="x{y} z", call=lambda: 1)
    event["log_time"] = now / 1000
    assert log.line(event) == formatEventAsClassicLogText(event)


#: What does harm, and how it is shown: C0, DEL, C1, line ends, what is not seen, surrogates.
HARMFUL = {
    "\x1b]0;owned\x07": r"\x1b]0;owned\x07",
    "\x00\t\r\n": r"\x00\t\r\n",
    "\x7f\x85\x9b31m": r"\x7f\x85\x9b31m",
    "\u2028\u2029": r"\u2028\u2029",
    "\u202egpj.exe\u2066": r"\u202egpj.exe\u2066",
    "a\u200b\u200d\ufeff\xadb": r"a\u200b\u200d\ufeff\xadb",
    "\U000e0041": r"\U000e0041",
    "\ud800": r"\ud800",
    "a\n2025-11-28T01:00:00+0000 [queue#info] X: accepted": (
        r"a\n2025-11-28T01:00:00+0000 [queue#info] X: accepted"
    ),
}


@pytest.fixture(params=["plain", "field", "flattened", "system"])
def said(request):
    """Return an event that says something, in each way in which an event can say it."""

    def event(text):
        if request.param == "plain":
            return event_of(LogLevel.info, text)
        if request.param == "system":
            return event_of(LogLevel.info, "text") | {"log_system": text}
        event = event_of(LogLevel.info, "{it}", it=text)
        if request.param == "flattened":  # as the front process' events come
            event = eventFromJSON(eventAsJSON(event))
        return event

    return event


@pytest.mark.parametrize(("text", "shown"), HARMFUL.items())
def test_what_strangers_say_neither_ends_a_line_nor_acts_on_a_terminal(said, text, shown):
    line = log.line(said(text))
    assert shown in line
    assert line.removesuffix("\n").isprintable()


@given(st.text())
def test_a_line_is_one_line_whatever_is_said(text):
    line = log.line(event_of(LogLevel.info, "it: {it}", it=text))
    assert len(line.splitlines()) == 1
    assert {category(each) for each in line[:-1]}.isdisjoint({"Cc", "Cf", "Cs", "Zl", "Zp"})


@pytest.mark.parametrize(
    "harmless", ["Grüße, \u3000東京", "\xa0", "a\\x1bb", "👩", "\ufe0f", "%s{"]
)
def test_what_does_no_harm_stays(said, harmless):
    assert harmless in log.line(said(harmless))


@pytest.mark.parametrize("character", ["x", "é", "\x1b", "\u202e", "😀", "\ud800"])
@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "iso8859-1"])
def test_a_line_has_a_longest_length_and_says_that_it_is_cut(said, character, encoding):
    """A million characters of a stranger took a line of up to 4 MB before."""
    event = said(character * 1_000_000)
    line = log.line(event, encoding)
    assert len(line.encode(encoding)) <= 8_001
    assert re.search(r"\.\.\. \(cut, of 1000\d\d\d characters\)(\] text)?\n$", line)


@pytest.mark.parametrize("size", [1990, 2010, 7_900])
def test_what_fits_is_not_cut(said, size):
    assert "x" * size in log.line(said("x" * size))


def test_a_traceback_has_lines_that_are_bounded_like_all_others():
    """What an exception says may come from strangers, too."""
    failure = Failure(ValueError("\x1b[2J\u202e\n" * 100_000 + "y" * 100_000))
    text = log.line(event_of(LogLevel.critical, "trouble", log_failure=failure))
    first, *others = text.removesuffix("\n").split("\n")
    assert first.endswith("trouble")
    assert len(others) <= 200
    assert all(line[0] == "\t" and (line[1:] or "x").isprintable() for line in others)
    assert max(len(line) for line in others) <= 8_001
    assert "lines are left out" in text
    assert r"\x1b[2J\u202e" in text


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


class Lines(list):
    """What a file in some encoding got."""

    def __init__(self, encoding, errors="strict", reactor=None):
        super().__init__()
        octets = io.BytesIO()
        self.file = io.TextIOWrapper(octets, encoding, errors, newline="")
        self.told = log.Log(self.file, reactor or MemoryReactorClock())
        self.octets = octets.getvalue


@pytest.mark.parametrize("encoding", ["ascii", "iso8859-1", "utf-8", "cp1252"])
def test_no_line_is_lost_for_its_encoding(reactor, encoding):
    """Of these 4 lines of one turn, none arrived before: the first fault took all with it."""
    file = Lines(encoding, reactor=reactor)
    for text in ("first", "\ud800 東京 é \x80", "<ü@bücher.example>", "last"):
        file.told(event_of(LogLevel.info, text))
    reactor.advance(0)
    lines = file.octets().decode(encoding).splitlines()
    assert [line.partition("] ")[2] for line in lines][::3] == ["first", "last"]
    assert len(lines) == 4
    assert r"\ud800" in lines[1]
    assert r"\x80" in lines[1]
    assert ("東京" if encoding == "utf-8" else r"\u6771\u4eac") in lines[1]
    assert (r"\xfc" if encoding == "ascii" else "ü") in lines[2]


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


def twistd(**options):
    return {"nodaemon": True, "logfile": None, "syslog": False, "prefix": "relay"} | options


@pytest.mark.parametrize("name", [None, "", "-"])
def test_it_goes_to_standard_output(capsys, name):
    log.observer(twistd(logfile=name), MemoryReactorClock())(event_of(LogLevel.info, "text"))
    assert capsys.readouterr().out.endswith(" [some.room#info] text\n")


@pytest.fixture
def usr1():
    before = signal.signal(signal.SIGUSR1, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGUSR1, before)


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"logfile": "relay.log"}, "relay.log"),
        ({"logfile": "relay.log", "nodaemon": False}, "relay.log"),
        ({"nodaemon": False}, "twistd.log"),
    ],
)
def test_it_goes_to_a_file(tmp_path, monkeypatch, usr1, options, name):
    """Twisted's own log lost a line with a lone surrogate, and wrote an ESC as it is."""
    monkeypatch.chdir(tmp_path)
    told = log.observer(twistd(**options), MemoryReactorClock())
    told(event_of(LogLevel.info, "\x1b[2J \ud800 é"))
    text = (tmp_path / name).read_text("utf-8")
    assert text.endswith(" [some.room#info] \\x1b[2J \\ud800 é\n")


def test_a_file_is_changed_for_a_new_one_at_the_signal(tmp_path, usr1):
    class Now:
        running = False

        def callFromThread(self, function):  # noqa: N802
            function()

    told = log.observer(twistd(logfile=str(tmp_path / "relay.log")), Now())
    told(event_of(LogLevel.info, "before"))
    os.kill(os.getpid(), signal.SIGUSR1)
    told(event_of(LogLevel.info, "after"))
    assert "before" in (tmp_path / "relay.log.1").read_text()
    assert "before" not in (tmp_path / "relay.log").read_text()
    assert "after" in (tmp_path / "relay.log").read_text()


def test_it_goes_to_the_log_of_the_system(monkeypatch):
    """Twisted raised ValueError for a NUL, UnicodeEncodeError for a lone surrogate."""
    opened, said = [], []
    monkeypatch.setattr(SyslogObserver, "openlog", lambda _, *how: opened.append(how[0]))
    monkeypatch.setattr(SyslogObserver, "syslog", lambda _, *what: said.append(what))
    told = log.observer(twistd(syslog=True), MemoryReactorClock())
    told(event_of(LogLevel.info, "a\x00{it}", it="\ud800\nb" + "x" * 10_000))
    told(event_of(LogLevel.error, "bad"))
    told(event_of(LogLevel.critical, "", log_failure=Failure(ZeroDivisionError("why"))))
    told({"log_format": ""})
    assert opened == ["relay"]
    (level, line), (error, bad), *traceback = said
    assert line.startswith(r"[-] a\x00\ud800\nbxxx")
    assert line.endswith("characters)")
    assert len(line) <= 8_004
    assert (level, error) == (syslog.LOG_INFO, syslog.LOG_ALERT)
    assert bad == "[-] bad"
    assert {each for each, _ in traceback} == {syslog.LOG_ALERT}
    assert traceback[-1][1].startswith("[-] \t")
    assert traceback[-1][1].endswith("ZeroDivisionError: why")


def test_a_daemon_has_no_standard_output():
    assert log.observer(twistd(logfile="-", nodaemon=False), MemoryReactorClock()) is None


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
    ("options", "kind"),
    [
        (["--nodaemon"], log.Log),
        (["--nodaemon", "--logfile=-"], log.Log),
        (["--nodaemon", "--logfile=relay.log"], log.Log),
        (["--nodaemon", "--syslog"], log.SystemLog),
        (["--logfile=-"], type(None)),
        ([], log.Log),
    ],
)
def test_it_is_ours_wherever_twistd_writes_it(tmp_path, monkeypatch, usr1, options, kind):
    from twisted.internet import reactor

    monkeypatch.setattr(reactor, "seconds", reactor.seconds)
    monkeypatch.chdir(tmp_path)
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
    assert type(observer) is kind
