"""The grammar of paths and mailboxes: reads them, takes them apart, compares them.

RFC 5321 sections 4.1.2 and 4.1.3, with UTF-8 by RFC 6531 section 3.3.  An address is a `str`:
exactly the text between ``<`` and ``>``, without a source route; the null reverse-path is
``""``.  An address is never changed on its way, `matching_form` is for comparisons only.

Real clients and mailboxes are looser than the RFC, so these are let through: blanks after
``FROM:``, a path without ``<>``, dots anywhere in a local part, local parts of any length,
underscores and hyphens anywhere in a label of ASCII, capitals.  Control characters never are, and
other labels are U-labels (RFC 5890 section 2.3.2.1): what would have to be mapped to become one
would leave as another domain.  Pure: no Twisted, no clock, no disk.
"""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address

import idna

from ..errors import AddressError

#: RFC 5321, section 4.5.3.1.2: octets.  The 64 octets of a local part (section 4.5.3.1.1) are no
#: limit here, since mailing lists (VERP), forwarders (SRS) and ticket systems write longer ones;
#: nor are the 256 of a path (section 4.5.3.1.3), or the 63 of a label of ASCII: the next server
#: knows better what it takes.
LONGEST_DOMAIN = 255
#: RFC 1035, section 2.3.4: octets of an A-label, which a U-label has fewer characters than.
_LONGEST_LABEL = 63

# Up to Python 3.11.4 a possessive group may end at a wrong place (CPython issue 106052), so only
# single characters are possessive here; the groups begin with different ones.

# Nearly all paths: ASCII, nothing quoted, no source route.  What this does not read, the
# grammar below reads or refuses.
_COMMON_PATH = re.compile(
    rb"[ ]*+ <("
    rb"    [\w.!#$%&'*+/=?^`{|}~-]++ @ (?=[\w.-]{1,255}+>) [\w-]++ (?:\.[\w-]++)*"
    rb")> (?: [ ]++ ([^\x00-\x1f\x7f]*+) )?",
    re.VERBOSE,
)

# The quoted strings of RFC 5321 section 4.1.2 have none of these either, not even behind a
# backslash.
_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")

# RFC 6531, UTF8-non-ascii.  Without C1 controls and line separators, which would break the
# lines of logs and reports, and without the surrogates that stand for invalid UTF-8.
_NON_ASCII = r"\xa0-\u2027\u202a-\ud7ff\ue000-\U0010ffff"
_QUOTED = r'"(?:[^"\\]|\\.)*"'
_PATH = re.compile(rf'(<?)((?:{_QUOTED}|[^"<> ])*)(>?)(?: (.*+))?', re.DOTALL)
# Looser than the Dot-string of RFC 5321 section 4.1.2, which has no dots in a row or at an end:
# ``a..b@docomo.example`` exists.
_DOT_STRING = re.compile(rf"[\w.!#$%&'*+/=?^`{{|}}~{_NON_ASCII}-]++", re.ASCII)
_QUOTED_STRING = re.compile(rf'"(?:[ !#-\[\]-~{_NON_ASCII}]|\\[ -~])*"')
_LABEL = rf"[\w{_NON_ASCII}-]++"
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*", re.ASCII)
_SOURCE_ROUTE = re.compile(rf"@{_LABEL}(?:\.{_LABEL})*(?:,@{_LABEL}(?:\.{_LABEL})*)*:", re.ASCII)

_QUOTED_PAIR = re.compile(r"\\(.)")
_NEEDS_BACKSLASH = re.compile(r'(["\\])')


def parse_path(argument: bytes, *, null_allowed: bool) -> tuple[str, bytes]:
    """Read the path at the start of what follows ``MAIL FROM:`` or ``RCPT TO:``.

    RFC 5321, section 4.1.2.  Source routes are dropped (appendix C).

    :param argument: the rest of the command line, without its CRLF.
    :param null_allowed: a reverse-path is read: it may be ``<>``.  Otherwise it is a
        forward-path, which may be ``<postmaster>`` without a domain.
    :return: the address, and the ESMTP parameters after the path.
    :raise AddressError: the text fits into a 501 or 553 reply; it repeats nothing of the path.
    """
    found = _COMMON_PATH.fullmatch(argument)
    if found:
        return found[1].decode("ascii"), (found[2] or b"").rstrip()
    return _parse_any_path(argument, null_allowed=null_allowed)


def parse_mailbox(text: str) -> str:
    """Read ``user@domain``, without brackets, as in a configuration.

    RFC 5321, section 4.1.2, ``Mailbox``.

    :return: the same text: an address.
    :raise AddressError: says which part is wrong.
    """
    local, domain = split(text)
    if not domain:
        raise AddressError("an address has the form user@domain")
    if not (_DOT_STRING.fullmatch(local) or _QUOTED_STRING.fullmatch(local)):
        raise AddressError("the local part is empty or has characters that are not allowed")
    if domain.startswith("["):
        if not _is_address_literal(domain):
            raise AddressError("the address literal is not [IPv4] or [IPv6:...]")
    elif not _DOMAIN.fullmatch(domain):
        raise AddressError("the domain has an empty label or characters that are not allowed")
    elif len(domain.encode()) > LONGEST_DOMAIN:
        raise AddressError(f"the domain is longer than {LONGEST_DOMAIN} octets")
    elif not domain.isascii():
        a_labels(domain)
    return text


def split(address: str) -> tuple[str, str]:
    """Return local part and domain; without a domain, all of it is the local part."""
    # By the last @: a local part means something to its own domain only (RFC 5321, section 2.3.11),
    # so ``user%far@near`` and ``far!user@near`` are mailboxes at ``near``.
    local, at, domain = address.rpartition("@")
    # A domain has no quotes, so an @ before one stands inside a quoted string.
    if not at or not domain or domain.endswith('"'):
        return address, ""
    return local, domain


