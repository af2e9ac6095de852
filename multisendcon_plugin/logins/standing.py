"""How the login of an account stands, as far as others may know.  Pure."""

from __future__ import annotations

import attrs


@attrs.frozen(kw_only=True)
class LoginStanding:
    """How a login stands; nothing of it is secret.

    Times are seconds since the epoch, by the clock on the wall; ``None``: there is no such time.

    :param kind: ``"password"`` or ``"token"``.
    :param valid_until: the access token is good until then.
    :param refreshed: when it was got.
    :param unused_since: when the refresh token was used last.
    :param expires: when the secret or certificate of the application runs out.
    :param trouble: why there is no new token, and what to do; ``""``: all is well.
    """

    kind: str
    valid_until: float | None = None
    refreshed: float | None = None
    unused_since: float | None = None
    expires: float | None = None
    trouble: str = ""
