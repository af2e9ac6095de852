"""What a browser may be made to do by others, and is not: rebinding, forged requests, framing.

Looks at requests before anything is asked of the relay; knows no session.  Pure.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from urllib.parse import quote

from .addresses import address_of

#: Of each answer: nothing runs but our own files, nobody shows us in a frame, and nothing is kept.
HEADERS: Mapping[str, str] = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self';"
        " connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    # A form of ours says where it comes from.
    "Referrer-Policy": "same-origin",
    "Server": "multisendcon",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
#: What is only asked.
SAFE = frozenset({"GET", "HEAD"})
#: All that can be answered.
METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE")

_HOST = (
    r"(?P<host>\[(?P<literal>[0-9A-Fa-f:.]+)(?:%[\w.~%-]+)?\]|(?P<name>[\w.-]{1,255}))"
    r"(?::(?P<port>[0-9]{1,5}))?"
)
_HOST_FIELD = re.compile(_HOST, re.ASCII)
_ORIGIN = re.compile(rf"(?P<scheme>https?)://{_HOST}", re.ASCII)
_PORTS = {"http": 80, "https": 443}
#: A path of this page with what stands behind it.  Browsers take "\\" for "/", leave tabs and line
#: ends out, and take what begins with "//" for the name of a host.
_OWN_PATH = re.compile(r"/(?!/)[!-\[\]-~]*")
_FORGED = "this was asked for by a page of another site"


def host_refused(host: str, names: Collection[str], local: str) -> str:
    """Return why a request for a host is not answered; ``""``: it is.

    A page of somebody else whose name leads here (DNS rebinding) is refused by its name.

    :param host: what ``Host:`` says.
    :param names: by which we may be reached, in lower case.
    :param local: the address of this machine that the client has connected; ``""``: none.
    """
    found = _HOST_FIELD.fullmatch(host)
    name = _name_of(found) if found else ""
    here = address_of(local)
    if name and (name == "localhost" or name in names or (here and name == str(here))):
        return ""
    if here and here.is_loopback and _is_loopback(name):
        return ""
    return f'"{host}" is no name of this page; if it is to be, add it to "hostnames" of [web]'


def _name_of(found: re.Match[str]) -> str:
    """Return a host in the one way in which we write it; ``""``: it is none."""
    if found["literal"]:
        return str(address_of(found["literal"]) or "")
    name: str = found["name"].removesuffix(".").lower()
    return str(address_of(name) or name)


def _is_loopback(name: str) -> bool:
    address = address_of(name)
    return bool(address and address.is_loopback)


def forged(
    method: str,
    *,
    host: str,
    site: str = "",
    mode: str = "",
    dest: str = "",
    origin: str = "",
    secure: bool = False,
) -> str:
    """Return why a request seems to come from a page of somebody else; ``""``: it does not.

    :param site: what ``Sec-Fetch-Site:`` says, which no page can set; ``""``: nothing.  Likewise
        `mode` and `dest`.
    :param origin: likewise ``Origin:``, which browsers send with all that changes something.
    :param secure: it came here by TLS.
    """
    if site == "same-origin":
        return ""
    if method in SAFE:
        # Somebody's link may lead to a page, which shows nothing without the cookie, as it is
        # SameSite=Strict; what they put into their own page is not for them.
        linked = mode == "navigate" and dest == "document"
        return "" if site in ("", "none") or linked else _FORGED
    if site:
        return _FORGED
    return "" if not origin or _is_own(origin, host, secure=secure) else _FORGED


def _is_own(origin: str, host: str, *, secure: bool) -> bool:
    theirs, ours = _ORIGIN.fullmatch(origin), _HOST_FIELD.fullmatch(host)
    if not theirs or not ours or (secure and theirs["scheme"] != "https"):
        return False
    usual = _PORTS[theirs["scheme"]]
    ports = [int(each["port"] or usual) for each in (theirs, ours)]
    return _name_of(theirs) == _name_of(ours) and ports[0] == ports[1]


def keeps_no_cookie(origin: str) -> bool:
    """Tell whether a browser that names this origin keeps no cookie of ours: it has no TLS.

    Connections within its own machine need none.
    """
    found = _ORIGIN.fullmatch(origin)
    if not found or found["scheme"] == "https":
        return False
    name = _name_of(found)
    return not (name == "localhost" or name.endswith(".localhost") or _is_loopback(name))


def own_path(text: str) -> str:
    """Return a path to which a browser may be sent, as it is only one of this page; else ``/``."""
    return text if _OWN_PATH.fullmatch(text) else "/"


def path_referred_to(referer: str, host: str) -> str:
    """Return the path from which somebody comes, with what stands behind it; ``/``: not ours.

    :param referer: what ``Referer:`` says.
    """
    scheme, _, rest = referer.partition("://")
    theirs, slash, path = rest.partition("/")
    if scheme not in _PORTS or not slash or theirs.lower() != host.lower():
        return "/"
    return own_path(f"/{path.partition('#')[0]}")


def as_location(path: str) -> str:
    """Return a path of ours as it may stand in ``Location:``, whatever names are in it."""
    return own_path(quote(path, safe="/?#[]@!$&'+*(),;=:%~"))
