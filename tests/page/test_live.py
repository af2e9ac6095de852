"""What pages hear while they are open, and that nothing is done while none is."""

from __future__ import annotations

import attrs

from multisendcon_plugin.events import AttemptEnded, DeliveryHeld, MailAccepted
from multisendcon_plugin.outcome.attempt import Verdict
from multisendcon_plugin.outcome.condition import State
from multisendcon_plugin.outcome.judgement import Judgement
from multisendcon_plugin.page.live import EVERY, KEPT, LINGER, MOST, ROWS
from multisendcon_plugin.page.passing import row
from multisendcon_plugin.settings.admins import Admins
from multisendcon_plugin.web.event_stream import HEARTBEAT, MOST_WAITING
from tests.page.viewer import Viewer
from tests.queues import NOW, attempt, delivery


def accepted(number=1, **more):
    return MailAccepted((delivery(number, account="Sales", **more),))


def tried(number, verdict):
    mail = delivery(number, account="Sales")
    ended = attempt(mail, verdict)
    taken = ended.outcomes if verdict is Verdict.DELIVERED else ()
    return AttemptEnded(mail, ended, Judgement(remaining=mail, delivered=taken), NOW)


def later(viewer, seconds=EVERY):
    """Let time pass as it does, in small steps."""
    viewer.desk.clock.pump([EVERY / 4] * round(4 * seconds / EVERY))


def test_a_page_hears_the_board_and_then_only_what_has_changed():
    viewer = Viewer()
    page = viewer.open()
    assert "X-Accel-Buffering: no" in page.head
    assert "Content-Type: text/event-stream" in page.head
    later(viewer)
    [board] = page.heard("board")
    assert 'data-account="Sales"' in board["html"]
    viewer.desk.mail()
    later(viewer, 2)
    messages = page.messages()
    assert [name for name, _, _ in messages] == ["cells"]
    assert messages[0][2]["0-waiting"] == "1"
    assert "0-reason" not in messages[0][2]


def test_a_board_of_another_shape_is_told_as_a_whole():
    viewer = Viewer()
    page = viewer.open()
    later(viewer)
    page.messages()
    viewer.desk.queue.states["Lab"] = State.LOGIN
    later(viewer, 2)
    [board] = page.heard("board")
    # It needs somebody, and so is the first one.
    assert board["html"].index('data-account="Lab"') < board["html"].index('data-account="Sales"')


def test_pages_that_look_at_the_same_share_what_is_made():
    viewer = Viewer()
    made = []
    html = viewer.live._html
    viewer.live._html = lambda *args: made.append(args) or html(*args)
    pages = [viewer.open() for _ in range(20)]
    other = viewer.open("/live?account=lab")
    later(viewer, 3)
    assert len(made) == 2
    assert all(len(page.heard("board")) == 1 for page in pages)
    [board] = other.heard("board")
    assert 'data-account="Sales"' not in board["html"]
    # Who comes later gets what the others have.
    late = viewer.open()
    assert len(late.heard("board")) == 1
    assert len(made) == 2


def test_the_flow_of_mails():
    viewer = Viewer()
    page = viewer.open()
    later(viewer)
    viewer.desk.events.publish(accepted(recipients=("<script>@x.example", *"bcde")))
    viewer.desk.events.publish(tried(1, Verdict.DELIVERED))
    later(viewer)
    [flow] = page.heard("flow")
    assert [row["event"] for row in flow["rows"]] == ["accepted", "delivered"]
    assert flow["rows"][0]["recipients"] == "<script>@x.example, b, c and 2 more"
    assert flow["left_out"] == 0


def test_of_much_that_happens_a_part_is_told_and_what_went_wrong_first():
    viewer = Viewer()
    page = viewer.open()
    later(viewer)
    viewer.desk.events.publish(tried(1, Verdict.DEFERRED))
    for number in range(100):
        viewer.desk.events.publish(accepted(number + 2))
    later(viewer)
    [flow] = page.heard("flow")
    assert len(flow["rows"]) == ROWS
    assert flow["rows"][0]["event"] == "deferred"
    assert flow["left_out"] == 101 - ROWS


def test_what_admins_do_is_in_the_flow():
    viewer = Viewer()
    page = viewer.open()
    later(viewer)
    viewer.desk.events.publish(DeliveryHeld(delivery(1)))
    later(viewer)
    assert [row["event"] for row in page.heard("flow")[0]["rows"]] == ["held"]


