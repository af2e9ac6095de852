"""The exchange of challenges and responses behind AUTH.

RFC 4954 section 4.  Bad base64 and responses that a mechanism cannot read end the exchange with a
reply; base64 may lack its padding, as that of some devices does.  Nothing that a client sends is
logged.  Pure.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any

from ..mail.reply import ReplyError
from . import replies


class Authentication:
    """One exchange.

    :param challenger: an `IChallengeResponse`; holds the credentials when the exchange is over.
    """

    def __init__(self, challenger: Any) -> None:
        self.challenger = challenger

    def begin(self, initial_response: bytes) -> bytes | None:
        """Return the first challenge in base64, or ``None`` when the exchange is over already."""
        challenge = self._challenge()
        if not initial_response:
            return challenge
        # RFC 4954 section 4: "=" is an empty response, which cannot be told from none otherwise.
        return self.answer(b"" if initial_response == b"=" else initial_response)

    def answer(self, response: bytes) -> bytes | None:
        """Take the client's response; return the next challenge as `begin` does.

        :raise ReplyError: the exchange has failed.
        """
        # RFC 4954 section 4: the client gives up.
        if response == b"*":
            raise ReplyError(replies.AUTHENTICATION_ABORTED)
        try:
            self.challenger.setResponse(_decoded(response))
        except (binascii.Error, ValueError, IndexError):
            raise ReplyError(replies.AUTHENTICATION_SYNTAX) from None
        except ReplyError:
            raise
        except Exception as error:  # twisted.cred's mechanisms raise their own for bad responses
            raise ReplyError(replies.AUTHENTICATION_SYNTAX) from error
        return self._challenge() if self.challenger.moreChallenges() else None

    def _challenge(self) -> bytes:
        challenge: bytes = base64.b64encode(self.challenger.getChallenge())
        return challenge


def _decoded(text: bytes) -> bytes:
    """Read base64 with or without its padding (RFC 4648 section 3.2)."""
    digits = text.rstrip(b"=")
    return base64.b64decode(digits + b"=" * (-len(digits) % 4), validate=True)
