"""What others try with the browser of an admin, or without one: none of it comes to anything."""

from __future__ import annotations

import base64

import attrs
import pytest

from multisendcon_plugin.events import AdminActed, AdminRefused
from multisendcon_plugin.operations.errors import RefusedError
from multisendcon_plugin.page import routes as page_routes
from multisendcon_plugin.page.delays import FREE
from multisendcon_plugin.page.rights import needed
from multisendcon_plugin.page.sessions import IDLE, LONGEST
from multisendcon_plugin.settings.admins import Role
from multisendcon_plugin.settings.names import network
from multisendcon_plugin.web import routes as api_routes
from tests.page.door import FORM, PASSWORD, Door, cookie_of

SAFE = ("GET", "HEAD")
#: What a name in a path may be, beside usual ones: words that mean something elsewhere in one.
NAMES = ("Sales", "test", "pause", "login", "retry", "explain", "order", "queue", "accounts")
OWN = ("Sec-Fetch-Site", "same-origin")


def unsafe_paths():
    """Return method and path of all that may change something, by the tables of the routes."""
    tables = (("/", page_routes.ROUTES), ("/api/v1/", api_routes.ROUTES))
    paths = [
        (method, prefix + path)
        for prefix, table in tables
        for path, handlers in table.items()
        for method in handlers
        if method not in SAFE
    ]
    return [*paths, ("POST", "/sign-out")]


UNSAFE = unsafe_paths()
FORGED = {
    "a form of another site": [("Sec-Fetch-Site", "cross-site")],
    "a form of another port": [("Sec-Fetch-Site", "same-site")],
    "another origin": [("Origin", "http://evil.example")],
    "an origin that is hidden": [("Origin", "null")],
    "an origin that begins alike": [("Origin", "http://relay.evil.example")],
    "another port": [("Origin", "http://relay:8080")],
}


@pytest.fixture
def door():
    return Door()


def with_name(path, name="Sales"):
    return path.replace("{name}", name).replace("{id}", name)


def assert_nothing_was_done(door):
    assert door.desk.queue.told == []
    assert not [each for each in door.told if isinstance(each, AdminActed) and each.status < 400]


# Requests that others have a browser send.


@pytest.mark.parametrize("how", FORGED)
@pytest.mark.parametrize(("method", "path"), UNSAFE)
def test_what_a_page_of_others_sends_is_refused(door, method, path, how):
    session = door.session("configure")
    fields = [FORM, *FORGED[how], ("X-Token", session.token)]
    answer = session.ask(method, with_name(path), f"token={session.token}".encode(), fields)
    assert answer.status == 403
    assert b"another site" in answer.body
    assert_nothing_was_done(door)


@pytest.mark.parametrize(("method", "path"), UNSAFE)
def test_what_comes_without_the_token_of_its_session_is_refused(door, method, path):
    session, other = door.session("configure"), door.session("configure")
    for token in (b"", b"token=", b"token=guessed", f"token={other.token}".encode()):
        answer = session.ask(method, with_name(path), token, [FORM, OWN])
        assert (answer.status, b"earlier session" in answer.body) == (403, True)
    assert_nothing_was_done(door)


@pytest.mark.parametrize(("method", "path"), UNSAFE)
def test_who_has_not_signed_in_does_nothing(door, method, path):
    assert door.ask(method, with_name(path), b"token=", [FORM, OWN]).status == 401
    assert_nothing_was_done(door)


def test_signing_in_is_not_begun_by_others(door):
    for how in FORGED.values():
        answer = door.sign_in("configure", headers=how)
        assert answer.status == 403
        assert "Set-Cookie" not in answer.headers


# Roles.


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("method", "path"), UNSAFE)
def test_no_name_in_a_path_gives_a_right(method, path, name):
    segments = path.removeprefix("/api/v1").strip("/").split("/")
    usual = needed(method, segments)
    assert needed(method, with_name("/".join(segments), name).split("/")) is usual


@pytest.mark.parametrize("role", [Role.VIEW, Role.OPERATE], ids=lambda role: role.value)
@pytest.mark.parametrize(("method", "path"), [each for each in UNSAFE if each[1] != "/sign-out"])
def test_nobody_does_what_needs_more_than_their_role(door, method, path, role):
    for name in NAMES:
        real = with_name(path, name)
        segments = real.removeprefix("/api/v1").strip("/").split("/")
        if role.includes(needed(method, segments)):
            continue
        session = door.session(role.value)
        body = f"token={session.token}".encode()
        fields = [FORM, OWN, ("X-Token", session.token)]
        for attempt in (real, f"{real}/"):
            answer = session.ask(method, attempt, body, fields)
            assert (answer.status, b"this needs the role" in answer.body.lower()) == (403, True)
    assert_nothing_was_done(door)


def test_all_that_changes_something_needs_more_than_looking():
    for method, path in UNSAFE:
        segments = path.removeprefix("/api/v1").strip("/").split("/")
        asks = segments == ["explain"]
        assert (needed(method, segments) is Role.VIEW) == asks


