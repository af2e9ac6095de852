"""Domains with their name servers and mail servers, and a relay that delivers to them directly."""

from __future__ import annotations

import contextlib
import json
import smtplib
import urllib.parse

from multisendcon_plugin.testing import Authority
from tests.interop.dns.block import SMTP, Block
from tests.interop.dns.mail_hosts import Host, MailHosts, association, write_certificate
from tests.interop.dns.name_servers import NameServers
from tests.interop.dns.policy_hosts import PolicyHost
from tests.interop.dns.zones import Zone, mail_servers, tlsa
from tests.interop.programs import until
from tests.interop.relay import Relay
from tests.interop.reloads import reload
from tests.web.live import Control

SENDER = "boss@sales.example"
#: The host that gets the reports of the relay.
REPORTS = "reports.test"
#: Last numbers of addresses: of the relay, of the web server, of the first mail server.
_RELAY, _WEB, _FIRST = 1, 2, 10

_CONFIGURATION = """
[dns]
allow_private = {private}
servers = {servers}
[ndr]
server = "{reports}"
port = 25
tls = "none"
[delivery]
retry = ["1h"]
{more}
{accounts}
"""
_DIRECT = """
[[account]]
name = "{name}"
type = "direct"
{settings}
"""


class Plan:
    """What there is to be.

    :ivar zones: by name.
    :ivar hosts: mail servers, by name.
    :ivar policies: texts of MTA-STS, by domain.
    :ivar authority: signs the certificates that are valid.
    """

    def __init__(self, folder, block):
        self._folder = folder
        self.block = block
        self.zones = {}
        self.hosts = {}
        self.policies = {}
        self.authority = Authority()
        self.stranger = Authority("Nobody trusts me")
        self.host(REPORTS)

    def zone(self, name, *records, **how):
        """Have a zone; see `Zone`."""
        self.zones[name] = Zone(name, records, **how)

    def domain(self, name, *hosts, more=(), **how):
        """Have a zone with a domain, whose mail servers are hosts in it, in order of preference."""
        self.zone(name, *mail_servers(*hosts), *map(self._record, self._in(name)), *more, **how)

    def host(self, name, certificate=None, *, addresses=1, at=()):
        """Have a mail server; return its only or first address.

        :param certificate: as `Authority.server_pem` returns it; without, it offers no TLS.
        :param addresses: how many it has, unless it is `at` others than those of the block.
        """
        files = certificate and write_certificate(self._folder, name, certificate)
        first = _FIRST + sum(len(host.addresses) for host in self.hosts.values())
        own = at or [self.block[number] for number in range(first, first + addresses)]
        self.hosts[name] = Host(name=name, addresses=own, certificate=files)
        return own[0]

    def valid(self, *names, **how):
        """Return a certificate, with its key, that everybody trusts.

        :param how: see `Authority.server_pem`.
        """
        return self.authority.server_pem(*names, **how)

    def distrusted(self, *names):
        """Return one that nobody trusts."""
        return self.stranger.server_pem(*names)

    def policy(self, domain, text, version="1"):
        """Give a domain a policy of MTA-STS; return the records that say where it is."""
        self.policies[domain] = text
        return [
            f'_mta-sts TXT "v=STSv1; id={version};"',
            f"mta-sts A {self.block[_WEB]}",
        ]

    def _in(self, name):
        return [host for host in self.hosts.values() if host.name.endswith(f".{name}")]

    @staticmethod
    def _record(host):
        return "\n".join(f"{host.name}. A {address}" for address in host.addresses)


