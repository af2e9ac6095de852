"""Who asks: sessions, proxies, programs; and what is told of it."""

from __future__ import annotations

import attrs
import pytest

from multisendcon_plugin.events import (
    AdminActed,
    AdminRefused,
    AdminSignedIn,
    ConfigurationChanged,
)
from multisendcon_plugin.page.lasting import EVERY
from multisendcon_plugin.page.passwords import Remembered
from multisendcon_plugin.page.sessions import IDLE, LONGEST
from multisendcon_plugin.settings.admins import Role
from multisendcon_plugin.settings.names import network
from tests.page.house import House, Later, admin, basic, request
from tests.page.served import users

PROXY = "198.51.100.1"
OTHER = "192.0.2.9"
NAMED = {"X-Remote-User": "ann"}


def kept(house):
    """Return the ways into a house by which somebody has come, who may then be thrown out."""
    return house.get("/api/v1/status", basic("ann", "secret")).status


@pytest.fixture
def house():
    return House(admin("ann"), admin("bob", Role.VIEW))


@pytest.fixture
def proxied():
    return House(admin("ann", password=None), admin("bob", Role.VIEW), proxies=(network(PROXY),))


# Sessions.


def test_a_session_has_the_rights_that_its_user_has_now(house):
    cookie = house.cookie_of("bob")
    assert "bob (view)" in house.get("/", cookie=cookie).text
    house.settings = attrs.evolve(house.settings, users=users(admin("bob")))
    assert "Sign out" not in house.get("/", cookie=cookie).text


def test_a_page_that_is_asked_for_without_a_session_is_gone_to_after_it(house):
    page = house.get("/queue?account=A%2FB&state=held")
    assert page.status == 200
    assert 'value="/queue?account=A%2FB&amp;state=held"' in page.text
    assert house.sign_in(to="/queue?account=A%2FB").headers["location"] == "/queue?account=A%2FB"


@pytest.mark.parametrize("to", ["/sign-in", "/sign-out", "/\t/evil.example", "//evil.example"])
def test_some_places_are_gone_to_by_nobody(house, to):
    assert house.sign_in(to=to).headers["location"] == "/"


def test_a_browser_that_would_keep_no_session_is_told_so(house):
    answer = house.sign_in(fields={"Origin": "http://relay.example:2580"})
    assert answer.status == 403
    assert "Browsers keep a session only where they speak TLS" in answer.text
    assert (answer.cookies, house.told) == ([], [])


def test_who_has_to_wait_is_told_how_long(house):
    for _ in range(3):
        assert house.sign_in("ann", "x").status == 403
    answer = house.sign_in()
    assert (answer.status, answer.headers["retry-after"]) == (429, "1")
    assert "Too many wrong passwords: try again in 1 s" in answer.text
    assert house.sign_in(peer="192.0.2.10").status == 303


def test_a_form_of_a_stranger_is_short(house):
    assert house.sign_in(password="x" * 20_000).status == 413
    assert house.sign_in(password="x" * 2_000).status == 403


def test_names_are_told_as_far_as_a_name_may_be_long(house):
    house.sign_in("x" * 5000)
    assert house.told == [AdminRefused(address=OTHER, admin="x" * 256)]


# Those whom a proxy has signed in.


def test_a_proxy_says_who_asks(proxied):
    fields = {**NAMED, "X-Forwarded-For": "203.0.113.1"}
    assert "ann (configure)" in proxied.get("/", fields, peer=PROXY).text
    proxied.get("/", fields, peer=PROXY)
    assert proxied.told == [AdminSignedIn(address="203.0.113.1", admin="ann")]


@pytest.mark.parametrize("peer", [OTHER, "127.0.0.1", "198.51.100.2"])
def test_nobody_else_does(proxied, peer):
    fields = {**NAMED, "X-Forwarded-For": PROXY}
    assert "Sign out" not in proxied.get("/", fields, peer=peer).text
    assert proxied.get("/api/v1/status", fields, peer=peer).status == 401


def test_a_proxy_that_names_two_is_not_believed(proxied):
    answer = proxied.get("/", {"X-Remote-User": ["bob", "ann"]}, peer=PROXY)
    assert answer.status == 400
    assert "X-Remote-User is given twice" in answer.text


@pytest.mark.parametrize("name", ["eve", "bob, ann", "ann\x00", "\xff", "<b>"])
def test_whom_we_do_not_know_is_told_so(proxied, name):
    fields = {"X-Remote-User": name}
    cookie = proxied.cookie_of("bob")
    answer = proxied.get("/", fields, peer=PROXY, cookie=cookie)
    # Twisted refuses what no field can have.
    assert answer.status == (400 if "\x00" in name else 403)
    assert "<b>" not in answer.text


