"""Somebody who signs in at the OpenID provider's pages: reads forms, and presses their buttons."""

from __future__ import annotations

import http.cookiejar
import urllib.error
import urllib.request
from html.parser import HTMLParser
from urllib.parse import urlencode, urljoin, urlsplit

#: Pages on the way; there are four or five.
_MOST_PAGES = 20


class _Form(HTMLParser):
    """The one form of a page, if it has one.

    :ivar action: where it is sent.
    :ivar fields: what it asks for, with what is filled in already.
    """

    def __init__(self, page):
        super().__init__()
        self.action = None
        self.fields = {}
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        if tag == "form":
            self.action = values["action"]
        elif tag == "input" and self.action is not None and "name" in values:
            self.fields[values["name"]] = values.get("value", "")


class _Stays(urllib.request.HTTPRedirectHandler):
    """Follows the provider's redirects, and no others."""

    def redirect_request(self, request, *answer):
        *_, url = answer
        if urlsplit(url).netloc != urlsplit(request.full_url).netloc:
            return None
        return super().redirect_request(request, *answer)


class Person:
    """Has a browser of its own.

    :param mailbox: as whom it signs in.
    """

    def __init__(self, mailbox):
        self._typed = {"login": mailbox, "password": "any"}
        self._browser = urllib.request.build_opener(
            urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()),
            _Stays(),
            urllib.request.ProxyHandler({}),
        )

    def sign_in(self, address, code=None):
        """Open a page, and press the buttons until there are no more.

        :param code: what a device shows.
        :return: where the provider sends the browser to at last; None: to no other server.
        """
        typed = self._typed | ({"user_code": code} if code else {})
        answer, location = self._open(address)
        for _ in range(_MOST_PAGES):
            if location is not None:
                return location
            form = _Form(answer)
            if form.action is None:
                return None
            fields = {name: typed.get(name, value) for name, value in form.fields.items()}
            address = urljoin(address, form.action)
            answer, location = self._open(address, urlencode(fields).encode())
        raise RuntimeError(f"there is no end to the pages; the last one is {address}")

    def _open(self, address, body=None):
        try:
            with self._browser.open(address, body, timeout=30) as answer:
                return answer.read().decode(), None
        except urllib.error.HTTPError as error:
            with error:
                if error.code in (302, 303):
                    return "", error.headers["Location"]
                raise RuntimeError(f"{address}: {error.code} {error.read().decode()}") from error
