"""The minimum wait in the eyes of two servers, over a kill, a restart and a fallback."""

from __future__ import annotations

from types import SimpleNamespace

from tests.endurance import wait
from tests.endurance.wait import gaps
from tests.interop.watched import Event


def test_no_mail_begins_before_the_minimum_wait_is_over(tmp_path):
    assert wait.run(tmp_path, SimpleNamespace(mails=16)) == []


def test_gaps_are_seen_over_all_connections_and_ends():
    story = [
        (1.0, 1, "mail"),
        (2.0, 1, "reply"),
        (2.5, 2, "mail"),
        (3.0, 2, "close"),
        (3.1, 1, "close"),
        (3.2, 3, "mail"),
        (3.4, 4, "mail"),
    ]
    events = [Event(at=at, session=n, what=what, about="") for at, n, what in story]
    assert [round(gap, 3) for gap in gaps(events)] == [0.5, 0.2, -0.2]
