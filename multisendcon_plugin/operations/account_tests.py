"""Tests accounts for an admin: each step with what came of it, and what to do about it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterable

import attrs
from twisted.internet.defer import CancelledError, Deferred, DeferredQueue
from twisted.python.failure import Failure

from ..edge.submission import checked
from ..errors import AddressError
from ..relay.chain import CertificateFacts
from ..relay.direct.examination import DirectExamination
from ..relay.examination import Examination
from ..relay.findings import Examined, Finding, Wishes
from ..relay.relays import Relays
from ..routing.account import Account
from .advice import advice
from .errors import BadRequestError, RefusedError
from .values import AccountTest

#: Days before the end of a certificate from which on it is worth a word.
_DAYS = 21
#: Steps that fail at one address of a server, and do no harm if another one works.
_OF_ONE_ADDRESS = frozenset({"wait", "connect", "greeting", "ehlo", "tls", "policy"})


@attrs.frozen(kw_only=True)
class TestStep:
    """One step of a test.

    :param step: see `Finding`.
    :param address: of the server; ``""``: none is known yet.
    :param advice: what to do; ``""``: nothing.
    """

    step: str
    ok: bool
    seconds: float
    result: str
    address: str
    advice: str


@attrs.frozen(kw_only=True)
class TestedAccount:
    """What a test has found.

    :param ok: the account can send mail.
    :param advice: of the first step that keeps it from that; ``""``: there is none.
    :param offers: of EHLO, with their parameters.
    :param certificates: of the server, its own first; also if it was not accepted.
    :param transcript: lines of all sessions; ``C:`` is the relay, ``S:`` the server.
    """

    account: str
    ok: bool
    advice: str
    steps: tuple[TestStep, ...]
    offers: tuple[str, ...]
    certificates: tuple[CertificateFacts, ...]
    transcript: tuple[str, ...]


class AccountTests:
    """Runs the tests of accounts, of each account one at a time.

    :param relays: makes the sessions, within the limits of the accounts.
    :param largest: tells the octets of the largest mail that the relay takes.
    :param wall: tells what time it is, in seconds since the epoch.
    """

    def __init__(
        self, relays: Relays, largest: Callable[[], int], wall: Callable[[], float]
    ) -> None:
        self._relays = relays
        self._largest = largest
        self._wall = wall
        self._under_way: dict[str, Deferred[Examined]] = {}

    async def run(
        self,
        account: Account,
        asked: AccountTest,
        on_step: Callable[[TestStep], object] | None = None,
    ) -> TestedAccount:
        """Test an account.

        :param on_step: is told of each step at its end.
        :raise RefusedError: it is being tested already.
        :raise BadRequestError: an address is none, or a mail would have no sender.
        """
        wishes = _wishes(account, asked)
        if account.name in self._under_way:
            raise RefusedError(
                f'account "{account.name}" is being tested; ask again when that is over'
            )
        steps: list[TestStep] = []
        examination: Examination | DirectExamination

        def found(finding: Finding) -> None:
            step = self._step(account, finding, examination.found)
            steps.append(step)
            if on_step is not None:
                on_step(step)

        examine = DirectExamination if account.direct else Examination
        examination = examine(account, self._relays, self._wall, found)
        running = Deferred.fromCoroutine(examination.run(wishes))
        self._under_way[account.name] = running
        try:
            examined = await running
        except CancelledError:
            raise RefusedError("the relay is shutting down") from None
        finally:
            del self._under_way[account.name]
        failed = [
            step
            for step in steps
            if not step.ok and not (examined.works and step.step in _OF_ONE_ADDRESS)
        ]
        return TestedAccount(
            account=account.name,
            ok=not failed,
            advice=failed[0].advice if failed else "",
            steps=tuple(steps),
            offers=examined.offers,
            certificates=examined.certificates,
            transcript=tuple(examined.transcript),
        )

    async def steps(
        self, account: Account, asked: AccountTest
    ) -> AsyncGenerator[TestStep | TestedAccount, None]:
        """Test an account; iterate over its steps, each at its end, and last what `run` answers.

        Who wants no more of them ends the test.
        """
        told: DeferredQueue[TestStep | None] = DeferredQueue()
        running = Deferred.fromCoroutine(self.run(account, asked, told.put))

        def over(result: TestedAccount | Failure) -> TestedAccount | Failure:
            told.put(None)
            return result

        running.addBoth(over)
        try:
            while step := await told.get():
                yield step
            yield await running
        finally:
            running.cancel()
            running.addErrback(lambda _: None)  # nobody hears of it any more

    def stop(self) -> None:
        """End the tests that are under way."""
        for running in tuple(self._under_way.values()):
            running.cancel()

    def _step(self, account: Account, finding: Finding, examined: Examined) -> TestStep:
        return TestStep(
            step=finding.step,
            ok=finding.problem is None,
            seconds=round(finding.seconds, 3),
            result=finding.result,
            address=finding.address,
            advice=advice(account, finding) or self._hint(account, finding, examined),
        )

    def _hint(self, account: Account, finding: Finding, examined: Examined) -> str:
        """Return what is worth a word although the step went well."""
        if account.direct:
            return ""  # of strangers' servers nothing more is known
        if finding.step == "certificate":
            days = examined.certificates[0].days_left
            if days < _DAYS:
                return f"The provider has to renew the certificate: it expires in {days} days."
        size = _size(examined.offers)
        if finding.step == "ehlo" and 0 < size < self._largest():
            return (
                f"The server takes mails of up to {size} bytes, and the relay takes larger"
                ' ones, which would come back; see "max_message_size".'
            )
        if finding.step == "sender" and account.minimum_wait:
            return (
                'The provider may count this as a mail; "minimum_wait" is not kept between it and'
                " other mail."
            )
        return ""


def _size(offers: Iterable[str]) -> int:
    """Return the size that a server offers (RFC 1870), in octets; 0: it says none."""
    said = (offer.partition(" ")[2] for offer in offers if offer.startswith("SIZE "))
    return next((int(size) for size in said if size.isdecimal()), 0)


def _wishes(account: Account, asked: AccountTest) -> Wishes:
    sender = None if asked.sender is None else _address(asked.sender, "from")
    to = None if asked.to is None else _address(asked.to, "to")
    if to and not (sender or account.fixed_sender):
        raise BadRequestError(
            f'account "{account.name}" has no fixed sender: say from whom the mail is ("from", or'
            " --from ADDRESS of the command)"
        )
    if asked.connections and account.direct:
        raise BadRequestError(
            f'account "{account.name}" has no server of its own whose connections could be counted'
        )
    return Wishes(sender=sender, to=to, connections=asked.connections)


def _address(text: str, what: str) -> str:
    try:
        return checked(text, null_allowed=False)
    except AddressError as error:
        raise BadRequestError(f"{what}: {text[:200]!a} is no address: {error}") from None
