"""What a row of the tables of advice is: see `advice_rows`.  Pure."""

from __future__ import annotations

import re

import attrs

from ..mail.phase import Phase
from ..outcome.failure import Action
from ..settings.oauth2 import Grant, OAuth2, Provider

#: The grants of accounts that log in with a token.
TOKEN = frozenset(Grant)
BY_PERSON = frozenset(grant for grant in Grant if grant.by_person)


def _pattern(words: str) -> re.Pattern[str]:
    return re.compile(words, re.IGNORECASE)


@attrs.frozen
class Row:
    """One row: in which phase, at which words, and what follows.

    :param words: are looked for in the reply with its codes.
    :param advice: with names of `advice` in braces.
    :param action: what the relay makes of it; ``None``: it does not matter.
    :param grants: by which the account gets tokens; ``None``: it need not log in with tokens.
    :param provider: of these tokens; ``None``: it does not matter.
    """

    phases: frozenset[Phase]
    words: re.Pattern[str] = attrs.field(converter=_pattern)
    advice: str
    action: Action | None = None
    grants: frozenset[Grant] | None = attrs.field(default=None, kw_only=True)
    provider: Provider | None = attrs.field(default=None, kw_only=True)

    def applies(self, phase: Phase, action: Action, said: str, oauth2: OAuth2 | None) -> bool:
        """Whether this is what has happened.

        :param said: the reply with its codes.
        :param oauth2: of the account.
        """
        return (
            phase in self.phases
            and self.action in (None, action)
            and (self.grants is None or (oauth2 is not None and oauth2.grant in self.grants))
            and (self.provider is None or (oauth2 is not None and oauth2.provider is self.provider))
            and self.words.search(said) is not None
        )
