"""What is found out about the way to an account's server: see `examination`.  Pure values."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import attrs

from ..mail.phase import Phase
from ..mail.reply import Reply
from ..outcome.failure import Action
from ..routing.account import Account
from .broken import SessionBrokenError
from .chain import CertificateFacts
from .redaction import Redaction

T = TypeVar("T")


@attrs.frozen
class Problem:
    """Why a step has failed.

    :param reply: of the server, or with code 0 what happened instead.
    :param action: what the relay makes of it.
    """

    phase: Phase
    reply: Reply
    action: Action


@attrs.frozen(kw_only=True)
class Finding:
    """One step.

    :param step: ``dns``, ``local address``, ``wait``, ``connect``, ``greeting``, ``ehlo``, ``tls``,
        ``certificate``, ``login``, ``sender``, ``null sender``, ``mail`` or ``connections``; of
        direct accounts also ``dnssec``, ``ptr``, ``helo``, ``mx``, ``policy`` and ``port 25``.
    :param result: in words, in one line or more.
    :param address: of the server, or in the steps ``ptr`` and ``helo`` of ours; ``""``: none is
        known yet.
    :param problem: ``None``: it went well.
    """

    step: str
    seconds: float
    result: str
    address: str = ""
    problem: Problem | None = None


@attrs.frozen(kw_only=True)
class Wishes:
    """What is to be examined beside the way to the login.

    :param sender: for MAIL; ``None``: the fixed sender of the account, if it has one.
    :param to: gets a mail; ``None``: nobody does.
    :param connections: how many the server allows.
    """

    sender: str | None = None
    to: str | None = None
    connections: bool = False


@attrs.define
class Examined:
    """What was found so far.

    :param on_finding: is told of each step at its end.
    :ivar works: some address could be used, up to the login.
    :ivar redaction: of the last session.
    :ivar offers: of EHLO with their parameters, as the last session had them that was opened.
    :ivar certificates: that the server has shown last, its own first.
    :ivar transcript: of all sessions, one after the other.
    """

    _account: Account
    _now: Callable[[], float]
    _on_finding: Callable[[Finding], object]
    findings: list[Finding] = attrs.field(factory=list)
    works: bool = False
    redaction: Redaction = attrs.field(factory=Redaction)
    offers: tuple[str, ...] = ()
    certificates: tuple[CertificateFacts, ...] = ()
    transcript: list[str] = attrs.field(factory=list)

    def tell(
        self,
        step: str,
        began: float,
        result: str,
        address: str,
        failed: tuple[Phase, Reply] | None = None,
    ) -> None:
        """Add a step.

        :param began: when.
        :param failed: where and why.
        """
        problem = None
        if failed:
            problem = Problem(*failed, self._account.classify(*failed))
        finding = Finding(
            step=step,
            seconds=self._now() - began,
            result=self.hidden(result),
            address=address,
            problem=problem,
        )
        self.findings.append(finding)
        self._on_finding(finding)

    async def step(
        self, step: str, doing: Awaitable[T], words: Callable[[T], str], address: str = ""
    ) -> T:
        """Do something, and tell how it went.

        :raise SessionBrokenError: it failed.
        """
        began = self._now()
        try:
            result = await doing
        except SessionBrokenError as broken:
            # A handshake of TLS ends with what comes first inside it.
            name = "tls" if broken.phase is Phase.TLS else step
            self.tell(name, began, str(broken.reply), address, (broken.phase, broken.reply))
            raise
        self.tell(step, began, words(result), address)
        return result

    def hidden(self, text: str) -> str:
        """Return what may be shown of a text, in which a server may have repeated the password."""
        return self.redaction.redacted(text.encode()).decode("utf-8", "replace")
