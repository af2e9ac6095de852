"""Requests that are odd, and what each answer has."""

from __future__ import annotations

import pytest
from twisted.python.failure import Failure

from multisendcon_plugin.operations.errors import NotFoundError, RefusedError
from multisendcon_plugin.page import routes
from multisendcon_plugin.page.answers import Done, Shown
from multisendcon_plugin.page.guard import HEADERS
from multisendcon_plugin.settings.admins import Role
from tests.page.house import FORM, HOST, House, admin, basic, request
from tests.queues import logged


@pytest.fixture
def house():
    return House(admin("ann"), admin("bob", Role.VIEW))


@pytest.fixture
def cookie(house):
    return house.cookie_of()


@pytest.fixture
def page(monkeypatch):
    """Have a page at a path, which answers what it is given or raises it.

    :return: is given that; what the page was asked is in its list ``asked``.
    """

    def answer_with(answer, path="odd/{name}", method="POST"):
        async def handler(asked):
            answer_with.asked.append(asked)
            if isinstance(answer, Exception):
                raise answer
            return answer

        monkeypatch.setitem(routes.ROUTES, path, {method: handler})

    answer_with.asked = []
    return answer_with


def odd(house, cookie, path="/odd/x", form=None, **more):
    return house.post(path, {"token": house.token(cookie), **(form or {})}, cookie=cookie, **more)


# Hosts and targets.


@pytest.mark.parametrize(
    ("octets", "status"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", 421),
        (b"GET / HTTP/1.0\r\n\r\n", 421),
        (b"GET / HTTP/1.1\r\nHost:\r\n\r\n", 421),
        (b"GET / HTTP/1.1\r\nHost: relay.example\r\nHost: relay.example\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: relay.example\r\nhost: evil.example\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: \xff\r\n\r\n", 421),
        (b"GET / HTTP/1.1\r\nHost: relay.example\r\n evil.example\r\n\r\n", 421),
        (b"GET http://relay.example/ HTTP/1.1\r\nHost: relay.example\r\n\r\n", 400),
        (b"GET http://evil.example/ HTTP/1.1\r\nHost: relay.example\r\n\r\n", 400),
        (b"GET queue HTTP/1.1\r\nHost: relay.example\r\n\r\n", 400),
        (b"CONNECT relay.example:25 HTTP/1.1\r\nHost: relay.example\r\n\r\n", 405),
        (b"OPTIONS / HTTP/1.1\r\nHost: relay.example\r\n\r\n", 405),
        (b"TRACE / HTTP/1.1\r\nHost: relay.example\r\nCookie: a=b\r\n\r\n", 405),
        (b"get / HTTP/1.1\r\nHost: relay.example\r\n\r\n", 405),
        (b"PATCH / HTTP/1.1\r\nHost: relay.example\r\n\r\n", 405),
        (b"GET //evil.example HTTP/1.1\r\nHost: relay.example\r\n\r\n", 200),
        (b"GET /?%ff=%ff HTTP/1.1\r\nHost: relay.example\r\n\r\n", 200),
        (b"GET /%ff HTTP/1.1\r\nHost: relay.example\r\n\r\n", 404),
        (b"GET /" + b"/" * 8000 + b" HTTP/1.1\r\nHost: relay.example\r\n\r\n", 404),
        (b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\nHost: relay.example\r\n\r\n", None),
        (b"GET /\xff HTTP/1.1\r\nHost: relay.example\r\n\r\n", 400),
    ],
)
def test_what_is_asked_strangely(house, octets, status):
    assert house.raw(octets).status == status


@pytest.mark.parametrize("field", ["Sec-Fetch-Site", "Sec-Fetch-Mode", "Sec-Fetch-Dest", "Origin"])
def test_what_tells_where_a_request_comes_from_is_said_once(house, field):
    answer = house.post("/sign-in", {}, {field: ["same-origin", "cross-site"]})
    assert (answer.status, house.told) == (400, [])


@pytest.mark.parametrize(
    "fields",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "none"},
        {"Sec-Fetch-Site": "", "Origin": "null"},
        {"Sec-Fetch-Site": "", "Origin": "https://evil.example"},
    ],
)
def test_nobody_signs_somebody_else_in(house, fields):
    answer = house.sign_in(fields=fields)
    assert (answer.status, answer.cookies, house.told) == (403, [], [])


def test_a_picture_of_others_is_not_looked_up_with_what_a_browser_remembers(house):
    fields = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}
    answer = house.get("/api/v1/status", {**basic("ann", "secret"), **fields})
    assert (answer.status, house.told) == (403, [])


# Smuggled requests.


