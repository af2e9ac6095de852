"""By what stories are found: hashes of sender, recipient, Message-ID and account, by period.

An index over all stories would have each new one change pages all over it, and its disk write them.
So the marks of each period, a minute or so, lie together, and who searches looks at each period.  A
hash may be that of something else: whoever finds a story by one still has to look at it.  Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from zlib import crc32

from ..mail.address import matching_form
from ..mail.envelope import Envelope
from .story import Search, bare

#: Microseconds of a period, as a power of two: 67 seconds.
PERIOD_BITS = 26
HASH_BITS = 32

# Seeds: the same text means something else in each field.
_SENDER, _RECIPIENT, _MESSAGE_ID, _ACCOUNT = 1, 2, 3, 4


def marks(envelope: Envelope, accounts: Iterable[str]) -> Iterator[int]:
    """Yield the hashes by which a message is found."""
    yield _hash(_SENDER, matching_form(envelope.reverse_path))
    for recipient in envelope.recipients:
        yield _hash(_RECIPIENT, matching_form(recipient))
    if envelope.message_id:
        yield _hash(_MESSAGE_ID, bare(envelope.message_id))
    for account in accounts:
        yield account_mark(account)


def account_mark(account: str) -> int:
    """Return the hash by which the mail is found that an account has had."""
    return _hash(_ACCOUNT, account)


def rarest(search: Search) -> int | None:
    """Return the hash that finds the fewest stories; ``None``: nothing is said that has one."""
    if search.message_id is not None:
        return _hash(_MESSAGE_ID, bare(search.message_id))
    if search.recipient is not None:
        return _hash(_RECIPIENT, matching_form(search.recipient))
    if search.sender is not None:
        return _hash(_SENDER, matching_form(search.sender))
    if search.account is not None:
        return account_mark(search.account)
    return None


def _hash(seed: int, text: str) -> int:
    return crc32(text.encode("utf-8", "surrogatepass"), seed)
