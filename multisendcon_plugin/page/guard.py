"""What a browser may be made to do by others, and is not: rebinding, forged requests, framing.

Looks at requests before anything is asked of the relay; knows no session.  Pure.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from ipaddress import ip_address
from urllib.parse import urlsplit

#: Of each answer: nothing runs but our own files, and nobody shows us in a frame.
HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self';"
        " connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_SAFE = frozenset({"GET", "HEAD"})
#: A path of this page with what stands behind it.  Browsers take "\\" for "/", leave tabs and line
#: ends out, and take what begins with "//" for the name of a host.
_OWN_PATH = re.compile(r"/(?!/)[!-\[\]-~]*")


def host_refused(host: str, names: Collection[str], local: str) -> str:
    """Return why a request for a host is not answered; ``""``: it is.

    A page of somebody else whose name leads here (DNS rebinding) is refused by its name.

    :param host: what ``Host:`` says.
    :param names: by which we may be reached, in lower case.
    :param local: the address of this machine that the client has connected; ``""``: none.
    """
    name = _name_of(host)
    if name == "localhost" or name in names or (name and name == local):
        return ""
    if _is_loopback(name) and _is_loopback(local):
        return ""
    return f'"{host}" is no name of this page; if it is to be, add it to "hostnames" of [web]'


def _name_of(host: str) -> str:
    try:
        return (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return ""


def _is_loopback(name: str) -> bool:
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False


def forged(method: str, *, site: str, origin: str, host: str) -> str:
    """Return why a request seems to come from a page of somebody else; ``""``: it does not.

    :param site: what ``Sec-Fetch-Site:`` says, which no page can set; ``""``: nothing.
    :param origin: likewise ``Origin:``.
    """
    if site:
        # Somebody's link may lead to a page, which shows nothing without the cookie, as it is
        # SameSite=Strict; a form or a script of theirs leads to nothing.
        good = {"same-origin", "none"} | ({"cross-site", "same-site"} if method in _SAFE else set())
        return "" if site in good else "this was asked for by a page of another site"
    if method in _SAFE or not origin:
        return ""
    return "" if urlsplit(origin).netloc == host else "this was asked for by a page of another site"


def own_path(text: str) -> str:
    """Return a path to which a browser may be sent, as it is only one of this page; else ``/``."""
    return text if _OWN_PATH.fullmatch(text) else "/"