class World:
    """All of it, running.

    :param plan: a function that is given a `Plan`, which it fills.
    :param more: further tables of the configuration.
    :param settings: further keys of the account, or other ones: values of TOML, by key.
    :param private: whether mail may be sent to private addresses, as all of ours are.
    :param asked: the DNS server that the relay asks, a function of this world that returns a
        context with an `endpoint`; without, it is the one that verifies.
    :param broken: zones whose servers refuse everybody.
    """

    def __init__(
        self,
        folder,
        plan,
        *,
        more="",
        settings=(),
        private=True,
        asked=None,
        broken=(),
        relay=Relay,
    ):
        self.folder = folder
        self._fill = plan
        self._more = more
        self._private = private
        self._settings = dict(settings)
        self._asked = asked
        self._broken = broken
        self._relay_class = relay
        self._running = contextlib.ExitStack()

    def __enter__(self):
        with contextlib.ExitStack() as entered:
            enter = entered.enter_context
            self.block = enter(Block())
            self.plan = Plan(self.folder, self.block)
            self._fill(self.plan)
            nowhere = (self.block[_WEB], SMTP)  # nobody listens there
            self.names = enter(
                NameServers(
                    self.folder,
                    self.plan.zones.values(),
                    elsewhere=dict.fromkeys(self._broken, nowhere),
                )
            )
            self.hosts = enter(MailHosts(self.folder, self.plan.hosts.values()))
            if self.plan.policies:
                self.web = enter(
                    PolicyHost(
                        self.folder, self.block[_WEB], self.plan.authority, self.plan.policies
                    )
                )
            self.asked = enter(self._asked(self)) if self._asked else self.names
            self.relay = self._relay_class(self.folder, self.configuration())
            ca = self.plan.authority.write(self.folder / "authority.pem")
            self.relay.environment["SSL_CERT_FILE"] = ca
            enter(self.relay)
            self.until(self._is_controlled, "the relay can be asked")
            self._running = entered.pop_all()
        return self

    def __exit__(self, *exc_info):
        self._running.__exit__(*exc_info)

    def configuration(self, accounts=None, *, more=None, private=None):
        """Return it, with accounts instead of the one that delivers directly."""
        (reports,) = self.plan.hosts[REPORTS].addresses
        return _CONFIGURATION.format(
            private=json.dumps(self._private if private is None else private),
            servers=json.dumps([self.asked.endpoint]),
            reports=reports,
            more=self._more if more is None else more,
            accounts=self.direct(**self._settings) if accounts is None else accounts,
        )

    def direct(self, name="Direct", **settings):
        """Return an account that delivers directly.

        :param settings: its keys, with values of TOML; ``None``: it has not that one.
        """
        keys = {
            "local_address": json.dumps(self.block[_RELAY]),
            "helo_domain": '"relay.example.com"',
            **settings,
        }
        lines = "\n".join(f"{key} = {value}" for key, value in keys.items() if value)
        return _DIRECT.format(name=name, settings=lines)

    def reload(self, accounts=None, **more):
        """Let the relay have another configuration, as `configuration` has it."""
        self.relay.configure(self.configuration(accounts, **more))
        reload(self.relay)

    def restart(self, *, killed=False):
        """End the relay, in good order or by surprise, and start it again."""
        if killed:
            self.relay.kill()
        else:
            self.relay.stop()
        self.start_relay()

    def start_relay(self):
        """Start the relay, which has ended."""
        self.relay.start()
        self.until(self._is_controlled, "the relay can be asked")

    def _is_controlled(self):
        with contextlib.closing(Control(self.relay.spool)) as control:
            try:
                control.connect()
            except OSError:
                return False
            return True

    # Mail.

    def send(self, *recipients, sender=SENDER, options=()):
        """Hand in one mail to all of them."""
        with smtplib.SMTP(self.relay.address, self.relay.port, timeout=60) as client:
            content = f"From: {sender}\r\nSubject: {recipients[0]}\r\n\r\nHello.\r\n"
            assert client.sendmail(sender, recipients, content.encode(), options) == {}

    def deliver(self, recipient, timeout=30):
        """Hand a mail in, wait for it, and return it as a host has taken it."""
        self.send(recipient)
        return self.arrived(recipient, timeout)

    def arrived(self, recipient, timeout=30):
        """Wait for the only mail to a recipient, and return it as a host has taken it."""
        (taken,) = self.until(lambda: self.hosts.of(recipient), f"{recipient} has mail", timeout)
        return taken

    def until(self, happened, what, timeout=30):
        """Wait as `until` does; who waits in vain is told what the relay has said."""
        try:
            return until(happened, what, timeout)
        except TimeoutError as error:
            raise TimeoutError(f"{error}\n{self.relay.last_words()}") from None

    # What is seen.

    def waiting(self, recipient):
        """Return what waits for a recipient, as the API tells of it."""
        with contextlib.closing(Control(self.relay.spool)) as control:
            return control.lines(f"queue?recipient={urllib.parse.quote(recipient)}")

    def deferred(self, recipient, timeout=30):
        """Wait until the mail to a recipient was deferred; return why, in lower case."""

        def why():
            for delivery in self.waiting(recipient):
                if delivery["attempts"] and delivery["state"] != "active":
                    (about,) = delivery["recipients"]
                    return f"{about['reason']} {about['last_reply']}".lower()
            return None

        reason = self.until(why, f"the mail to {recipient} is deferred", timeout)
        assert not self.hosts.of(recipient)
        return reason

    def bounced(self, sender):
        """Wait for the report to a sender; return its content."""
        (report,) = self.until(lambda: self.hosts.of(sender), f"{sender} gets a report")
        assert report.host == REPORTS
        return report.content

    def retry(self, recipient):
        """Have the mail to a recipient be tried now."""
        body = {"filter": {"recipient": recipient}}
        with contextlib.closing(Control(self.relay.spool)) as control:
            status, answer = control.json("POST", "queue/retry", body)
        assert status in (200, 422), answer  # it may just have left

    def story(self, recipient):
        """Return what the history tells of the only mail to a recipient."""
        with contextlib.closing(Control(self.relay.spool)) as control:
            (story,) = control.lines(f"history?recipient={urllib.parse.quote(recipient)}")
        return story


def own_tlsa(host, certificate, usage=3):
    """Return the TLSA record of a host, a name within its zone, that fits its certificate.

    :param certificate: with its key, as `Authority.server_pem` returns it.
    """
    return tlsa(host, association(certificate[0], usage))