def test_programs_have_the_rights_of_their_user(door):
    basic = base64.b64encode(f"view:{PASSWORD}".encode()).decode()
    fields = [("Authorization", f"Basic {basic}")]
    assert door.ask("GET", "/api/v1/accounts", headers=fields).status == 200
    assert door.ask("POST", "/api/v1/queue/hold", b'{"ids": ["1"]}', fields).status == 403
    forged = [*fields, ("Sec-Fetch-Site", "cross-site")]
    assert door.ask("POST", "/api/v1/explain", b"{}", forged).status == 403
    # What a browser has kept for pages is none of theirs.
    assert b"Sign out" not in door.ask("GET", "/", headers=fields).body


# Names of hosts.


@pytest.mark.parametrize(
    "host",
    ["evil.example", "relay.evil.example", "evil.example:2580", "relay@evil.example", "", "[::1"],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("path", ["/", "/api/v1/status", "/static/x/style.css", "/sign-in"])
def test_another_name_that_leads_here_shows_nothing(door, method, path, host):
    cookie = door.session("configure").cookie
    answer = door.ask(method, path, headers=[("Host", host), ("Cookie", cookie)])
    assert answer.status in (400, 421)
    assert b"Sales" not in answer.body


@pytest.mark.parametrize("host", ["relay", "RELAY", "relay:2580", "relay.", "localhost:2580"])
def test_our_own_names_are_answered(door, host):
    assert door.ask("GET", "/", headers=[("Host", host)]).status == 200


# Sessions.


def test_a_cookie_is_for_this_host_and_for_no_script(door):
    name, *attributes = door.sign_in("view").headers["Set-Cookie"].split("; ")
    assert name.startswith("__Host-multisendcon=")
    assert set(attributes) == {"Path=/", "Secure", "HttpOnly", "SameSite=Strict"}


def test_no_session_is_begun_before_somebody_has_signed_in(door):
    assert "Set-Cookie" not in door.ask("GET", "/").headers
    assert "Set-Cookie" not in door.sign_in("view", "wrong").headers


def test_the_number_of_a_session_is_never_one_that_was_brought_along(door):
    chosen = "__Host-multisendcon=chosen-by-somebody-else"
    got = cookie_of(door.sign_in("configure", headers=[("Cookie", chosen)]))
    assert got != chosen
    assert b"Sign out" not in door.ask("GET", "/", headers=[("Cookie", chosen)]).body


def test_signing_in_anew_ends_the_session_before(door):
    first = door.session("view")
    second = cookie_of(door.sign_in("configure", headers=[("Cookie", first.cookie)]))
    assert second != first.cookie
    assert not first.is_open()


def test_signing_out_ends_the_session_here_too(door):
    session = door.session("view")
    body = f"token={session.token}".encode()
    answer = session.ask("POST", "/sign-out", body, [FORM, OWN])
    assert "Max-Age=0" in answer.headers["Set-Cookie"]
    assert not session.is_open()


def test_a_session_that_is_not_used_ends(door):
    session = door.session("view")
    door.desk.clock.advance(IDLE - 1)
    assert session.is_open()
    door.desk.clock.advance(IDLE)
    assert not session.is_open()


def test_a_session_ends_however_much_it_is_used(door):
    session = door.session("view")
    for _ in range(int(LONGEST / (IDLE - 1))):
        assert session.is_open()
        door.desk.clock.advance(IDLE - 1)
    door.desk.clock.advance(60)
    assert not session.is_open()


@pytest.mark.parametrize(
    "now", [{"operate": Role.OPERATE}, {"configure": Role.VIEW}], ids=["gone", "less"]
)
def test_a_session_ends_with_the_rights_of_its_user(door, now):
    session = door.session("configure")
    door.allow(**now)
    assert not session.is_open()


def test_a_session_ends_with_the_password_of_its_user(door):
    session = door.session("view")
    other = attrs.evolve(door.settings.users.named("view"), password=None)
    door.settings.users._by_key["view"] = other
    assert not session.is_open()


# Passwords.


def test_wrong_passwords_take_longer_and_longer(door):
    for _ in range(FREE):
        assert b"wrong" in door.sign_in("view", "guessed").body
    assert b"try again in 1 s" in door.sign_in("view").body
    door.desk.clock.advance(1)
    assert b"wrong" in door.sign_in("view", "guessed").body
    assert b"try again in 2 s" in door.sign_in("view").body
    door.desk.clock.advance(2)
    assert door.sign_in("view").status == 303
    assert [each.admin for each in door.told if isinstance(each, AdminRefused)] == ["view"] * 4


def test_programs_that_guess_are_delayed_like_people(door):
    wrong = base64.b64encode(b"view:guessed").decode()
    for _ in range(FREE):
        door.ask("GET", "/api/v1/status", headers=[("Authorization", f"Basic {wrong}")])
    right = base64.b64encode(f"view:{PASSWORD}".encode()).decode()
    answer = door.ask("GET", "/api/v1/status", headers=[("Authorization", f"Basic {right}")])
    assert answer.status == 429


def test_an_unknown_name_is_answered_as_a_wrong_password_is(door):
    unknown, known = door.sign_in("nobody", "x"), door.sign_in("view", "x")
    assert (unknown.status, unknown.body) == (known.status, known.body)


# Proxies.


def test_only_a_proxy_says_who_somebody_is():
    named = [("X-Remote-User", "configure")]
    assert b"Sign out" not in Door().ask("GET", "/", headers=named).body
    far = Door(proxies=(network("203.0.113.7/32"),))
    assert b"Sign out" not in far.ask("GET", "/", headers=named).body
    near = Door(proxies=(network("192.168.1.1/32"),))
    assert b"Sign out" in near.ask("GET", "/", headers=named).body
    assert b"Sign out" not in near.ask("GET", "/", headers=[("X-Remote-User", "nobody")]).body


# Where one is led.


@pytest.mark.parametrize(
    "to",
    [
        "//evil.example",
        "/\\evil.example",
        "https://evil.example",
        "evil.example",
        "/\t/evil.example",
        "/\n/evil.example",
        "/\r\n/evil.example",
        "\t//evil.example",
        " //evil.example",
        "javascript:alert(1)",
        "",
    ],
)
def test_signing_in_leads_to_no_other_site(door, to):
    answer = door.sign_in("view", to=to)
    assert (answer.status, answer.headers["Location"]) == (303, "/")


@pytest.mark.parametrize("to", ["/", "/queue?state=held", "/accounts/a%2Fb", "/mails/1"])
def test_signing_in_leads_to_where_somebody_wanted_to_go(door, to):
    shown = door.ask("GET", to).body.decode()
    assert f'name="to" value="{to}"' in shown
    assert door.sign_in("view", to=to).headers["Location"] == to


async def refuse(_):
    raise RefusedError("not now")


@pytest.mark.parametrize("place", ["//evil.example", "/\\evil.example", "/\t/evil.example"])
def test_what_is_refused_leads_to_no_other_site(door, monkeypatch, place):
    monkeypatch.setitem(page_routes.ROUTES, "refused", {"POST": refuse})
    session = door.session("configure")
    body = f"token={session.token}".encode()
    fields = [FORM, OWN, ("Referer", f"http://relay{place}")]
    answer = session.ask("POST", "/refused", body, fields)
    assert (answer.status, answer.headers["Location"]) == (303, "/")


@pytest.mark.parametrize("to", ["/x\r\nSet-Cookie: a=b", "/x\nX-Evil: 1", "/\u010d\u010aX-Evil: 1"])
def test_no_field_of_an_answer_is_made_by_a_form(door, to):
    answer = door.sign_in("view", to=to)
    assert "X-Evil" not in answer.headers
    assert answer.headers["Set-Cookie"].startswith("__Host-multisendcon=")


# Answers.


def some_answers(door):
    session = door.session("view")
    return [
        door.ask("GET", "/"),
        door.ask("GET", "/sign-in"),
        door.ask("GET", "/nowhere"),
        door.ask("GET", "/", headers=[("Host", "evil.example")]),
        door.ask("POST", "/queue/hold", headers=[("Sec-Fetch-Site", "cross-site")]),
        door.ask("GET", "/api/v1/status"),
        door.sign_in("view", "wrong"),
        session.ask("GET", "/"),
        session.ask("HEAD", "/"),
        session.ask("GET", "/nowhere"),
        session.ask("GET", "/api/v1/accounts"),
        session.ask("GET", "/api/v1/nothing"),
        session.ask("GET", door_file(session)),
    ]


def door_file(session):
    page = session.ask("GET", "/").body.decode()
    return page.partition('rel="stylesheet" href="')[2].partition('"')[0]


def test_no_answer_is_shown_in_a_frame_or_runs_what_is_not_ours(door):
    for answer in some_answers(door):
        assert answer.headers["X-Frame-Options"] == "DENY"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["Referrer-Policy"] == "same-origin"


def test_what_is_not_for_everybody_stays_in_no_cache(door):
    session = door.session("view")
    for path in ("/", "/nowhere", "/api/v1/status"):
        assert session.ask("GET", path).headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "path",
    [
        "/static/../administrator.py",
        "/static/%2e%2e/administrator.py",
        "/static/{folder}/../../administrator.py",
        "/static/{folder}/..%2f..%2fadministrator.py",
        "/static/{folder}/style.css/x",
    ],
)
def test_no_other_file_is_served(door, path):
    folder = door_file(door.session("view")).split("/")[2]
    assert door.ask("GET", path.format(folder=folder)).status == 404


def test_a_form_that_is_too_long_is_refused(door):
    session = door.session("configure")
    answer = session.ask("POST", "/sign-out", b"x" * (9 * 1024 * 1024), [FORM, OWN])
    assert answer.status == 413
    assert session.is_open()


def test_a_form_that_cannot_be_read_is_refused(door):
    session = door.session("configure")
    assert session.ask("POST", "/sign-out", b"\xff\xfe=1", [FORM, OWN]).status == 400
    assert session.ask("POST", "/sign-out", b"a&" * 60_000, [FORM, OWN]).status == 400
