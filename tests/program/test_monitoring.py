"""A whole relay that is watched: its figures, its alarms and its health, on real sockets."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from unittest import mock

import attrs
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread
from twisted.web.resource import Resource
from twisted.web.server import Site

from multisendcon_plugin import RelayService, parse
from multisendcon_plugin.errors import ConfigurationError
from multisendcon_plugin.events import AlarmTold, FrontProcessEnded
from multisendcon_plugin.mail.reply import Reply
from multisendcon_plugin.settings.operation import MetricsSettings
from multisendcon_plugin.testing import Authority
from tests.certificates import certificate
from tests.interop.relay import Relay
from tests.interop.relay import account as account_text
from tests.live_relay import LiveRelayTestCase, account
from tests.web.live import Control

METRICS = '[metrics]\nlisten = ["tcp:port=0:interface=127.0.0.1"]\n'
CANARY = "c4nary-Pa55"


class Hook(Resource):
    """Takes alarms."""

    isLeaf = True

    def __init__(self):
        super().__init__()
        self.taken = []
        self.came = Deferred()

    def render_POST(self, request):  # noqa: N802
        self.taken.append(json.loads(request.content.read()))
        came, self.came = self.came, Deferred()
        came.callback(self.taken[-1])
        return b""


class Watched(LiveRelayTestCase):
    def hook(self):
        self.taker = Hook()
        site = Site(self.taker)
        site.log = lambda _: None  # it would tell the address
        port = self.reactor.listenTCP(0, site, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        return f'[alarm]\nwebhook = "http://127.0.0.1:{port.getHost().port}/{CANARY}"\n'

    def told(self):
        """Return a Deferred of the next alarm."""
        came = Deferred()
        ended = self.service.events.subscribe(
            AlarmTold, lambda alarm: (ended(), came.callback(alarm))
        )
        return came

    def get(self, path):
        [address] = self.service.monitoring.server.addresses

        def ask():
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{address.port}{path}") as answer:
                    return answer.status, answer.read().decode()
            except urllib.error.HTTPError as error:
                return error.code, error.read().decode()

        return deferToThread(ask)

    async def test_an_account_that_cannot_log_in_is_told_and_counted(self):
        provider = self.provider(users={"joe": "another"}, tls=self.certificate())
        sales = account(
            "Sales", provider, username="joe", password=CANARY, tls="starttls", tls_ca=self.ca
        )
        self.relay(sales, more=METRICS + self.hook())
        came = self.taker.came
        await self.send()
        alarm = await came
        assert (alarm["kind"], alarm["account"], alarm["over"]) == ("login", "Sales", False)
        [line] = self.log.having("alarm: ")
        assert alarm["text"] in line
        assert alarm["text"].endswith("or have to allow SMTP for a mailbox first.")
        status = await Deferred.fromCoroutine(self.service.operations.status())
        assert [each.kind.value for each in status.alarms] == ["login"]
        [figures] = status.accounts
        assert (figures.counts.deferred, figures.counts.delivered) == (1, 0)
        code, text = await self.get("/metrics")
        assert code == 200
        for line in (
            'multisendcon_account_up{account="Sales"} 0.0',
            'multisendcon_alarms{kind="login"} 1.0',
            'multisendcon_attempts_total{account="Sales",outcome="deferred"} 1.0',
            'multisendcon_waiting{account="Sales"} 1.0',
            "multisendcon_mails_accepted_total 1.0",
        ):
            assert f"\n{line}\n" in text
        said = [text, str(self.log.lines), str(status), json.dumps(alarm)]
        assert not [each for each in said if CANARY in each]

    async def test_a_provider_that_takes_no_passwords_any_more_is_told_with_the_guide(self):
        gone = "Basic authentication is not supported for Client Submission."
        provider = self.provider(
            users={"joe": "secret"},
            tls=self.certificate(),
            answer=lambda phase, _: Reply(550, "5.7.30", gone) if phase == "login" else None,
        )
        login = {"username": "joe", "password": "secret", "tls": "starttls", "tls_ca": self.ca}
        self.relay(account("Sales", provider, **login))
        came = self.told()
        await self.send()
        alarm = await came
        assert alarm.kind == "login"
        assert f"550 5.7.30 {gone[:-1]}. Exchange Online takes no password here" in alarm.text
        assert "docs/microsoft365.rst" in alarm.text

    async def test_an_account_that_may_not_send_is_told_with_whom_to_ask(self):
        blocked = Reply(550, "5.1.8", "Access denied, bad outbound sender")
        provider = self.provider(answer=lambda phase, _: blocked if phase == "mail" else None)
        self.relay(account("Sales", provider))
        came = self.told()
        await self.send()
        alarm = await came
        assert alarm.kind == "login"
        assert alarm.text == (
            "account Sales cannot log in, or may not send: mail: 550 5.1.8 Access denied, bad"
            " outbound sender. Ask the provider why it blocks the account, or what is missing in"
            " its settings there."
        )

    async def test_mail_that_is_delivered_is_counted_and_the_relay_lives(self):
        self.relay(account("Sales", self.provider()), more=METRICS)
        await self.send()
        await self.log.wait_for("delivered by account Sales")
        _, text = await self.get("/metrics")
        for line in (
            'multisendcon_recipients_total{account="Sales",outcome="delivered"} 1.0',
            "multisendcon_delivery_seconds_count 1.0",
            'multisendcon_account_up{account="Sales"} 1.0',
        ):
            assert f"\n{line}\n" in text
        assert (await self.get("/healthz"))[0] == 200
        assert (await self.get("/readyz"))[0] == 200
        self.service.events.publish(FrontProcessEnded("ended", 1.0))
        code, text = await self.get("/readyz")
        assert (code, json.loads(text)["ok"]) == (503, False)

    async def test_a_certificate_that_runs_out_soon_is_told(self):
        file = self.folder / "relay.pem"
        file.write_bytes(b"".join(Authority().server_pem("relay.example", days=(-20, 5))))
        with mock.patch("multisendcon_plugin.monitoring.alarms.LOOKS_EVERY", 0.01):
            self.relay(account("Sales", server="127.0.0.9"), settings=f'tls_certificate = "{file}"')
        alarm = await self.told()
        assert alarm.kind == "certificate"
        assert alarm.text.startswith("the certificate that clients see expires in 4 days; renew ")

    async def test_a_certificate_by_which_tokens_are_asked_for_is_told_in_time_to_register_it(self):
        file = self.folder / "application.pem"
        key = rsa.generate_private_key(65537, 2048)
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        file.write_bytes(certificate(key=key).public_bytes(Encoding.PEM) + private)
        file.chmod(0o600)
        oauth2 = f"""
            [account.oauth2]
            provider = "microsoft"
            grant = "client_credentials"
            tenant = "sales.example"
            client_id = "relay"
            client_certificate = "{file}"
            mailbox = "sales@sales.example"
            token_url = "http://127.0.0.9:9/"
        """
        with mock.patch("multisendcon_plugin.monitoring.alarms.LOOKS_EVERY", 0.01):
            self.relay(account("Sales", server="127.0.0.9") + oauth2, more=METRICS)
        alarm = await self.told()
        assert (alarm.kind, alarm.account) == ("expires", "Sales")
        assert alarm.text == (
            "the certificate with which account Sales asks for its tokens expires in less than a"
            f" day; renew {file}, and register the new one with the provider"
        )
        _, text = await self.get("/metrics")
        assert '\nmultisendcon_token_valid_seconds{account="Sales"} 0.0\n' in text

    async def test_a_disk_with_less_room_than_is_to_stay_free_is_told(self):
        text = f'[spool]\npath = "{self.folder}/spool"\nmin_free = "99.9%"\n'
        self.service = RelayService(
            parse(text + account("Sales", server="127.0.0.9")), self.reactor
        )
        came = self.told()
        self.addCleanup(self.service.stopService)
        self.service.startService()
        assert (await came).kind == "spool_full"

    async def test_a_reload_switches_metrics_on_and_off(self):
        self.relay(account("Sales", server="127.0.0.9"))
        server = self.service.monitoring.server
        assert server.addresses == []
        plain = self.service.configuration
        listen = MetricsSettings(listen=("tcp:port=0:interface=127.0.0.1",))
        await self.service.reload(attrs.evolve(plain, metrics=listen))
        assert (await self.get("/healthz"))[0] == 200
        taken = f"tcp:port={server.addresses[0].port}:interface=127.0.0.1:backlog=1"
        other = MetricsSettings(listen=(taken,))
        with pytest.raises(ConfigurationError):
            await self.service.reload(attrs.evolve(plain, metrics=other))
        assert (await self.get("/healthz"))[0] == 200
        await self.service.reload(plain)
        assert server.addresses == []

    def test_what_metrics_need_is_said_at_the_start_too(self):
        configuration = parse(METRICS + account("Sales", server="127.0.0.9"))
        with mock.patch.dict("sys.modules", {"multisendcon_plugin.monitoring.metrics": None}):
            service = RelayService(configuration, self.reactor)
            with pytest.raises(ConfigurationError, match=r"pip install 'multisendcon\[metrics\]'"):
                service.monitoring.server.privilegedStartService()


def test_the_control_socket_tells_of_health_as_well(tmp_path):
    with Relay(tmp_path, account_text("Sales", "127.0.0.9", 25)) as relay:
        control = Control(relay.spool)
        for path in ("/healthz", "/readyz"):
            control.request("GET", path)
            answer = control.getresponse()
            assert (answer.status, answer.read()) == (200, b'{"ok":true}\n')
