"""How the login of an account stands, for people; nothing secret."""

from __future__ import annotations

from typing import Literal

import attrs

from ..times import Time


@attrs.frozen(kw_only=True)
class LoginStanding:
    """What an account logs in with, and how long that is good for.

    :param kind: what it is.
    :param valid_until: when the access token runs out; ``None``: there is none.
    :param refreshed: when it came.
    :param unused_since: when the refresh token was used last, and was seen to work: it dies of
        disuse; ``None``: there is none.
    :param expires: when the application's secret or certificate runs out, by the settings: the
        beginning of that day, UTC.
    :param trouble: what is wrong; ``""``: nothing.
    :param needs_admin: it stays so until somebody does something.
    """

    kind: Literal["password", "token"]
    valid_until: Time | None = None
    refreshed: Time | None = None
    unused_since: Time | None = None
    expires: Time | None = None
    trouble: str = ""
    needs_admin: bool = False
