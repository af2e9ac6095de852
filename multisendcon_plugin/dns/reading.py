"""What a reply says of its question, and nothing else.

Only the records of the name that was asked for are looked at, and of the names that it stands for
(CNAME), in the answer section.  All others could be anybody's idea: whoever has a domain decides
what the replies about it contain.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import dns.edns
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype

from .answer import Kind
from .records import Mx, Record, Tlsa, Txt
from .surplus import with_fewer_records
from .wire import Question, rcode_of

#: Names that one name may stand for, one after the other.
MOST_ALIASES = 8
#: Records of a reply that are read, in all its sections: see `surplus`.
MOST_RECORDS = 100


class UnusableError(Exception):
    """A reply is no answer; the text says why, as what the server does."""


@attrs.frozen(kw_only=True)
class Finding:
    """What a reply says.

    :param canonical: the name at the end of the aliases.
    :param verified: the server has verified all of it (RFC 4035 section 3.2.3).
    :param ttl: for how many seconds it holds; ``None``: nobody says that it may be kept.
    :param aliases: how many there were.
    :param unfinished: nothing is said of the canonical name, except that it is one.
    """

    kind: Kind
    records: tuple[Record, ...]
    canonical: str
    verified: bool
    ttl: int | None
    aliases: int = 0
    unfinished: bool = False

    def followed_by(self, other: Finding) -> Finding:
        """Return what this and a reply about its canonical name say together."""
        ttls = (self.ttl, other.ttl)
        return attrs.evolve(
            other,
            verified=self.verified and other.verified,
            ttl=None if None in ttls else min(each for each in ttls if each is not None),
            aliases=self.aliases + other.aliases,
        )


def read(question: Question, octets: bytes) -> Finding:
    """Read the reply to a question.

    :param octets: begin with a whole header.
    :raise UnusableError: it is no answer.
    """
    rcode = rcode_of(octets)
    if rcode not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
        raise UnusableError(f"says {rcode.to_text(rcode)}{_explained(octets)}")
    try:
        message = _parsed(octets)
        return _finding(question, message, rcode)
    except UnusableError:
        raise
    except Exception:
        # dnspython raises whatever it comes across, not only what it declares.
        raise UnusableError("sends what cannot be read") from None


def _parsed(octets: bytes) -> dns.message.Message:
    return dns.message.from_wire(with_fewer_records(octets, MOST_RECORDS), ignore_trailing=True)


def _finding(question: Question, message: dns.message.Message, rcode: dns.rcode.Rcode) -> Finding:
    if message.rcode() != rcode:  # the rest of it is in the OPT record (RFC 6891 section 6.1.3)
        raise UnusableError(f"says {dns.rcode.to_text(message.rcode())}")
    name, aliases, ttls = question.dns_name, 0, []
    while alias := _answers(message, name, "CNAME"):
        aliases += 1
        if aliases > MOST_ALIASES:
            raise UnusableError("says that it stands for other names without end (CNAME)")
        name = alias[0].target
        ttls.append(alias.ttl)
    verified = bool(message.flags & dns.flags.AD)
    canonical = _text(name)
    found = _answers(message, name, question.rdtype)
    if not found:
        return _nothing(message, name, rcode, ttls, verified=verified, aliases=aliases)
    if rcode == dns.rcode.NXDOMAIN:
        raise UnusableError("says that the name is not there, and what it has")
    records = [_VALUES[question.rdtype](each) for each in found]
    return Finding(
        kind=Kind.FOUND,
        records=tuple(records),
        canonical=canonical,
        verified=verified,
        ttl=min([*ttls, found.ttl]),
        aliases=aliases,
    )


def _nothing(
    message: dns.message.Message,
    name: dns.name.Name,
    rcode: dns.rcode.Rcode,
    ttls: list[int],
    *,
    verified: bool,
    aliases: int,
) -> Finding:
    """Read that there is nothing (RFC 2308 sections 2 and 5); of a chain, RFC 6604 section 3."""
    soas = [
        each
        for each in message.authority
        if each.rdtype == dns.rdatatype.SOA and name.is_subdomain(each.name)
    ]
    is_absent = rcode == dns.rcode.NXDOMAIN
    if not (soas or is_absent or aliases):
        # RFC 2308 section 2.2: a referral looks nearly as an answer that there is nothing.
        refers = any(each.rdtype == dns.rdatatype.NS for each in message.authority)
        if refers or not message.flags & (dns.flags.RA | dns.flags.AA):
            raise UnusableError("does not ask other servers (no recursion)")
    unfinished = bool(aliases) and not soas and not is_absent
    ttl = None
    if soas:
        ttl = min([*ttls, soas[0].ttl, soas[0][0].minimum])
    elif unfinished:
        ttl = min(ttls)
    return Finding(
        kind=Kind.NO_NAME if is_absent else Kind.NO_DATA,
        records=(),
        canonical=_text(name),
        verified=verified,
        ttl=ttl,
        aliases=aliases,
        unfinished=unfinished,
    )


def _answers(message: dns.message.Message, name: dns.name.Name, rdtype: str) -> Any:
    return message.get_rrset(
        message.answer, name, dns.rdataclass.IN, dns.rdatatype.from_text(rdtype)
    )


def _text(name: dns.name.Name) -> str:
    """Return a name in our form; octets that no host name has are escaped, dots among them."""
    return name.to_text(omit_final_dot=True).lower()


def _explained(octets: bytes) -> str:
    """Return the reasons that a server gives (RFC 8914); its own words are not repeated."""
    try:
        errors = _parsed(octets).extended_errors()
        reasons = {dns.edns.EDECode(error.code).name for error in errors}
    except Exception:
        return ""
    words = ", ".join(sorted(reasons)).replace("_", " ").lower()
    return f" ({words})" if words else ""


_VALUES: dict[str, Callable[[Any], Record]] = {
    "A": lambda data: str(data.address),
    "AAAA": lambda data: str(data.address),
    "MX": lambda data: Mx(data.preference, _text(data.exchange)),
    "PTR": lambda data: _text(data.target),
    "TLSA": lambda data: Tlsa(data.usage, data.selector, data.mtype, data.cert),
    "TXT": lambda data: Txt(b"".join(data.strings).decode("latin-1")),
}
