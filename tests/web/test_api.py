"""The API over HTTP: what is asked, what is answered, and what is refused."""

from __future__ import annotations

import pytest

from multisendcon_plugin.errors import SpoolError
from multisendcon_plugin.operations.errors import RefusedError
from multisendcon_plugin.operations.pieces import PIECE
from multisendcon_plugin.web import site
from multisendcon_plugin.web.listing import READ_TIME
from tests.operations.desk import Desk
from tests.queues import logged
from tests.web.browser import Browser


def test_an_object_is_json():
    answer = Browser().get("/status")
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.json["version"] == "1.2.3"
    assert [each["name"] for each in answer.json["accounts"]] == ["Sales", "Lab", "Old"]


def test_a_list_is_one_object_a_line():
    browser = Browser()
    answer = browser.get("/accounts")
    assert answer.headers["Content-Type"] == "application/jsonl"
    assert answer.headers["Cache-Control"] == "no-store"
    assert [each["name"] for each in answer.lines] == ["Sales", "Lab", "Old"]
    assert browser.get("/queue").body == b""
    (delivery,) = browser.desk.mail()
    assert [each["id"] for each in browser.get("/queue").lines] == [delivery.message.id]


def test_a_query_is_a_filter():
    browser = Browser()
    first, _, third = (browser.desk.mail()[0].message.id for _ in range(3))
    page = "/queue?account=Sales&sender=BOSS@sales.example&state=waiting&limit=1"
    assert [each["id"] for each in browser.get(page).lines] == [first]
    assert browser.get("/queue?sender=").body == b""
    second = browser.get(f"{page}&after={first}").lines[0]["id"]
    assert [each["id"] for each in browser.get(f"{page}&after={second}").lines] == [third]


def test_an_account_of_any_name_is_found_by_its_path():
    accounts = Desk().registry
    name = "a/b ü?"
    from tests.queue_world import account

    browser = Browser(Desk([*accounts, account(name)]))
    assert browser.get("/accounts/a%2Fb%20%C3%BC%3F").json["name"] == name
    assert browser.post("/accounts/a%2Fb%20%C3%BC%3F/pause").json["state"] == "paused"


def test_an_action_on_the_queue():
    browser = Browser()
    (delivery,) = browser.desk.mail()
    name = delivery.message.id
    assert browser.post("/queue/hold", {"ids": [name, "7Z"]}).json == {
        "changed": 1,
        "ids": [name],
        "missing": ["7Z"],
        "dry_run": False,
    }
    assert browser.get(f"/queue/{name}").json["state"] == "held"
    answer = browser.post("/queue/delete", {"filter": {"state": "held"}, "notify": True})
    assert answer.json["changed"] == 1
    assert browser.desk.queue.told[-1] == ("delete", [delivery.number], True)