def test_names_of_a_proxy_have_all_characters():
    house = House(admin("Jürgen"), proxies=(network(PROXY),))
    name = "jürgen".encode().decode("latin-1")
    assert "Jürgen (configure)" in house.get("/", {"X-Remote-User": name}, peer=PROXY).text


def test_without_a_name_of_the_proxy_there_are_passwords(proxied):
    cookie = proxied.cookie_of("bob", peer=PROXY)
    assert "bob (view)" in proxied.get("/", cookie=cookie, peer=PROXY).text
    assert "bob (view)" in proxied.get("/", {"X-Remote-User": ""}, cookie=cookie, peer=PROXY).text
    assert "ann (configure)" in proxied.get("/", NAMED, cookie=cookie, peer=PROXY).text


def test_a_session_of_a_proxy_is_no_session_of_a_browser(proxied):
    proxied.get("/", NAMED, peer=PROXY)
    (number,) = proxied.page._sessions._sessions
    cookie = f"__Host-multisendcon={number}"
    assert "Sign out" not in proxied.get("/", cookie=cookie).text
    assert "ann" in proxied.get("/", NAMED, peer=PROXY).text


def test_forms_of_those_whom_a_proxy_names_need_the_token_too(proxied):
    page = proxied.get("/", NAMED, peer=PROXY).text
    token = page.partition('name="token" value="')[2].partition('"')[0]
    for form, status in (({}, 403), ({"token": "x"}, 403), ({"token": token}, 303)):
        assert proxied.post("/sign-out", form, NAMED, peer=PROXY).status == status
    api = "/api/v1/accounts/Sales/pause"
    assert proxied.ask("POST", api, NAMED, peer=PROXY).status == 403
    assert proxied.desk.queue.states == {}


def test_who_is_taken_from_the_file_is_nobody_for_the_proxy_too(proxied):
    assert "ann" in proxied.get("/", NAMED, peer=PROXY).text
    proxied.settings = attrs.evolve(proxied.settings, users=users(admin("bob")))
    assert proxied.get("/", NAMED, peer=PROXY).status == 403


def test_behind_a_proxy_each_client_has_its_own_delay(proxied):
    def sign_in(client, password):
        fields = {"X-Forwarded-For": f"10.0.0.1, {client}"}
        return proxied.sign_in("bob", password, fields=fields, peer=PROXY).status

    assert [sign_in("203.0.113.1", "x") for _ in range(4)] == [403, 403, 403, 429]
    assert sign_in("203.0.113.2", "secret") == 303
    assert proxied.told[-1] == AdminSignedIn(address="203.0.113.2", admin="bob")


# Programs.


def test_a_program_is_told_of_once_and_its_password_is_hashed_seldom(house):
    ann = house.settings.users.named("ann")
    for _ in range(5):
        assert kept(house) == 200
    assert len(ann.password.asked) == 1
    house.clock.advance(Remembered.CHECKED)
    assert kept(house) == 200
    assert len(ann.password.asked) == 2
    assert house.told == [AdminSignedIn(address=OTHER, admin="ann")]


def test_a_program_is_out_with_its_user(house):
    assert kept(house) == 200
    house.settings = attrs.evolve(house.settings, users=users(admin("ann", password="new")))
    assert kept(house) == 401
    house.settings = attrs.evolve(house.settings, users=None)
    assert kept(house) == 401


def test_what_is_remembered_is_no_help_for_who_guesses(house):
    assert kept(house) == 200
    for _ in range(3):
        assert house.get("/api/v1/status", basic("ann", "x")).status == 401
    answer = house.get("/api/v1/status", basic("ann", "secret"))
    assert (answer.status, answer.headers["retry-after"]) == (429, "1")
    assert b"too many wrong passwords" in answer.body


@pytest.mark.parametrize(
    "said", ["Basic", "Basic ===", "Basic YW5u", "Basic /////w==", "Bearer x", "Digest YTpi", ""]
)
def test_what_is_no_name_and_password_is_nobody(house, said):
    answer = house.get("/api/v1/status", {"Authorization": said})
    assert (answer.status, house.told) == (401, [])
    assert answer.headers["www-authenticate"].startswith("Basic ")


def test_two_names_are_refused(house):
    both = [*basic("bob", "secret").values(), *basic("ann", "secret").values()]
    assert house.get("/api/v1/status", {"Authorization": both}).status == 400


def test_pages_ask_for_no_basic_password(house):
    answer = house.get("/", basic("ann", "secret"))
    assert "Sign out" not in answer.text
    assert "www-authenticate" not in answer.headers