@pytest.mark.parametrize(
    "lines",
    [
        b"Content-Length: 5\r\nTransfer-Encoding: chunked",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\nContent-Length: 5",
        b"Content-Length: 5\r\nContent-Length: 6",
        b"Content-Length: +5",
        b"Content-Length: 0x5",
        b"Content-Length: -5",
        b"Transfer-Encoding: gzip, chunked",
        b"Transfer-Encoding : chunked",
        b"Content-Length\x00: 5",
        b"X: a\x00b",
    ],
)
def test_what_two_servers_could_measure_differently_is_refused(house, lines):
    head = b"POST /sign-in HTTP/1.1\r\nHost: relay.example\r\n" + lines + b"\r\n\r\n"
    answer = house.raw(head + b"0\r\n\r\nGET / HTTP/1.1\r\nHost: relay.example\r\n\r\n")
    assert answer.raw == b"HTTP/1.1 400 Bad Request\r\n\r\n"


def test_the_body_of_a_get_is_no_request(house):
    inner = request("GET", "/inner")
    answer = house.get("/", body=inner)
    assert answer.raw.count(b"HTTP/1.1 ") == 1


def test_requests_one_after_the_other_are_each_looked_at(house):
    answer = house.raw(request("GET", "/") + request("GET", "/", host="evil.example"))
    assert [part[:3] for part in answer.raw.split(b"HTTP/1.1 ")[1:]] == [b"200", b"421"]


# Forms.


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"a=%ff", FORM, 400),
        (b"a=\xff", FORM, 400),
        (b"&".join([b"a="] * 50_001), FORM, 400),
        (b"a=1", "multipart/form-data; boundary=x", 415),
        (b"a=1", "text/plain", 415),
        (b"a=1", f"{FORM}; charset=utf-8", 403),
        (b"a=1", FORM.upper(), 403),
        (b"a=" + b"x" * (8 << 20), FORM, 413),
    ],
)
def test_forms_that_cannot_be_read(house, cookie, body, kind, status):
    fields = {"Content-Type": kind, "Sec-Fetch-Site": "same-origin"}
    # 403: it can be read, but has no token.
    assert house.ask("POST", "/queue/hold", fields, body, cookie=cookie).status == status


def test_a_field_has_what_was_written(house, cookie, page):
    page(Done(to="/", text="Done."))
    form = {"a": [" x ", "", "\r\n"], "b": "a=b;c&d%20+é", "": "y"}
    assert odd(house, cookie, form=form).status == 303
    assert page.asked[0].form == {"a": [" x ", "", "\r\n"], "b": ["a=b;c&d%20+é"], "": ["y"]}


@pytest.mark.parametrize("token", ["", "x", "é", ["", "x"]])
def test_a_form_without_its_token_does_nothing(house, cookie, page, token):
    page(Done(to="/", text="Done."))
    assert odd(house, cookie, form={"token": token}).status == 403
    assert page.asked == []


def test_the_token_of_somebody_else_is_none(house, cookie, page):
    page(Done(to="/", text="Done."))
    theirs = house.token(house.cookie_of("bob"))
    assert odd(house, cookie, form={"token": theirs}).status == 403


def test_scripts_send_the_token_in_a_field(house, cookie, page):
    page(Done(to="/", text="Done."))
    fields = {"X-Token": house.token(cookie)}
    assert house.post("/odd/x", {}, fields, cookie=cookie).status == 303


# Names in paths.


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/odd/a%2Fb", "a/b"),
        ("/odd/a%20b%C3%BC", "a bü"),
        ("/odd/%2e%2e", ".."),
        ("/odd/%00", "\x00"),
        ("/odd/a%252Fb", "a%2Fb"),
        ("/odd/x/", "x"),
        ("/odd/{name}", "{name}"),
    ],
)
def test_a_name_is_what_stands_between_two_slashes(house, cookie, page, path, name):
    page(Done(to="/", text="Done."))
    assert odd(house, cookie, path).status == 303
    assert page.asked[0].name == name


@pytest.mark.parametrize("path", ["/odd", "/odd%2Fx", "/odd/x/y", "//odd/x", "/odd/x//"])
def test_other_paths_are_other_pages(house, cookie, page, path):
    page(Done(to="/", text="Done."))
    assert odd(house, cookie, path).status == 404


def test_a_slash_that_is_encoded_makes_no_path(house, cookie, page):
    page(Done(to="/", text="Done."), "odd/fixed")
    assert odd(house, cookie, "/odd%2Ffixed").status == 404
    assert odd(house, cookie, "/odd/fixed").status == 303


def test_a_name_makes_no_path_of_the_api(house):
    for path in ("queue%2Fhold", "accounts%2FSales%2Fpause", "accounts/Sales%2Fpause"):
        answer = house.ask("POST", f"/api/v1/{path}", basic("ann", "secret"))
        assert answer.status in (404, 405)
    assert house.desk.queue.told == []
    assert house.desk.queue.states == {}


# Methods.


def test_what_is_possible_is_told(house, cookie, page):
    page(Done(to="/", text="Done."))
    answer = house.get("/odd/x", cookie=cookie)
    assert (answer.status, answer.headers["allow"]) == (405, "POST")
    answer = house.get("/sign-out", cookie=cookie)
    assert (answer.status, answer.headers["allow"]) == (405, "POST")
    answer = house.ask("DELETE", "/sign-in")
    assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD, POST")


