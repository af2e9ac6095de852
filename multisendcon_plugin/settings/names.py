"""The kinds of values that name a place in the network or in mail.

A converter takes a value as ``tomllib`` gives it, and returns ours or raises
`InvalidValueError`.  The grammar of mail addresses and masks is that of
``address`` and ``masks``.  Pure.
"""

from __future__ import annotations

import re
from contextlib import suppress
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit

import idna

from ..errors import AddressError, MaskError
from ..mail.address import ascii_domain, parse_mailbox
from ..mail.header import ORIGINATORS
from ..mail.masks import Masks
from .endpoints import address_of, parse_endpoint
from .kinds import listed, text
from .words import InvalidValueError, shown

#: An address or a network, of IPv4 or IPv6.
Network = IPv4Network | IPv6Network

_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
#: RFC 5321, section 4.1.2; the last label of a name is never a number (RFC 3696, section 2).
_DOMAIN = re.compile(rf"(?:{_LABEL}\.)*(?![0-9]+\Z){_LABEL}")
#: Resolvers take underscores, and local networks have them.
_HOST = re.compile(_DOMAIN.pattern.replace("A-Za-z0-9", "A-Za-z0-9_"))
_LONGEST_DOMAIN = 255
_HTTP_FIELD = re.compile(r"[A-Za-z0-9-]+")
_FIELD_NAME = re.compile(r"[!-9;-~]+")
_NOT_REMOVABLE = ORIGINATORS | {"reply-to", "received"}


def domain(value: object) -> str:
    """Convert a domain name (RFC 5321, section 2.3.5), in ASCII."""
    return _name(value, _DOMAIN, 'a domain; write for example "mail.example.com"')


def domain_mask(value: object) -> str:
    """Convert a domain of recipients, or ``*.example`` for all its subdomains.

    :return: A-labels (RFC 5890, section 2.3.2.1) in lower case.
    """
    mask = text(value)
    prefix, name = ("*.", mask[2:]) if mask.startswith("*.") else ("", mask)
    with suppress(AddressError):
        # As recipients are read: what would have to be mapped is another domain.
        name = ascii_domain(f"x@{name.lower()}").removeprefix("x@")
        if len(name) <= _LONGEST_DOMAIN and _HOST.fullmatch(name):
            return prefix + name
    raise InvalidValueError(
        f'{shown(mask)} is not a domain; write for example "example.com", or "*.example.com" for'
        " all its subdomains"
    )


def host(value: object) -> str:
    """Convert the name or the IP address of a server."""
    if isinstance(value, str) and address_of(value):
        return text(value)
    return _name(value, _HOST, 'a host name or IP address; write for example "smtp.example.com"')


def helo_domain(value: object) -> str:
    """Convert the argument of EHLO: a domain or an address literal (RFC 5321, 4.1.1.1)."""
    name = text(value)
    if found := re.fullmatch(r"\[(?:(IPv6:)([^%]+)|(.+))\]", name, re.ASCII | re.IGNORECASE):
        version = IPv6Address if found[1] else IPv4Address
        if isinstance(address_of(found[2] or found[3]), version):
            return name
    elif isinstance(address := address_of(name), IPv4Address):
        raise InvalidValueError(f'{shown(name)} is a bare address; write "[{address}]"')
    elif address:
        raise InvalidValueError(f'{shown(name)} is a bare address; write "[IPv6:{address}]"')
    return _name(
        value,
        _DOMAIN,
        'a domain or an address literal; write for example "mail.example.com",'
        ' "[192.0.2.1]" or "[IPv6:2001:db8::1]"',
    )


def local_address(value: object) -> str:
    """Convert an IPv4 or IPv6 address of this machine."""
    address = address_of(text(value))
    if not address:
        raise InvalidValueError(
            f"{shown(value)} is not an IP address; write one of this machine, for example"
            ' "192.0.2.10" or "2001:db8::10"'
        )
    return str(address)


def local_addresses(value: object) -> tuple[str, ...]:
    """Convert an address of this machine, or a pair with one of each family."""
    if not isinstance(value, list):
        return (local_address(value),)
    addresses = listed(local_address)(value)
    versions = [ip_address(each).version for each in addresses]
    if len(set(versions)) < len(versions):
        raise InvalidValueError(
            f"{shown(addresses[-1])} is one IPv{versions[-1]} address too many; write one address,"
            ' or one of each family, for example ["192.0.2.10", "2001:db8::10"]'
        )
    return addresses


