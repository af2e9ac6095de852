"""What holds for a session: made once for all clients that are treated alike.  Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import attrs

from ..mail.reply import Reply
from ..settings.values import MasterRelay, MinimumTls
from . import replies
from .tolerance import Tolerance


@attrs.frozen(kw_only=True, eq=False)
class SessionPolicy:
    """What holds for a session.

    :param hostname: what the server calls itself; ASCII.
    :param settings: what a client may bring, and how long it may take.
    :param minimum_tls: the oldest version that is spoken; see `ClientsTLS`.
    :param tolerance: corrects what the clients send; ``None``: nothing does.
    :param fix_bare_lf: a line of content may end with a bare LF, which becomes CRLF.
    :param login_in_clear: a login is possible without TLS.
    :param is_stranger: a client may do nothing but log in, soon and with few errors.
    :param no_rights: what is said to its mails until then.
    :param mechanisms: makes a challenger for each mechanism of AUTH.
    :param tls: makes the server's side of TLS; ``None``: STARTTLS is not offered.
    """

    hostname: str
    settings: MasterRelay = attrs.field(factory=MasterRelay)
    minimum_tls: MinimumTls = MinimumTls.TLS_1_2
    tolerance: Tolerance | None = None
    fix_bare_lf: bool = False
    login_in_clear: bool = False
    is_stranger: bool = False
    no_rights: Reply = replies.LOGIN_FIRST
    mechanisms: Mapping[bytes, Callable[[], Any]] = attrs.field(factory=dict)
    tls: Any = None
