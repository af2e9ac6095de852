from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.application.service import Application
from twisted.logger import ILogObserver, Logger, LogLevel, formatEventAsClassicLogText
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


def test_it_goes_to_standard_output(capsys):
    log.standard_output()(event_of(LogLevel.info, "text"))
    assert capsys.readouterr().out.endswith(" [some.room#info] text\n")


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
