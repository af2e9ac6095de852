"""Whether it is our address that is refused, and not a mail: what blocklists have done.

A server that asks a blocklist refuses all mail of an address.  Where one destination does so, that
is its affair: the mail fails, or is tried again, as the reply has it.  Where most do, no more mail
may be wasted on them: it waits until somebody has seen to it.  Pure.
"""

from __future__ import annotations

import re
from collections import OrderedDict

import attrs

from ..mail.reply import Reply

#: Destinations that have to say so, of the last ones that have said anything about mail.
_ENOUGH = 3
_SHARE = 0.5
_LAST = 10
#: Seconds for which what was said counts.
WINDOW = 3600.0
_LONGEST_READ = 1000

#: Lists of addresses.  Those of domains and links, which are about a mail, are none.
_KNOWN_LISTS = (
    r"(?:zen|sbl|xbl|css|pbl|sbl-xbl)\.(?:dq\.)?spamhaus\.\w+|(?:[\w-]+\.)?spamcop\.net"
    r"|(?:[\w-]+\.)?barracudacentral\.org|(?:[\w-]+\.)?sorbs\.net|(?:[\w-]+\.)?uceprotect\.net"
    r"|cbl\.abuseat\.org|(?:[\w-]+\.)?mailspike\.(?:net|org)|psbl\.surriel\.com"
    r"|(?:[\w-]+\.)?spamrats\.com|ix\.dnsbl\.manitu\.net|bl\.0spam\.org"
    r"|(?:[\w-]+\.)*abusix\.(?:zone|com)|(?:[\w-]+\.)?backscatterer\.org"
)
_LIST = re.compile(
    rf"blocked (?:using|by) (?:the )?(?P<named>[\w-]+(?:\.[\w-]+)+)|(?P<known>{_KNOWN_LISTS})",
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

    Hosts of one provider differ in the first label, which often names the customer.
    """
    _, _, rest = host.partition(".")
    is_address = ":" in host or host[-1:].isdigit()
    return rest if "." in rest and not is_address else host