# Most mails of a client have the same sender.
@lru_cache(maxsize=64)
def matching_form(address: str) -> str:
    """Return the text by which an address is compared with others; never to be sent.

    Local part and domain in lower case, the domain as A-labels (RFC 5890, section 2.3.2.1), and
    without needless quotes: ``"joe"@x`` is the mailbox ``joe@x`` (RFC 5321, section 4.1.2).
    Takes any text, also domains that no address has because they would have to be mapped.
    """
    # RFC 5321 section 2.4 lets a host tell local parts apart by their case, and advises against
    # it.  An address literal is compared as it is written.  Nor is UTF-8 normalized: RFC 6532
    # section 3.1 prefers NFC, but what is not in it names, as far as we know, another mailbox.
    if address.isascii() and not address.startswith('"'):
        return address.lower()
    local, domain = split(address)
    local = _without_needless_quotes(local).lower()
    if not domain:
        return local
    return local + "@" + ".".join(map(_comparable_label, domain.split(".")))


def domain_of(address: str) -> str:
    """Return the domain of an address as the DNS knows it: A-labels in lower case.

    An address literal is returned as it is, in its brackets.

    :return: ``""`` when the address has no domain (``postmaster``).
    """
    domain = split(address)[1]
    if domain.startswith("["):
        return domain
    if domain.isascii():
        return domain.lower()
    try:
        return a_labels(domain)
    except AddressError:  # it was taken by another version of IDNA
        return domain.lower()


def destination_of(recipient: str) -> str:
    """Return the destination of a recipient within an account that is direct: the domain."""
    # Without one, as in <postmaster>, nobody but this host could be meant.
    return domain_of(recipient) or "localhost"


def ascii_domain(address: str) -> str:
    """Return an address with its domain as A-labels, for servers without SMTPUTF8.

    :raise AddressError: the local part is not ASCII, or the domain has no such form.
    """
    if address.isascii():
        return address
    local, domain = split(address)
    if not local.isascii():
        raise AddressError("the local part is not ASCII, which takes a server with SMTPUTF8")
    return parse_mailbox(f"{local}@{a_labels(domain)}")


def _parse_any_path(argument: bytes, *, null_allowed: bool) -> tuple[str, bytes]:
    if _CONTROL.search(argument):
        raise AddressError("control characters are not allowed")
    found = _PATH.fullmatch(argument.decode("utf-8", "surrogateescape").strip(" "))
    if not found or (found[1] == "<") != (found[3] == ">"):
        raise AddressError("a path has the form <user@domain>")
    path = found[2]
    if path:
        if not null_allowed and path.lower() == "postmaster":
            # Section 4.1.1.3: without a domain, and in any case; from here on in one.
            path = "postmaster"
        else:
            path = parse_mailbox(_without_source_route(path))
    elif not found[1]:
        raise AddressError("the path is missing")
    elif not null_allowed:
        raise AddressError("the null path is not allowed here")
    return path, (found[4] or "").encode("utf-8", "surrogateescape").strip()


def _without_source_route(path: str) -> str:
    if not path.startswith("@"):
        return path
    # Section 3.6.1 and appendix C: the route is ignored, and the mail goes to the domain behind it.
    route = _SOURCE_ROUTE.match(path)
    if not route:
        raise AddressError("a source route has the form <@host,@host:user@domain>")
    return path[route.end() :]


def _is_address_literal(domain: str) -> bool:
    if not domain.endswith("]"):
        return False
    text = domain[1:-1]
    try:
        if text[:5].lower() == "ipv6:":
            # A zone (RFC 4007) means something on one machine only.
            return IPv6Address(text[5:]).scope_id is None
        IPv4Address(text)
    except ValueError:
        return False
    return True


def _without_needless_quotes(local: str) -> str:
    if not _QUOTED_STRING.fullmatch(local):
        return local
    content = _QUOTED_PAIR.sub(r"\1", local[1:-1])
    if _DOT_STRING.fullmatch(content):
        return content
    return '"' + _NEEDS_BACKSLASH.sub(r"\\\1", content) + '"'


def a_labels(domain: str) -> str:
    """Return a domain as A-labels.

    :raise AddressError: a label is neither ASCII nor a U-label.
    """
    try:
        return ".".join(map(_a_label, domain.split(".")))
    except UnicodeError:
        raise AddressError(
            "the domain is not a valid internationalized name (IDNA 2008): a label has characters"
            " that are not allowed, or that stand for others, or is too long"
        ) from None


def _a_label(label: str) -> str:
    # One by one, because IDNA refuses the underscores that local networks have.
    return label.lower() if label.isascii() else _punycode(label)


# A domain of 255 octets has up to a hundred labels, and each is looked at character by character.
@lru_cache(maxsize=1024)
def _punycode(label: str) -> str:
    if len(label) > _LONGEST_LABEL:
        raise UnicodeError("too long")
    # Not mapped (UTS 46) as in `_comparable_label`: a zero width space, a full-width letter or
    # a soft hyphen would vanish on the way to a server without SMTPUTF8, or at the next one, and
    # the mail would leave for another domain than the one that was routed.
    return idna.alabel("".join(map(_small, label))).decode("ascii")


def _small(letter: str) -> str:
    """Return a capital in lower case; not the likes of the Kelvin sign, which stand for a letter.

    The capital sharp s is one: some take it for ss.
    """
    small = letter.lower()
    return small if small.upper() == letter else letter


@lru_cache(maxsize=1024)
def _comparable_label(label: str) -> str:
    if label.isascii():
        return label.lower()
    try:
        return idna.encode(label, uts46=True).decode("ascii")
    except UnicodeError:
        return label.lower()
