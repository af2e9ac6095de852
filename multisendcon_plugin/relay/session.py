"""What those who talk over a session need of it."""

from __future__ import annotations

from typing import Protocol

from ..mail.phase import Phase
from ..mail.reply import Reply
from ..routing.account import Account
from .replies import ReplyReader


class Session(Protocol):
    """A session as an `Opening` and a `Transaction` know it: no transport, no clock, no TLS."""

    account: Account
    reader: ReplyReader
    offers: dict[str, str]
    """What EHLO advertised, keyword in capitals to its parameters."""
    unclean: bool
    """The last transaction left something behind that RSET has to clear."""
    lost: Reply | None
    """Why there will be no further reply; those that were read before still count."""
    paused: bool
    """The server does not take what was written last."""

    @property
    def in_handshake(self) -> bool:
        """The handshake of TLS has not ended yet."""

    def begin_mail(self) -> None:
        """The server is asked to take one mail more."""

    def write(self, octets: bytes) -> None:
        """Send octets."""

    def expect(self, phase: Phase) -> None:
        """The server has its time for this from now on; then the session is `lost`."""

    def expect_nothing(self) -> None:
        """It is we who take our time."""

    def go_on(self) -> None:
        """Let whoever talks go on with what has come."""
