"""Examines what an account needs that delivers to strangers' servers, step by step, for an admin.

The DNS, the addresses that strangers see and their names; with the address of a recipient, also the
way to the mail servers of that domain, and a mail.  Nobody is connected without one: strangers are
not there for our tests.  What is met changes nothing of the health of hosts and destinations.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from ipaddress import ip_address

from twisted.internet.error import ConnectBindError
from twisted.python.failure import Failure

from ...dns import ROOT, DnsError
from ...mail.phase import Phase
from ...mail.reply import Reply
from ...routing.account import Account
from ...routing.next_hops import MailHost, NoRouteError
from ..address_examination import AddressExamination
from ..broken import SessionBrokenError
from ..connect import bind_once, connect_problem, source_address
from ..factory import AccountSenderFactory
from ..findings import Examined, Finding, Wishes
from ..relays import Relays
from ..sender import AccountSender
from .direct_relay import hop_to
from .identity import Identity, helo_problem, identity_of

#: Addresses of mail servers that are examined in vain: each may take half a minute.
MOST_IN_VAIN = 4


class DirectExamination:
    """One examination of a direct account.

    :param wall: tells the time that certificates are judged by, in seconds since the epoch.
    :param on_finding: is told of each step at its end.
    :ivar found: what was found so far.
    """

    def __init__(
        self,
        account: Account,
        relays: Relays,
        wall: Callable[[], float],
        on_finding: Callable[[Finding], object],
    ) -> None:
        self._account = account
        self._hop = account.hop
        self._relays = relays
        self._servers = relays.servers()
        self._names = self._servers.routes.names
        self._now: Callable[[], float] = relays.reactor.seconds
        self._wall = wall
        self.found = Examined(account, self._now, on_finding)

    async def run(self, wishes: Wishes) -> Examined:
        """Examine the account; what fails is found, and never raised."""
        await self._look_at_dns()
        for address in await self._our_addresses():
            await self._look_at_names(address)
        if wishes.to:
            await self._look_at_recipient(wishes.to, wishes)
        else:
            self._tell("port 25", self._now(), "not tried: nobody is connected without a recipient")
        return self.found

    # Steps.

    def _tell(self, step: str, began: float, result: str, address: str = "") -> None:
        self.found.tell(step, began, result, address)

    def _failed(
        self, step: str, began: float, phase: Phase, reply: Reply, address: str = ""
    ) -> None:
        self.found.tell(step, began, reply.text, address, (phase, reply))

    def _no_answer(self, step: str, began: float, error: DnsError, address: str = "") -> None:
        self._failed(step, began, Phase.DNS, Reply(0, "4.4.3", str(error)), address)

    # The DNS, and what it says of us.

    async def _look_at_dns(self) -> None:
        """Ask for something that is there whatever becomes of anybody's domain, and is signed."""
        began = self._now()
        try:
            answer = await self._names.query(ROOT, "TXT")
        except DnsError as error:
            self._no_answer("dns", began, error)
            return
        self._tell("dns", began, "it answers")
        secure = "answers are verified" if answer.secure else "no answer is known to be verified"
        self._tell("dnssec", self._now(), secure)

    async def _our_addresses(self) -> list[str]:
        """Return the addresses from which mail can be sent."""
        if not self._hop.local_addresses:
            began = self._now()
            found = [each for version in (4, 6) if (each := source_address(version))]
            chosen = f"the system chooses {' and '.join(found)}" if found else "the system chooses"
            self._tell("local address", began, chosen)
            return found
        usable = []
        for local in self._hop.local_addresses:
            began = self._now()
            try:
                bind_once(local)
            except ConnectBindError as error:
                problem = connect_problem(Failure(error), self._hop)
                self._failed("local address", began, Phase.CONNECT, Reply(0, "4.4.1", problem))
            else:
                self._tell("local address", began, local)
                usable.append(local)
        return usable

    async def _look_at_names(self, address: str) -> None:
        began = self._now()
        if not (ip_address(address).is_global or self._servers.routes.allow_private()):
            # Behind NAT: who translates it decides which one strangers see.
            self._tell(
                "ptr", began, "not looked up: a private address is not what others see", address
            )
            return
        try:
            identity = await identity_of(self._names, address)
        except DnsError as error:
            self._no_answer("ptr", began, error, address)
            return
        if identity.problem:
            reply = Reply(0, "4.7.25", identity.problem)  # RFC 7372 section 3.3
            self._failed("ptr", began, Phase.DNS, reply, address)
        else:
            names = ", ".join(identity.confirmed)
            self._tell("ptr", began, f"{names}, which has this address", address)
        await self._look_at_helo(identity)

    async def _look_at_helo(self, identity: Identity) -> None:
        began, helo = self._now(), self._hop.helo_name
        try:
            problem = await helo_problem(self._names, helo, identity)
        except DnsError as error:
            self._no_answer("helo", began, error, identity.address)
            return
        if problem:
            reply = Reply(0, "4.7.0", problem)
            self._failed("helo", began, Phase.DNS, reply, identity.address)
        else:
            same = helo.lower() in identity.confirmed
            said = "is the name of the address" if same else "has the address"
            self._tell("helo", began, f"{helo} {said}", identity.address)

    # The mail servers of a recipient.

    async def _look_at_recipient(self, to: str, wishes: Wishes) -> None:
        began, destination = self._now(), self._account.destination(to)
        try:
            hosts = await self._servers.routes.hosts(destination, self._account)
        except NoRouteError as error:
            self._failed("mx", began, Phase.DNS, error.reply)
            return
        self._tell("mx", began, "; ".join(map(_in_words, hosts)))
        in_vain = 0
        for host in hosts:
            in_vain = await self._look_at_host(host, destination, wishes, in_vain)
            if self.found.works or in_vain >= MOST_IN_VAIN:
                return

    async def _look_at_host(
        self, host: MailHost, destination: str, wishes: Wishes, in_vain: int
    ) -> int:
        """Examine the addresses of a host, until one of each family works; send one mail.

        :return: how many addresses were examined in vain by now.
        """
        began = self._now()
        policy = await self._servers.policy(host, destination, self._account)
        if policy.tls is None:
            reply = Reply(0, "4.7.0", f"{policy.told()}: {policy.why}")
            self._failed("policy", began, Phase.TLS, reply)
            return in_vain
        self._tell("policy", began, f"{policy.told()}: {policy.why}")
        hop = hop_to(host, policy.tls, self._account)
        sessions = self._relays.to_host(self._account, hop)
        way = AddressExamination(
            self._account, hop, sessions, relays=self._relays, found=self.found, wall=self._wall
        )
        talk = partial(self._send_mail, way=way, sessions=sessions, wishes=wishes)
        done = set[int]()
        for address in host.addresses:
            version = ip_address(address).version
            if version in done or in_vain >= MOST_IN_VAIN:
                continue
            in_vain += 1
            with suppress(SessionBrokenError):
                await way.examine(address, None if self.found.works else talk)
                done.add(version)
                in_vain -= 1
        return in_vain

    async def _send_mail(
        self,
        session: AccountSender,
        *,
        way: AddressExamination,
        sessions: AccountSenderFactory,
        wishes: Wishes,
    ) -> None:
        sessions.is_ready(session)
        self.found.works = True
        await way.send_mail(session, wishes.sender, wishes.to or "")


def _in_words(host: MailHost) -> str:
    return f"{host.name} ({host.preference}) at {', '.join(host.addresses)}"
