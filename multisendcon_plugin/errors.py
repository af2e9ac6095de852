"""The exceptions of this package.

What happens to a mail (refused, deferred, lost) is never an exception but a value: see
``outcome.attempt``.  Pure: no Twisted, no clock, no disk.
"""

from __future__ import annotations


class MultisendconError(Exception):
    """Every exception that this package raises on purpose."""


class ConfigurationError(MultisendconError):
    """The configuration has faults; all of them are listed.

    :param faults: one finished sentence each, with the place and what would be right.
    """

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


class AddressError(MultisendconError):
    """An address or path breaks the grammar of RFC 5321, section 4.1.2."""


class MaskError(MultisendconError):
    """A sender or recipient mask cannot be read; the text says what would be right."""


class ContentError(MultisendconError):
    """Content handed in without SMTP is not a message that SMTP can carry."""


class SpoolError(MultisendconError):
    """The spool cannot be opened, or could not write or read."""


class SpoolFullError(SpoolError):
    """There is no room for another message now; there may be later."""


class SpoolBrokenError(SpoolError):
    """Nothing is written any more until the relay is restarted."""


class SpoolLockedError(SpoolError):
    """Another process uses the spool."""


class AccountNotFoundError(MultisendconError, LookupError):
    """No account has this name."""


class AccountUnfitError(MultisendconError):
    """An account cannot do now what is asked of it; the text says why, and what can be done."""


class SignInError(MultisendconError):
    """Nobody has signed in for an account; the text says why, and nothing secret.

    :param code: of RFC 6749 or RFC 8628, or the provider's own; ``""``: there is none.
    """

    def __init__(self, text: str, code: str = "") -> None:
        super().__init__(text)
        self.code = code


class WrongAddressError(SignInError):
    """That is not where the browser was sent to for this sign-in; another one may be tried."""


class HistoryError(MultisendconError):
    """The history cannot be read or written now; no mail depends on it."""


class ListenError(MultisendconError):
    """The relay cannot listen where the configuration says."""


class EditRefusedError(MultisendconError):
    """A change of the configuration cannot be made as it is meant; the text says what to do."""


class FileChangedError(MultisendconError):
    """A file is another one than it was; it is not overwritten."""


class FileNotWrittenError(MultisendconError):
    """A file cannot be read or replaced; the text says why, and what to do."""