ERRORS = [
    ("GET", "", None, 404, "there is no / here; see openapi.json"),
    ("GET", "/nothing", None, 404, "there is no /nothing here; see openapi.json"),
    ("GET", "/%FF", None, 404, "the path is no UTF-8"),
    ("GET", "/status/", None, 404, "there is no /status/ here"),
    ("GET", "/queue/a/b", None, 404, "there is no /queue/a/b here"),
    ("POST", "/accounts/{name}/pause", None, 404, 'there is no account "{name}"'),
    ("GET", "/accounts/Nobody", None, 404, 'there is no account "Nobody"'),
    ("GET", "/queue/7Z", None, 404, "7Z is not in the queue"),
    ("POST", "/status", None, 405, "POST is not possible here, but GET, HEAD"),
    ("GET", "/accounts/Lab/pause", None, 405, "GET is not possible here, but POST"),
    ("BREW", "/queue", None, 405, "BREW is not possible here, but GET, HEAD"),
    ("POST", "/queue/hold", b"{", 400, "the body is no JSON"),
    ("POST", "/queue/hold", b"\xff\xff\xff\xff\xff", 400, "the body is no JSON"),
    ("POST", "/queue/hold", b"[" * 100_000, 400, "the body is no JSON"),
    ("POST", "/queue/hold", b"9" * 5000, 400, "the body is no JSON"),
    ("POST", "/queue/hold", None, 422, "nothing is chosen"),
    ("POST", "/queue/hold", b"[]", 422, "an object is needed here"),
    ("POST", "/queue/hold", b'{"filter":{}}', 422, "nothing is chosen"),
    ("POST", "/queue/hold", b'{"ids":["7Z"]}', 404, "not in the queue: 7Z"),
    ("POST", "/queue/move", b'{"ids":["7Z"]}', 422, "to_account: is missing"),
    ("GET", "/queue?state=asleep", None, 422, 'state: "asleep" is none of'),
    ("GET", "/queue?colour=red", None, 422, "unknown: colour; known are"),
    ("GET", "/queue?state=held&state=held", None, 422, "state is given twice"),
    ("GET", "/queue?older_than=long", None, 422, '"long" is no time'),
    ("GET", "/queue?limit=0", None, 422, 'limit: "0" is no number of rows'),
    ("GET", "/queue?limit=-1", None, 422, 'limit: "-1" is no number of rows'),
    ("GET", "/queue?after=nobody", None, 422, '"nobody" is no id'),
    ("GET", "/queue?sender=%FF", None, 400, "the query is no UTF-8"),
]


@pytest.mark.parametrize(("method", "path", "body", "status", "text"), ERRORS)
def test_an_error_is_a_status_and_a_sentence(method, path, body, status, text):
    answer = Browser().ask(method, path, body)
    assert answer.status == status
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json.keys() == {"error"}
    assert answer.json["error"].startswith(text)
    assert ("Allow" in answer.headers) == (status == 405)


def test_outside_of_the_api_there_is_nothing_yet():
    browser = Browser()
    for path in ("/", "/api", "/api/", "/api/v2/status", "/favicon.ico"):
        connection = browser.connect()
        connection.send("GET", path)
        answer = connection.answer()
        assert (answer.status, answer.json["error"]) == (
            404,
            "there is nothing here; the API is at /api/v1",
        )


@pytest.mark.parametrize("path", ["/status", "/accounts", "/queue", "/events", "/openapi.json"])
def test_head_is_as_get_without_the_answer(path):
    browser = Browser()
    for _ in range(3):
        browser.desk.mail()
    answer = browser.ask("HEAD", path)
    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers["Content-Type"].startswith(("application/json", "text/event-stream"))


def test_what_is_refused_has_its_faults():
    async def refusing():
        raise RefusedError("the configuration has faults", ("one", "two"))

    answer = Browser(Desk(reload=refusing)).post("/reload")
    assert answer.status == 409
    assert answer.json == {"error": "the configuration has faults", "faults": ["one", "two"]}


def test_the_steps_of_a_test_come_as_lines_to_those_who_want_them():
    class Tests:
        async def run(self, *_):
            return {"ok": True}

        async def steps(self, *_):
            yield {"step": "dns"}
            yield {"ok": True}

    browser = Browser(Desk(tests=Tests()))
    answer = browser.ask("POST", "/accounts/Lab/test", headers=[("Accept", "application/jsonl")])
    assert answer.headers["Content-Type"] == "application/jsonl"
    assert answer.body == b'{"step":"dns"}\n{"ok":true}\n'
    assert browser.post("/accounts/Lab/test").json == {"ok": True}


def test_a_spool_that_cannot_be_read_is_told():
    browser = Browser()
    browser.desk.spool.disk.fault = SpoolError("disk I/O error")
    for path in ("/status", "/accounts", "/queue", "/queue/7Z"):
        answer = browser.get(path)
        assert (answer.status, answer.json) == (503, {"error": "disk I/O error"})


