"""The way to the server of ``[ndr]``: the keys of an account, and their defaults; then live."""

from __future__ import annotations

import attrs
import pytest

from multisendcon_plugin.configuration.tables import TABLES
from multisendcon_plugin.mail.reply import Reply
from multisendcon_plugin.routing.account import REPORTS_ACCOUNT, Account, Auth
from multisendcon_plugin.routing.hop import Tls
from multisendcon_plugin.testing import Authority
from tests.configuration.examples import document, faults, read
from tests.live_relay import LiveRelayTestCase, account

OWN = {"recipient", "postmaster", "sender", "max_per_hour"}
CONNECTION = {
    "oauth2",
    *("server", "port", "username", "password", "auth", "local_address", "helo_domain"),
    *("tls", "tls_verify", "tls_ca", "tls_name", "tls_fingerprint", "tls_ciphers"),
    *("tls_client_certificate", "tls_client_key"),
}


def reports(**keys):
    return read(document("ndr", **{"server": '"mx.example.com"', **keys})).reports_account


def test_the_keys_of_a_connection_are_the_same_in_both_tables():
    ndr, accounts = TABLES["ndr"].keys, TABLES["account"].keys
    assert set(ndr) == OWN | CONNECTION
    assert all(ndr[key] is accounts[key] for key in CONNECTION)


def test_without_a_server_reports_leave_by_the_accounts():
    assert read(document("ndr")).reports_account is None
    assert read(document("ndr", port="587")).reports_account is None


def test_the_defaults_are_those_of_an_account_but_for_tls():
    assert reports() == Account(
        name=REPORTS_ACCOUNT,
        server="mx.example.com",
        helo_domain="relay.example.com",
        tls=Tls.OPPORTUNISTIC,
    )


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({}, Tls.OPPORTUNISTIC),
        ({"port": "587"}, Tls.OPPORTUNISTIC),
        ({"local_address": '"192.0.2.7"'}, Tls.OPPORTUNISTIC),
        ({"username": '""', "password": '""'}, Tls.OPPORTUNISTIC),
        ({"port": "465"}, Tls.AUTO),
        ({"username": '"u"', "password": '"p"'}, Tls.AUTO),
        ({"tls_ca": '"known"'}, Tls.AUTO),
        ({"tls_verify": "false"}, Tls.AUTO),
        ({"tls_name": '"mx"'}, Tls.AUTO),
        ({"tls_fingerprint": f'"sha256:{"0a" * 32}"'}, Tls.AUTO),
        ({"tls_client_certificate": '"known"'}, Tls.AUTO),
        ({"tls": '"auto"'}, Tls.AUTO),
        ({"tls": '"none"'}, Tls.NONE),
        ({"tls": '"opportunistic"', "tls_ca": '"known"'}, Tls.OPPORTUNISTIC),
    ],
)
def test_tls_is_opportunistic_unless_something_is_said_of_it(keys, expected):
    assert reports(**keys).tls is expected


def test_what_is_written_holds():
    written = reports(
        port="2525",
        username='"u"',
        password='"p"',
        local_address='"192.0.2.7"',
        helo_domain='"relay.home.example"',
        tls='"starttls"',
        tls_verify="false",
        tls_ca='"known"',
        tls_name='"exchange.home.example"',
        tls_client_certificate='"known"',
        tls_client_key='"known"',
        auth='"login"',
    )
    expected = Account(
        name=REPORTS_ACCOUNT,
        server="mx.example.com",
        port=2525,
        username="u",
        password="p",
        local_address=("192.0.2.7",),
        helo_domain="relay.home.example",
        tls=Tls.STARTTLS,
        tls_verify=False,
        tls_ca="/base/known",
        tls_name="exchange.home.example",
        tls_client_certificate="/base/known",
        tls_client_key="/base/known",
        auth=Auth.LOGIN,
    )
    assert attrs.asdict(written) == attrs.asdict(expected)


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        ("tls", '"ssl"', "is not known"),
        ("tls_ca", '"gone"', "gone cannot be read"),
        ("local_address", '"here"', "is not an IP address"),
        ("senders", '"*"', "unknown key"),
        ("minimum_wait", "1", "unknown key"),
    ],
)
def test_faults_are_told_as_those_of_an_account(key, value, reason):
    [fault] = faults(document("ndr", **{key: value}))
    assert f"[ndr], {key}: " in fault
    assert reason in fault


class Live(LiveRelayTestCase):
    def exchange(self, **settings):
        """Start a server with a certificate of its own, and a relay that reports to it."""
        itself = Authority("exchange")
        self.own = itself.write(self.folder / "exchange.pem")
        server = self.provider(tls=itself.server("127.0.0.1"), **settings)
        self.ndr = account("", server).replace('[[account]]\nname = ""', "[ndr]")
        return server

    async def bounce(self, *keys):
        """Have a mail refused by its provider."""
        refusing = self.provider(answer=lambda phase, about: Reply(550, "5.1.1", "nobody"))
        self.relay(account("Sales", refusing), more=self.ndr + "\n".join(keys))
        await self.send()

    async def test_a_certificate_that_nobody_trusts_is_taken(self):
        server = self.exchange()
        await self.bounce()
        [report] = await server.wait_for(1)
        assert report.tls == "TLSv1.3"
        assert report.helo == "relay.example"

    async def test_a_server_without_tls_is_taken(self):
        server = self.provider()
        self.ndr = f'[ndr]\nserver = "127.0.0.1"\nport = {server.address.port}\n'
        await self.bounce()
        [report] = await server.wait_for(1)
        assert report.tls == ""

    async def test_with_a_login_its_authority_has_to_be_named_and_can_be(self):
        server = self.exchange(users={"reports": "secret"})
        login = ('username = "reports"', 'password = "secret"')
        await self.bounce(*login)
        [line] = await self.log.wait_for("account [ndr]")
        assert "set tls_ca to trust it" in line
        assert server.mails == []
        await self.service.stopService()
        await self.bounce(*login, f'tls_ca = "{self.own}"')
        [report, *_] = await server.wait_for(1)
        assert report.username == "reports"

    async def test_it_leaves_from_its_local_address_under_its_name(self):
        server = self.exchange()
        await self.bounce('local_address = "127.0.0.77"', 'helo_domain = "reports.example"')
        [report] = await server.wait_for(1)
        assert (report.peer, report.helo) == ("127.0.0.77", "reports.example")