def test_who_comes_again_hears_what_was_missed_and_no_more():
    viewer = Viewer()
    page = viewer.open()
    later(viewer)
    for number in (1, 2):
        viewer.desk.events.publish(accepted(number))
        later(viewer)
    numbers = [number for name, number, _ in page.messages() if name == "flow"]
    page.connection.lose()
    viewer.desk.events.publish(accepted(3))
    later(viewer)
    for last, missed in ((numbers[0], 2), (numbers[1], 1), ("nonsense", 3), ("9" * 30, 3)):
        assert len(viewer.open("/live", ("Last-Event-ID", last)).heard("flow")) == missed


def test_no_more_of_the_flow_is_kept_than_a_page_shows():
    viewer = Viewer()
    viewer.open()
    later(viewer)
    for second in range(30):
        for number in range(ROWS):
            viewer.desk.events.publish(accepted(100 * second + number))
        later(viewer)
    rows = [row for flow in viewer.open().heard("flow") for row in flow["rows"]]
    assert len(rows) == KEPT


def test_nothing_is_done_while_no_page_is_open():
    viewer = Viewer()
    subscribers = viewer.desk.events._subscribers

    def listening():
        return {kind.__name__ for kind in (MailAccepted, AttemptEnded) if subscribers.get(kind)}

    assert not listening()
    page = viewer.open()
    later(viewer)
    assert listening() == {"MailAccepted", "AttemptEnded"}
    page.connection.lose()
    later(viewer, LINGER + 2 * EVERY)
    assert not listening()
    assert viewer.desk.clock.getDelayedCalls() == []
    # And it begins anew.
    page = viewer.open()
    later(viewer)
    assert len(page.heard("board")) == 1


def test_a_page_hears_that_the_connection_is_there():
    viewer = Viewer()
    page = viewer.open()
    later(viewer)
    page.octets()
    later(viewer, HEARTBEAT)
    assert b":\n\n" in page.octets()


def test_a_page_that_does_not_read_is_sent_away_and_the_others_are_not():
    viewer = Viewer()
    slow, other = viewer.open(), viewer.open()
    later(viewer)
    slow.connection.producer.pauseProducing()
    sent = 0
    while not slow.connection.transport.aborted:
        assert sent <= 2 * MOST_WAITING
        for number in range(ROWS):
            viewer.desk.events.publish(accepted(number))
        later(viewer)
        sent = len(slow.connection.transport.value())
    assert not other.connection.transport.aborted


def test_the_end_of_a_session_ends_its_streams():
    viewer = Viewer()
    page = viewer.open()
    later(viewer)
    assert not page.octets().endswith(b"0\r\n\r\n")
    # Nobody is known any more.
    viewer.settings = attrs.evolve(viewer.settings, users=Admins("", {}))
    later(viewer)
    assert page.connection.taken().endswith(b"0\r\n\r\n")
    assert viewer.live._pages == []


def test_a_session_is_not_used_by_a_stream_alone():
    viewer = Viewer()
    page = viewer.open()
    later(viewer, 29 * 60)
    assert not page.connection.taken().endswith(b"0\r\n\r\n")
    later(viewer, 2 * 60)
    assert page.connection.taken().endswith(b"0\r\n\r\n")


def test_so_many_pages_may_be_open():
    viewer = Viewer()
    pages = [viewer.open() for _ in range(MOST)]
    refused = viewer.request("/live").answer()
    assert refused.status == 503
    assert b"64 pages are open already" in refused.body
    pages[0].connection.lose()
    assert "200 OK" in viewer.open().head


def test_whether_it_may_be_heard_can_be_asked():
    viewer = Viewer()
    assert viewer.request("/live", method="HEAD").answer("HEAD").status == 200
    assert viewer.live._pages == []
    assert viewer.request("/live", method="HEAD", user="nobody").answer("HEAD").status == 403


def test_nothing_is_turned_or_hidden_in_a_row():
    plain = {"id": "1", "time": 0.0, "event": "deferred", "account": "A", "reply": "\x1bno\u200b"}
    shown = row(plain | {"sender": "\u202emoc.b@a", "recipients": ["\udce4@x", "\N{FAMILY}\u200d"]})
    assert shown["sender"] == r"\u202emoc.b@a"
    assert shown["recipients"] == r"\udce4@x, " + "\N{FAMILY}\u200d"
    assert shown["reply"] == r"\x1bno\u200b"