def test_a_bug_is_told_in_the_log_only():
    browser = Browser()
    browser.desk.queue.conditions = None
    with logged() as log:
        answer = browser.get("/status")
    assert (answer.status, answer.json["error"]) == (
        500,
        "internal error of the relay, see its log",
    )
    assert log.failures(TypeError) == 1


# Limits


def test_a_body_that_is_too_long_is_refused_when_it_has_been_read(monkeypatch):
    monkeypatch.setattr(site, "LONGEST_BODY", 10)
    browser = Browser()
    connection = browser.connect()
    connection.send("POST", "/api/v1/queue/hold", b" " * 11)
    assert connection.answer().status == 413
    connection.send("POST", "/api/v1/queue/hold", b" " * 10)
    assert connection.answer().status == 422


def test_a_request_that_does_not_end_is_given_up():
    browser = Browser()
    connection = browser.connect()
    connection.channel.dataReceived(
        b"POST /api/v1/queue/hold HTTP/1.1\r\nContent-Length: 99\r\n\r\n"
    )
    for _ in range(int(site.REQUEST_TIME)):
        assert not connection.transport.disconnecting
        connection.channel.dataReceived(b" ")
        browser.desk.clock.advance(1)
    assert connection.transport.disconnecting


def test_an_idle_connection_is_given_up():
    browser = Browser()
    connection = browser.connect()
    connection.send("GET", "/api/v1/status")
    connection.answer()
    browser.desk.clock.advance(site.REQUEST_TIME)
    assert connection.transport.disconnecting


def test_no_more_connections_than_that():
    browser = Browser()
    connections = [browser.connect() for _ in range(site.MOST_CONNECTIONS)]
    assert browser.connect().channel is None
    connections[0].lose()
    assert browser.connect().channel is not None


def test_all_connections_end_when_it_stops():
    browser = Browser()
    connections = [browser.connect() for _ in range(3)]
    browser.site.stop()
    assert all(each.transport.aborted for each in connections)


# Long lists


class LongList(Browser):
    """A queue of some pieces, and a client that reads as the test says."""

    def __init__(self, pieces=4):
        super().__init__()
        for _ in range(pieces * PIECE):
            self.desk.mail()
        self.found = 0
        find = self.desk.spool.find

        def counted(*args):
            self.found += 1
            return find(*args)

        self.desk.spool.find = counted


def test_a_piece_is_read_when_the_client_has_read_those_before():
    browser = LongList()
    connection = browser.connect()
    write = connection.transport.write

    def full(data):
        write(data)
        connection.producer.pauseProducing()

    connection.transport.write = full
    connection.transport.writeSequence = lambda some: full(b"".join(some))
    connection.send("GET", "/api/v1/queue")
    for n in range(1, 4):
        assert browser.found == n
        connection.producer.resumeProducing()
    while b"0\r\n\r\n" not in connection.transport.value():
        connection.producer.resumeProducing()
    assert len(connection.answer().lines) == 4 * PIECE


def paused(browser):
    connection = browser.connect()
    connection.transport.writeSequence = lambda _: connection.producer.pauseProducing()
    connection.send("GET", "/api/v1/queue")
    return connection


def test_nothing_more_is_read_when_the_client_has_gone():
    browser = LongList()
    connection = paused(browser)
    assert browser.found == 1
    connection.lose()
    assert browser.found == 1
    assert browser.desk.clock.getDelayedCalls() == []


def test_a_client_that_reads_no_more_is_sent_away():
    browser = LongList()
    connection = paused(browser)
    browser.desk.clock.advance(READ_TIME - 1)
    assert not connection.transport.aborted
    browser.desk.clock.advance(1)
    assert connection.transport.aborted


def test_a_list_that_breaks_off_does_not_look_whole():
    browser = LongList()
    connection = paused(browser)
    browser.desk.spool.disk.fault = SpoolError("disk I/O error")
    connection.producer.resumeProducing()
    assert connection.transport.aborted