@pytest.mark.parametrize("path", ["/", "/nothing", "/api/v1/status", "/api/v1/nothing"])
def test_a_head_is_that_of_what_would_be_shown(house, cookie, path):
    shown, head = (house.ask(each, path, cookie=cookie) for each in ("GET", "HEAD"))
    assert head.body == b""
    assert (head.status, head.headers.keys()) == (shown.status, shown.headers.keys())
    assert head.headers["content-type"] == shown.headers["content-type"]


# What each answer has.


def answers(house, cookie):
    """Return one of each kind."""
    own = house.page._files.path("style.css")
    yield house.get("/")
    yield house.get("/", cookie=cookie)
    yield house.get(own)
    yield house.get("/static/x/style.css")
    yield house.get("/nothing", cookie=cookie)
    yield house.get("/", host="evil.example")
    yield house.ask("TRACE", "/")
    yield house.get("/api/v1/status")
    yield house.get("/api/v1/status", cookie=cookie)
    yield house.get("/api/v1/events", cookie=cookie)
    yield house.get("/api/v1/nothing", cookie=cookie)
    yield house.get("/api/v2", cookie=cookie)
    yield house.sign_in()
    yield house.sign_in(password="x")
    yield house.post("/sign-in", {}, {"Sec-Fetch-Site": "cross-site"})
    yield house.post("/queue/hold", {}, cookie=cookie)
    yield odd(house, cookie, "/queue/hold")


def test_each_answer_says_how_it_is_to_be_used(house, cookie):
    for answer in answers(house, cookie):
        for name, value in HEADERS.items():
            if name not in ("Cache-Control", "Server"):
                assert answer.headers[name.lower()] == value
        assert answer.headers["server"].startswith("multisendcon")
        kept = answer.headers["cache-control"]
        assert kept == (
            "public, max-age=31536000, immutable"
            if b"{" in answer.body[:200] and answer.headers["content-type"].startswith("text/css")
            else "no-store"
        )


def test_a_cookie_is_for_us_alone(house):
    (cookie,) = house.sign_in().cookies
    name, *attributes = cookie.split("; ")
    assert name.startswith("__Host-multisendcon=")
    assert len(name.partition("=")[2]) >= 43
    assert attributes == ["Path=/", "Secure", "HttpOnly", "SameSite=Strict"]


@pytest.mark.parametrize("to", ["/x\r\nSet-Cookie: a=b", "//evil.example", "https://evil.example"])
def test_what_a_page_says_makes_no_other_header(house, cookie, page, to):
    page(Done(to=to, text="Done."))
    answer = odd(house, cookie)
    assert answer.status == 303
    assert answer.cookies == []
    assert answer.headers["location"] in ("/", "/x%0D%0ASet-Cookie:%20a=b")


# What goes wrong.


def test_why_nothing_was_done_is_told_where_it_was_asked_for(house, cookie, page):
    page(RefusedError("not <b>so</b>", ("line 1: x",)))
    fields = {"Referer": f"http://{HOST}/queue?state=held"}
    answer = odd(house, cookie, fields=fields)
    assert (answer.status, answer.headers["location"]) == (303, "/queue?state=held")
    shown = house.get("/", cookie=cookie).text
    assert "Not &lt;b&gt;so&lt;/b&gt;" in shown
    assert "line 1: x" in shown
    assert "line 1: x" not in house.get("/", cookie=cookie).text
    assert [(each.text, each.status) for each in house.told[-1:]] == [("POST /odd/x", 422)]


def test_two_pages_that_say_where_they_were_are_none(house, cookie, page):
    page(NotFoundError("there is none"))
    fields = {"Referer": [f"http://{HOST}/queue", f"http://{HOST}/mails"]}
    assert odd(house, cookie, fields=fields).status == 400


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_internal_error_shows_nothing(house, cookie, page, method):
    page(ValueError("hunter2"), method=method)
    with logged() as log:
        answer = house.get("/odd/x", cookie=cookie) if method == "GET" else odd(house, cookie)
    assert answer.status == 500
    assert "Internal error of the relay, see its log" in answer.text
    assert "hunter2" not in answer.text
    assert "Traceback" not in answer.text
    assert log.failures(ValueError) == 1
    acted = [each.status for each in house.told if hasattr(each, "status")]
    assert acted == ([500] if method == "POST" else [])


def test_a_page_that_cannot_be_shown_is_answered_too(house, cookie, page):
    page(Shown(template="nothing.html"), method="GET")
    with logged() as log:
        assert house.get("/odd/x", cookie=cookie).status == 500
    assert log.failures(FileNotFoundError) == 1


def test_a_client_that_has_gone_is_not_answered(house, cookie, page):
    page(Done(to="/", text="Done."))
    channel, connection = house.connect()
    body = f"token={house.token(cookie)}".encode()
    octets = request("POST", "/odd/x", {"Content-Type": FORM}, body, cookie=cookie)
    asked = house.page._page

    async def slow(*said):
        channel.connectionLost(Failure(ConnectionError()))
        await asked(*said)

    house.page._page = slow
    channel.dataReceived(octets)
    assert connection.value() == b""
    assert house.told[-1].text == "Done."
