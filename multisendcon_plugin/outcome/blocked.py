"""Whether it is our address that is refused, and not a mail: what blocklists have done.

A server that asks a blocklist refuses all mail of an address.  Where one destination does so, that
is its affair: the mail fails, or is tried again, as the reply has it.  Where most do, no more mail
may be wasted on them: it waits until somebody has seen to it.  Pure.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from ipaddress import ip_address, ip_network

import attrs

from ..mail.reply import Reply

#: Destinations that have to say so, of the last ones that have said anything about mail.
_ENOUGH = 3
_SHARE = 0.5
_LAST = 10
#: Seconds for which what was said counts.
WINDOW = 3600.0
_LONGEST_READ = 1000
#: What countries mostly have above the domains that one can have; letters of a country's name.
_PUBLIC = frozenset(("ac", "co", "com", "edu", "go", "gov", "ne", "net", "or", "org"))
_COUNTRY = 2
#: Bits of addresses, by the version of IP, that one who has one of them may have all of.
_NEAR = {4: 24, 6: 48}

# A name has so many labels at most, of so many letters, and begins where no other one goes on: else
# some texts would cost the square of their length.
_LABEL, _BEGIN = r"[\w-]{1,63}", r"(?<![\w-])"
#: Lists of addresses.  Those of domains and links, which are about a mail, are none.
_KNOWN_LISTS = (
    r"(?:zen|sbl|xbl|css|pbl|sbl-xbl)\.(?:dq\.)?spamhaus\.\w+"
    rf"|(?:{_LABEL}\.)?(?:spamcop\.net|barracudacentral\.org|sorbs\.net|uceprotect\.net"
    r"|mailspike\.(?:net|org)|spamrats\.com|backscatterer\.org)"
    r"|cbl\.abuseat\.org|psbl\.surriel\.com|ix\.dnsbl\.manitu\.net|bl\.0spam\.org"
    rf"|(?:{_LABEL}\.){{0,5}}abusix\.(?:zone|com)"
)
_LIST = re.compile(
    rf"blocked (?:using|by) (?:the )?(?P<named>{_LABEL}(?:\.{_LABEL}){{1,10}})"
    rf"|{_BEGIN}(?P<known>{_KNOWN_LISTS})",
    re.IGNORECASE,
)
_ADDRESS = re.compile(
    r"(?<![\w.:])(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9a-f]{1,4}:[0-9a-f:]+[0-9a-f])(?![\w:])",
    re.IGNORECASE,
)
#: Said of an address, that stands beside it.
_REFUSED = re.compile(
    r"block(?:ed|list\w*|ing)?\b|black-?list\w*|deny-?list\w*|(?:dns|r)bl\b|\bbanned|\blisted\b"
    r"|reputation",
    re.IGNORECASE,
)
#: It is the mail that is listed.
_OF_A_MAIL = re.compile(
    r"\burls?\b|\buris?\b|\blinks?\b|\bsurbl|\buribl|\bdbl\.|\brhsbl|body|content of", re.IGNORECASE
)


@attrs.frozen
class Blocked:
    """Our address is refused.

    :param address: as the server has it; ``""``: it names none.
    :param by: the list; ``""``: the server's own.
    """

    address: str
    by: str

    def __str__(self) -> str:
        address = self.address or "the local address"
        return f"{address} is on the blocklist {self.by}" if self.by else f"{address} is blocked"


def blocked(reply: Reply, ours: tuple[str, ...] = ()) -> Blocked | None:
    """Return that a refusal is about our address, where it says so.

    :param ours: the addresses that we know of; behind NAT there may be another one.
    """
    if reply.code < 400:
        return None
    text = reply.text[:_LONGEST_READ]
    if _OF_A_MAIL.search(text):
        return None
    addresses: list[str] = _ADDRESS.findall(text)
    known = next((each for each in addresses if each.lower() in ours), "")
    if found := _LIST.search(text):
        by = (found["named"] or found["known"]).lower()
        return Blocked(known or next(iter(addresses), ""), by)
    if known and _REFUSED.search(text):
        return Blocked(known, "")
    return None


class BlockedShare:
    """How many of the last destinations refuse our address.

    Whoever answers for several destinations counts once: pass the name of the one who answers.
    Once most refuse it, whoever does so the next time is enough, until one does not: meanwhile the
    account sends a single mail now and then, and would begin anew with each that comes back.
    """

    def __init__(self) -> None:
        #: The last one at the end: when, and whether it was refused.
        self._heard: OrderedDict[str, tuple[float, bool]] = OrderedDict()
        self._known = False

    def heard(self, who: str, *, refused: bool, now: float) -> None:
        """Take down what somebody says of mail: that our address is refused, or anything else."""
        self._heard.pop(who, None)
        self._heard[who] = now, refused
        while len(self._heard) > _LAST or next(iter(self._heard.values()))[0] <= now - WINDOW:
            self._heard.popitem(last=False)
        most = self.refusing >= max(_ENOUGH, _SHARE * len(self._heard))
        self._known = most or (refused and self._known)

    @property
    def most_refuse(self) -> bool:
        """It is no affair of single destinations any more."""
        return self._known

    @property
    def refusing(self) -> int:
        """How many refuse our address."""
        return sum(refused for _, refused in self._heard.values())

    def __str__(self) -> str:
        return f"{self.refusing} of the last {len(self._heard)} mail servers refuse it"


def answering(host: str) -> str:
    """Return who answers for a host: its provider, as far as the name tells.

    That is whoever has the domain: below it, anybody has as many names as he likes, and would
    otherwise be the most of those who are heard.  So it is with addresses that are near each other.

    :param host: its name as A-labels, or its address.
    """
    try:
        address = ip_address(host)
    except ValueError:
        labels = host.lower().split(".")
        is_public = len(labels[-1]) == _COUNTRY and labels[-2:-1] and labels[-2] in _PUBLIC
        return ".".join(labels[-3 if is_public else -2 :])
    return str(ip_network((address, _NEAR[address.version]), strict=False))