# What goes on.


def listening(house, **fields):
    channel, connection = house.connect()
    channel.dataReceived(request("GET", "/api/v1/events", fields, cookie=fields.pop("cookie", "")))
    assert b"200 OK" in connection.value()
    return connection


def test_what_goes_on_ends_with_its_session(house):
    cookie = house.cookie_of()
    connection = listening(house, cookie=cookie)
    house.clock.pump([EVERY] * int(IDLE / EVERY - 1))
    assert not connection.aborted
    house.clock.advance(EVERY)
    assert connection.aborted


def test_what_goes_on_ends_when_a_session_has_lasted_for_long(house):
    cookie = house.cookie_of()
    connection = listening(house, cookie=cookie)
    for _ in range(int(LONGEST / 600)):
        assert not connection.aborted
        house.get("/", cookie=cookie)
        house.clock.advance(600)
    house.clock.advance(EVERY)
    assert connection.aborted


@pytest.mark.parametrize("now", [[], [admin("ann", Role.VIEW)], [admin("ann", password="new")]])
def test_what_goes_on_ends_when_its_user_has_not_the_same_rights(house, now):
    by_cookie = listening(house, cookie=house.cookie_of())
    by_basic = listening(house, **basic("ann", "secret"))
    bob = listening(house, **basic("bob", "secret"))
    house.settings = attrs.evolve(house.settings, users=users(admin("bob", Role.VIEW), *now))
    house.desk.events.publish(ConfigurationChanged(added=(), removed=(), changed=()))
    assert (by_cookie.aborted, by_basic.aborted, bob.aborted) == (True, True, False)


def test_signing_out_ends_what_goes_on(house):
    cookie = house.cookie_of()
    connection = listening(house, cookie=cookie)
    house.post("/sign-out", {"token": house.token(cookie)}, cookie=cookie)
    house.clock.advance(EVERY)
    assert connection.aborted


# What is told.


def act(house, method, path, body=b"", **fields):
    del house.told[:]
    return house.ask(method, path, {**basic("ann", "secret"), **fields}, body).status


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("accounts/Sales/pause", b"", 200),
        ("accounts/Nobody/pause", b"", 404),
        ("accounts/a%2Fb/pause", b"", 404),
        # What does not look at it does what it does.
        ("accounts/Sales/probe", b'{"dry_run": true}', 200),
        ("queue/hold", b'{"ids": ["1"], "dry_run": false}', 404),
        ("queue/hold", b'{"ids": ["1"], "dry_run": "true"}', 422),
        ("queue/hold", b'{"ids": ["1"], "dry_run": true, "dry_run": false}', 404),
    ],
)
def test_what_a_program_does_is_told_with_who_and_from_where(house, path, body, status):
    kept(house)
    assert act(house, "POST", f"/api/v1/{path}", body) == status
    assert house.told == [
        AdminActed(address=OTHER, admin="ann", text=f"POST /api/v1/{path}", status=status)
    ]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "status", b""),
        ("HEAD", "status", b""),
        ("POST", "explain", b"{}"),
        ("POST", "queue/hold", b'{"ids": ["1"], "dry_run": true}'),
    ],
)
def test_what_changes_nothing_is_not_told(house, method, path, body):
    kept(house)
    act(house, method, f"/api/v1/{path}", body)
    assert house.told == []


def test_nothing_of_a_query_or_a_body_is_told(house):
    kept(house)
    act(house, "POST", "/api/v1/accounts/Sales/pause?password=hunter2", b'{"password": "hunter2"}')
    assert len(house.told) == 1
    assert "hunter2" not in repr(house.told)


def test_what_somebody_may_not_do_is_told(house):
    cookie = house.cookie_of("bob")
    token = house.token(cookie)
    del house.told[:]
    answer = house.post("/queue/hold", {"token": token}, cookie=cookie)
    assert answer.status == 403
    assert 'This needs the role "operate", and bob has "view"' in answer.text.replace("&#34;", '"')
    assert house.told == [
        AdminActed(address=OTHER, admin="bob", text="POST /queue/hold", status=403)
    ]


def test_what_is_done_is_told_though_nobody_waits_for_it():
    house = House(admin("ann"))
    kept(house)
    paused = Later()
    house.desk.queue.pause = lambda _: paused(lambda: None)
    del house.told[:]
    channel, _ = house.connect()
    channel.dataReceived(request("POST", "/api/v1/accounts/Sales/pause", basic("ann", "secret")))
    channel.connectionLost()
    assert house.told == []
    paused.work()
    (told,) = house.told
    assert (told.text, told.status) == ("POST /api/v1/accounts/Sales/pause", 200)
