"""What a reply says of its question, and nothing else.

Only the records of the name that was asked for are looked at, and of the names that it stands for
(CNAME), in the answer section.  All others could be anybody's idea: whoever has a domain decides
what the replies about it contain.
"""

from __future__ import annotations

import attrs
import dns.edns
import dns.flags
import dns.rcode
import dns.rdatatype

from .answer import TYPES, Kind
from .octets import Labels, MalformedError, Reply, ResourceRecord, text_of
from .records import Record
from .surplus import with_fewer_records
from .wire import Question, rcode_of

#: Names that one name may stand for, one after the other.
MOST_ALIASES = 8
#: Records of a reply that are read, in all its sections: see `surplus`.
MOST_RECORDS = 100
_NO_ERROR, _NO_NAME = dns.rcode.NOERROR, dns.rcode.NXDOMAIN
_CNAME, _SOA, _NS = dns.rdatatype.CNAME, dns.rdatatype.SOA, dns.rdatatype.NS
_AD, _RECURSED = int(dns.flags.AD), int(dns.flags.RA | dns.flags.AA)


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
    if rcode not in (_NO_ERROR, _NO_NAME):
        raise UnusableError(f"says {_named(rcode)}{_explained(octets)}")
    try:
        # What stands in the place of those that are left out is read, too.
        reply = Reply(with_fewer_records(octets, MOST_RECORDS), 2 * MOST_RECORDS + 3)
        return _finding(question, reply, rcode)
    except (MalformedError, ValueError):
        raise UnusableError("sends what cannot be read") from None


def _finding(question: Question, reply: Reply, rcode: int) -> Finding:
    if reply.rcode != rcode:  # the rest of it is in the OPT record (RFC 6891 section 6.1.3)
        raise UnusableError(f"says {_named(reply.rcode)}")
    name, aliases, ttls = question.labels, 0, []
    while alias := _of(reply.answer, name, _CNAME):
        aliases += 1
        if aliases > MOST_ALIASES:
            raise UnusableError("says that it stands for other names without end (CNAME)")
        name = reply.target(alias[-1])
        ttls += [each.ttl for each in alias]
    verified = bool(reply.flags & _AD)
    found = _of(reply.answer, name, _NUMBERS[question.rdtype])
    if not found:
        return _nothing(reply, name, rcode, ttls, verified=verified, aliases=aliases)
    if rcode == _NO_NAME:
        raise UnusableError("says that the name is not there, and what it has")
    ttls += [each.ttl for each in found]
    return Finding(
        kind=Kind.FOUND,
        records=tuple(dict.fromkeys(reply.value(each, question.rdtype) for each in found)),
        canonical=text_of(name),
        verified=verified,
        ttl=min(ttls),
        aliases=aliases,
    )


def _nothing(
    reply: Reply, name: Labels, rcode: int, ttls: list[int], *, verified: bool, aliases: int
) -> Finding:
    """Read that there is nothing (RFC 2308 sections 2 and 5); of a chain, RFC 6604 section 3."""
    soas = [
        each
        for each in reply.authority
        if each.rdtype == _SOA and name[len(name) - len(each.owner) :] == each.owner
    ]
    is_absent = rcode == _NO_NAME
    if not (soas or is_absent or aliases):
        # RFC 2308 section 2.2: a referral looks nearly as an answer that there is nothing.
        refers = any(each.rdtype == _NS for each in reply.authority)
        if refers or not reply.flags & _RECURSED:
            raise UnusableError("does not ask other servers (no recursion)")
    unfinished = bool(aliases) and not soas and not is_absent
    ttl = None
    if soas:
        ttl = min([*ttls, soas[0].ttl, reply.minimum(soas[0])])
    elif unfinished:
        ttl = min(ttls)
    return Finding(
        kind=Kind.NO_NAME if is_absent else Kind.NO_DATA,
        records=(),
        canonical=text_of(name),
        verified=verified,
        ttl=ttl,
        aliases=aliases,
        unfinished=unfinished,
    )


def _named(rcode: int) -> str:
    return dns.rcode.to_text(dns.rcode.Rcode(rcode))


def _of(section: list[ResourceRecord], name: Labels, rdtype: int) -> list[ResourceRecord]:
    return [each for each in section if each.rdtype == rdtype and each.owner == name]


def _explained(octets: bytes) -> str:
    """Return the reasons that a server gives (RFC 8914); its own words are not repeated."""
    try:
        errors = Reply(octets, MOST_RECORDS).errors
        reasons = {dns.edns.EDECode(each).name for each in errors}
    except (MalformedError, ValueError):
        return ""
    words = ", ".join(sorted(reasons)).replace("_", " ").lower()
    return f" ({words})" if words else ""


_NUMBERS = {each: int(dns.rdatatype.from_text(each)) for each in TYPES}
