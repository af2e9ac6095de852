"""Names of the page, forged requests, and where browsers are sent: the rules alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multisendcon_plugin.page.guard import (
    as_location,
    forged,
    host_refused,
    keeps_no_cookie,
    own_path,
    path_referred_to,
)

NAMES = {"relay.example", "r"}
HERE = "192.0.2.1"


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("relay.example", HERE),
        ("relay.example:2580", HERE),
        ("RELAY.Example.:443", HERE),
        ("r", ""),
        ("localhost:2580", "127.0.0.1"),
        ("LOCALHOST", ""),
        ("192.0.2.1:2580", HERE),
        ("192.0.2.1", "::ffff:192.0.2.1"),
        ("[::ffff:192.0.2.1]", HERE),
        ("127.0.0.1", "127.0.0.1"),
        ("127.0.0.2:1", "127.0.0.1"),
        ("[::1]:2580", "127.0.0.1"),
        ("[2001:DB8::1]:2580", "2001:db8:0:0::1"),
        ("[fe80::1]", "fe80::1%eth0"),
        ("[fe80::1%25eth0]:2580", "fe80::1%eth0"),
    ],
)
def test_our_own_names(host, local):
    assert host_refused(host, NAMES, local) == ""


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("", HERE),
        ("", ""),
        ("evil.example", HERE),
        ("evil.example@relay.example", HERE),
        ("relay.example@evil.example", HERE),
        ("relay.example:80@evil.example", HERE),
        ("relay.example/evil.example", HERE),
        ("relay.example evil.example", HERE),
        ("relay.example, evil.example", HERE),
        ("relay.example#", HERE),
        ("relay.example\\evil.example", HERE),
        ("relay.example..", HERE),
        ("relay.example:", HERE),
        ("relay.example:x", HERE),
        ("relay.example:123456", HERE),
        ("relay.example:٢٣", HERE),
        ("rélay.example", HERE),
        ("relay.example.evil.example", HERE),
        ("evil.localhost", "127.0.0.1"),
        ("127.0.0.1", HERE),
        ("127.0.0.1", ""),
        ("192.0.2.2", HERE),
        ("0.0.0.0", "127.0.0.1"),
        ("127.1", "127.0.0.1"),
        ("2130706433", "127.0.0.1"),
        ("[::1", "127.0.0.1"),
        ("::1", "127.0.0.1"),
        ("[]", ""),
        ("[relay.example]", HERE),
        ("http://relay.example", HERE),
    ],
)
def test_other_names(host, local):
    assert "is no name of this page" in host_refused(host, NAMES, local)


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"])
def test_what_our_own_pages_ask_for(method):
    assert forged(method, host="relay", site="same-origin", origin="null") == ""


def test_programs_say_nothing_of_their_page():
    assert forged("POST", host="relay") == ""


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_link_of_others_is_followed(site):
    assert forged("GET", host="relay", site=site, mode="navigate", dest="document") == ""


@pytest.mark.parametrize("site", ["cross-site", "same-site", "x", "none, same-origin"])
@pytest.mark.parametrize(
    ("mode", "dest"),
    [
        ("no-cors", "image"),
        ("no-cors", "script"),
        ("cors", "empty"),
        ("navigate", "iframe"),
        ("navigate", "object"),
        ("", ""),
        ("no-cors", "document"),
    ],
)
def test_what_others_put_into_their_pages_is_refused(site, mode, dest):
    assert forged("GET", host="relay", site=site, mode=mode, dest=dest)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE"])
@pytest.mark.parametrize("site", ["cross-site", "same-site", "none", "Same-Origin", "x"])
def test_forms_of_others_are_refused_whatever_else_they_say(method, site):
    assert forged(
        method,
        host="relay",
        site=site,
        mode="navigate",
        dest="document",
        origin="http://relay",
    )


@pytest.mark.parametrize(
    ("origin", "host", "secure"),
    [
        ("http://relay:2580", "relay:2580", False),
        ("https://relay:2580", "relay:2580", True),
        # A proxy of ours speaks TLS for us.
        ("https://relay", "relay", False),
        ("https://relay", "relay:443", False),
        ("http://relay", "relay:80", False),
        ("https://relay", "RELAY.", True),
        ("http://[::1]:2580", "[0:0::1]:2580", False),
    ],
)
def test_our_own_origin(origin, host, secure):
    assert forged("POST", host=host, origin=origin, secure=secure) == ""


@pytest.mark.parametrize(
    ("origin", "host", "secure"),
    [
        ("null", "relay", False),
        ("null", "null", False),
        ("http://relay", "relay", True),
        ("http://relay", "relay:443", False),
        ("https://relay", "relay:2580", False),
        ("http://relay:2581", "relay:2580", False),
        ("ftp://relay", "relay", False),
        ("relay", "relay", False),
        ("https://relay@evil", "relay", False),
        ("https://evil", "relay", False),
        ("https://evil/relay", "relay", False),
        ("https://relay https://evil", "relay", False),
        ("//relay", "relay", False),
    ],
)
def test_other_origins(origin, host, secure):
    assert forged("POST", host=host, origin=origin, secure=secure)


@pytest.mark.parametrize(
    ("origin", "none"),
    [
        ("http://relay.example:2580", True),
        ("http://192.0.2.1", True),
        ("https://relay.example", False),
        ("http://localhost:2580", False),
        ("http://127.0.0.1:2580", False),
        ("http://[::1]", False),
        ("http://x.localhost", False),
        ("null", False),
        ("", False),
    ],
)
def test_where_browsers_keep_no_cookie(origin, none):
    assert keeps_no_cookie(origin) is none


@given(st.text() | st.text(alphabet="/\\\t\n\r.:@ae%?#", max_size=8).map(lambda each: f"/{each}"))
def test_whatever_is_asked_for_a_browser_stays_here(text):
    for path in (own_path(text), as_location(text), path_referred_to(f"http://r/{text}", "r")):
        assert path[0] == "/"
        assert path[1:2] not in ("/", "\\")
        assert path.isascii()
        assert path.isprintable()
        assert " " not in path
        assert "\\" not in path


@pytest.mark.parametrize(
    ("referer", "path"),
    [
        ("http://relay:1/queue?state=held&account=A%2FB", "/queue?state=held&account=A%2FB"),
        ("https://RELAY:1/queue#x", "/queue"),
        ("http://relay:1/", "/"),
        ("http://relay:1", "/"),
        ("http://relay:2/queue", "/"),
        ("http://evil/?//relay:1/queue", "/"),
        ("http://relay:1@evil/queue", "/"),
        ("ftp://relay:1/queue", "/"),
        ("//relay:1/queue", "/"),
        ("http://relay:1//evil", "/"),
        ("", "/"),
    ],
)
def test_only_pages_of_ours_are_gone_back_to(referer, path):
    assert path_referred_to(referer, "relay:1") == path


@pytest.mark.parametrize(
    ("path", "location"),
    [
        ("/queue?state=held", "/queue?state=held"),
        ("/accounts/a%2Fb", "/accounts/a%2Fb"),
        ("/accounts/Büro 1", "/accounts/B%C3%BCro%201"),
        ("/accounts/x\r\nSet-Cookie: a=b", "/accounts/x%0D%0ASet-Cookie:%20a=b"),
        ("/\\evil.example", "/%5Cevil.example"),
        ("//evil.example", "/"),
        ("https://evil.example", "/"),
    ],
)
def test_a_place_to_go_to(path, location):
    assert as_location(path) == location
