"""By what stories are found: hashes of sender, recipient, Message-ID and account, by period.

An index over all stories would have each new one change pages all over it, and its disk write them.
So the marks of each period, a minute or so, lie together, and who searches looks at each period.  A
hash may be that of something else: whoever finds a story by one still has to look at it.  Pure.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import repeat
from zlib import crc32

from ..mail.address import matching_form
from ..mail.envelope import Envelope
from .story import Search, bare

#: Microseconds of a period, as a power of two: 67 seconds.
PERIOD_BITS = 26
HASH_BITS = 32

#: A field, and a text in it: the same text means something else in each.
Mark = tuple[int, str]
_SENDER, _RECIPIENT, _MESSAGE_ID, _ACCOUNT = 1, 2, 3, 4


def marks(envelope: Envelope, accounts: Iterable[str]) -> list[Mark]:
    """Return the marks by which a message is found."""
    found = [(_SENDER, matching_form(envelope.reverse_path))]
    found += zip(repeat(_RECIPIENT), map(matching_form, envelope.recipients))
    if envelope.message_id:
        found.append((_MESSAGE_ID, bare(envelope.message_id)))
    found += zip(repeat(_ACCOUNT), accounts)
    return found


def account_mark(account: str) -> Mark:
    """Return the mark by which the mail is found that an account has had."""
    return _ACCOUNT, account


def rarest(search: Search) -> Mark | None:
    """Return the mark that finds the fewest stories; ``None``: nothing is said that has one."""
    if search.message_id is not None:
        return _MESSAGE_ID, bare(search.message_id)
    if search.recipient is not None:
        return _RECIPIENT, matching_form(search.recipient)
    if search.sender is not None:
        return _SENDER, matching_form(search.sender)
    if search.account is not None:
        return account_mark(search.account)
    return None


def hashes(marks: Iterable[Mark]) -> list[int]:
    """Return the hash of each mark."""
    return [crc32(text.encode("utf-8", "surrogatepass"), field) for field, text in marks]
