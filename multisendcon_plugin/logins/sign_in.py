"""Somebody signs in: by a code on any device (RFC 8628), or in a browser (RFC 6749 4.1, RFC 7636).

For the command line, with a reactor of its own.  Both end in a token that is stored.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import attrs
from twisted.internet.defer import Deferred

from ..routing.account import Account
from .token import Token


@attrs.frozen(kw_only=True)
class DeviceSignIn:
    """A code waits for somebody to enter it.

    :param user_code: is entered there.
    :param url: where.
    :param complete_url: the same with the code in it; ``""``: the provider has none.
    :param message: what the provider says of it, in its words; ``""``: nothing.
    :param ends_at: when the code runs out, by the wall clock.
    """

    user_code: str
    url: str
    complete_url: str
    message: str
    ends_at: float
    _poll: Callable[[], Deferred[Token]] = attrs.field(repr=False)

    def finish(self) -> Deferred[Token]:
        """Wait until somebody has signed in; return the token, once it is stored.

        Cancelling it ends the wait.  Fails with `SignInError`.
        """
        return self._poll()


@attrs.frozen(kw_only=True)
class CodeSignIn:
    """Somebody may sign in with a browser.

    :param url: where.
    """

    url: str
    _exchange: Callable[[str], Deferred[Token]] = attrs.field(repr=False)

    def finish(self, redirected: str) -> Deferred[Token]:
        """Take what the browser was redirected to; return the token, once it is stored.

        :param redirected: the whole address, or its query.

        Fails with `SignInError`; if that is about `redirected`, another one may be tried.
        """
        return self._exchange(redirected)


def begin_device(
    account: Account,
    folder: str,
    reactor: Any,
    *,
    wall: Callable[[], float] = time.time,
) -> Deferred[DeviceSignIn]:
    """Ask for a code for an account.

    :param account: has ``oauth2``.
    :param folder: of the spool.

    Fails with `SignInError`.
    """
    raise NotImplementedError


def begin_code(
    account: Account,
    folder: str,
    redirect: str,
    reactor: Any,
    *,
    wall: Callable[[], float] = time.time,
) -> CodeSignIn:
    """Have somebody sign in with a browser, for an account.

    :param account: has ``oauth2``.
    :param folder: of the spool.
    :param redirect: where the browser is sent to, ``http://127.0.0.1:PORT`` (RFC 8252, 7.3).
    """
    raise NotImplementedError