def network(value: object) -> Network:
    """Convert an address or a network."""
    name = text(value)
    try:
        wide = ip_network(name, strict=False)
    except ValueError:
        raise InvalidValueError(
            f"{shown(name)} is not an address or network; write for example"
            ' "192.0.2.7" or "192.0.2.0/24"'
        ) from None
    inside = name.partition("/")[0]
    if address_of(inside) != wide.network_address:
        raise InvalidValueError(
            f'{shown(name)} has host bits set; write "{wide}" for the network or "{inside}"'
            " for the one address"
        )
    return wide


def mailbox(value: object) -> str:
    """Convert a mail address."""
    address = text(value)
    try:
        return parse_mailbox(address)
    except AddressError as error:
        raise InvalidValueError(f"{shown(address)} is not a mail address: {error}") from None


def masks(value: object) -> Masks:
    """Convert a list of masks, or one comma separated string of them."""
    pieces = value
    if isinstance(value, str):
        pieces = [piece.strip() for piece in text(value).split(",") if piece.strip()]
    if pieces == []:
        raise InvalidValueError(
            "there is no mask; write at least one, or leave the key out to match everyone"
        )
    # One by one first, so that every mask with a fault is told.
    return Masks.parse(listed(lambda piece: _mask(text(piece)))(pieces))


def _mask(mask: str) -> str:
    try:
        Masks.parse([mask])
    except MaskError as error:
        raise InvalidValueError(str(error)) from None
    return mask


def http_field(value: object) -> str:
    """Convert the name of a header field of HTTP (RFC 9110, section 5.1), of usual characters."""
    name = text(value)
    if not _HTTP_FIELD.fullmatch(name):
        raise InvalidValueError(
            f'{shown(name)} is not the name of a header field; write for example "X-Remote-User"'
        )
    return name


def removable_field(value: object) -> str:
    """Convert the name of a header field that may be removed (RFC 5322, section 2.2)."""
    name = text(value)
    if not _FIELD_NAME.fullmatch(name):
        raise InvalidValueError(
            f"{shown(name)} is not the name of a header field; write for example"
            ' "X-Sender", without a colon'
        )
    if name.lower() in _NOT_REMOVABLE:
        raise InvalidValueError(
            f"{shown(name)} is never removed: the fixed sender has its own rule for it, or loops"
            " are found by it; leave it out"
        )
    return name


def endpoint(value: object) -> str:
    """Convert a server endpoint string of Twisted."""
    description = text(value)
    parse_endpoint(description)
    return description


def web_address(value: object) -> str:
    """Convert the address of something on the web.

    Its faults never show it: it may hold a token.
    """
    try:
        address = text(value)
        parts = urlsplit(address)
        scheme_is_good = parts.scheme in ("http", "https")
        good = scheme_is_good and parts.hostname and parts.port != 0 and address.isascii()
    except (InvalidValueError, ValueError):
        good = False
    if not good:
        raise InvalidValueError(
            'is not an address on the web; write "https://", a host and a path, in quotes'
        )
    if parts.username or parts.password:
        raise InvalidValueError(
            "has a name and a password before the host, which would not be sent; put a token into"
            " the path"
        )
    return address


def token_address(value: object) -> str:
    """Convert the address of an OAuth2 server: what is sent there is secret (RFC 6749, 10.9)."""
    address = web_address(value)
    parts = urlsplit(address)
    host = address_of(parts.hostname or "")
    if parts.scheme != "https" and not (host and host.is_loopback):
        raise InvalidValueError(
            f"{shown(address)} would be sent secrets in the clear; write https:// (http:// is for"
            " addresses of this machine, such as 127.0.0.1)"
        )
    return address


def _name(value: object, form: re.Pattern[str], what: str) -> str:
    name = text(value)
    if len(name) > _LONGEST_DOMAIN:
        raise InvalidValueError(
            f"{shown(name)} is longer than {_LONGEST_DOMAIN} characters; write a shorter one"
        )
    if form.fullmatch(name):
        return name
    if not name.isascii() and (ascii_name := _ascii(name)):
        raise InvalidValueError(f'{shown(name)} is not ASCII; write "{ascii_name}"')
    raise InvalidValueError(f"{shown(name)} is not {what}")


def _ascii(name: str) -> str:
    """Return the A-labels of an international domain (RFC 5890), ``""`` when it is none."""
    try:
        return idna.encode(name, uts46=True).decode("ascii")
    except UnicodeError:
        return ""
