"""For how long a quota is used up when the server says that it is, and not we.

Others may send by the same login, or the server counts in another way: by our own count there was
room.  So its window has to pass, as far as the reply tells which one it is.  Pure.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import inf

from ..mail.reply import Reply
from ..outcome.backoff import LONGEST_REST
from ..settings.quantities import DAY, HOUR
from ..settings.quota import Quota

#: Words of a reply, and the windows that they are about: from so long, to less than so long.
_ONE = "(?:per|an?|each|every|last|past|one|1|this)"
_WINDOWS = (
    (rf"\b{_ONE}[- ]minute|60[- ]seconds\b", 0.0, HOUR),
    (rf"\bhourly|{_ONE}[- ]hour\b", HOUR, DAY),
    (rf"\bdaily|{_ONE}[- ]day|24[- ]hours?\b", DAY, inf),
)


def used_up_for(reply: Reply, quotas: Sequence[Quota]) -> float:
    """Return for how many seconds an account rests whose server says that its quota is used up.

    :param quotas: of the account.  Without one that fits it rests for an hour, and asks again.
    """
    windows = {quota.window for quota in quotas}
    for words, least, most in _WINDOWS:
        if re.search(words, reply.text, re.IGNORECASE):
            # The longest one that is meant: a shorter one may not be enough.
            return max((each for each in windows if least <= each < most), default=LONGEST_REST)
    return windows.pop() if len(windows) == 1 else LONGEST_REST
