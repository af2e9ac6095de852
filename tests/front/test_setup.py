"""What the front process is told: what the edge needs, by name, and nothing else."""

from __future__ import annotations

import json
import socket
from ipaddress import ip_network

import attrs
import pytest

from multisendcon_plugin.configuration import Configuration, parse
from multisendcon_plugin.front.converter import CONVERTER
from multisendcon_plugin.front.setup import Port, read_setup, setup_octets, setup_of
from multisendcon_plugin.mail.masks import EVERYONE, Masks
from multisendcon_plugin.routing.account import Account, AccountType
from multisendcon_plugin.routing.registry import AccountRegistry
from multisendcon_plugin.settings.password import PasswordHash
from multisendcon_plugin.settings.users import Users
from multisendcon_plugin.settings.values import (
    BareLf,
    ClientSettings,
    HeaderFrom,
    MasterRelay,
    MinimumTls,
)
from multisendcon_plugin.testing.authority import Authority
from tests.edge.clients import account

HASH = PasswordHash.of(b"secret of joe", b"salt" * 4)
#: Differs from the defaults in every field.
MASTER_RELAY = MasterRelay(
    listen=("tcp:2525", "unix:/run/ü"),
    own_process=False,
    allow=(ip_network("192.0.2.0/24"), ip_network("2001:db8::/32")),
    proxies=(ip_network("192.0.2.9"),),
    hostname="relay.example",
    tls_certificate="/etc/relay.pem",
    tls_key="/etc/relay.key",
    users=Users("users", {"joe": HASH, "Änn": HASH}, {"joe": Masks.parse(["joe@x.example", "<>"])}),
    users_from_anywhere=True,
    header_from=HeaderFrom.MATCH,
    max_mails_per_minute_per_user=1,
    max_message_size=2,
    max_recipients=3,
    max_connections=4,
    max_connections_per_address=5,
    max_errors=6,
    max_command_line=7,
    idle_timeout=8.5,
    transaction_timeout=9.5,
    max_header_size=10,
    max_received=11,
    submission_help=True,
    smtputf8=False,
)
CLIENT = ClientSettings(
    addresses=(ip_network("192.0.2.7"),),
    senders=Masks.parse(["!boss@x.example"]),
    max_mails_per_minute=12,
    bare_lf=BareLf.FIX,
    minimum_tls=MinimumTls.TLS_1_0,
    starttls=False,
    tolerant=True,
    submission_help=True,
    success_reports=True,
)
#: What of an account reaches it, and what must not.
TOLD = {"name", "type", "senders", "recipients", "null_sender", "enabled"}
ACCOUNT = """
[[account]]
name = "Sales"
senders = ["*@Sales.example", "!boss@sales.example"]
recipients = ["*@*.far.example", "b?ss@far.example"]
null_sender = "skip"
server = "canary.example"
port = 9797
username = "CANARY-user"
password = {{ file = "{folder}/password" }}
helo_domain = "canary.helo.example"
tls_ca = "{folder}/pem"
tls_name = "canary.name.example"
tls_client_certificate = "{folder}/pem"
tls_client_key = "{folder}/pem"
minimum_wait = 9797
fixed_sender = "canary@x.example"
quota = ["9797 mails/1m"]
quota_group = "canary"
"""
#: The same with a token instead of a password.
TOKEN = """
[account.oauth2]
provider = "custom"
grant = "authorization_code"
client_id = "canary-id"
client_secret = {{ file = "{folder}/password" }}
mailbox = "canary@x.example"
expires = 9797-09-07
token_url = "https://canary.example/token"
authorize_url = "https://canary.example/authorize"
scope = "canary"
"""
PORTS = (Port("tcp:2525", socket.AF_INET), Port("unix:/run/ü", socket.AF_UNIX))


def told(*accounts, master_relay=MASTER_RELAY, clients=(CLIENT,)):
    """Return the octets by which it is told of a configuration."""
    configuration = Configuration(master_relay=master_relay, clients=clients, accounts=accounts)
    return setup_octets(setup_of(configuration, PORTS))


@pytest.fixture
def sales(tmp_path):
    """Return an account with all that it has to itself."""
    (tmp_path / "password").write_text("CANARY-password\n")
    (tmp_path / "pem").write_bytes(b"".join(Authority().server_pem("canary.example")))
    for path in tmp_path.iterdir():
        path.chmod(0o600)
    return parse(ACCOUNT.format(folder=tmp_path)).accounts[0]


@pytest.mark.parametrize("master_relay", [MasterRelay(), MASTER_RELAY])
@pytest.mark.parametrize("client", [ClientSettings(addresses=()), CLIENT])
def test_the_settings_of_the_edge_come_back_as_they_were(master_relay, client):
    back = read_setup(told(master_relay=master_relay, clients=(client, CLIENT)))
    assert back.master_relay == master_relay
    assert back.clients == (client, CLIENT)
    assert back.ports == PORTS


def test_a_setting_that_is_forgotten_here_would_be_seen():
    for value, default in ((MASTER_RELAY, MasterRelay()), (CLIENT, ClientSettings(addresses=()))):
        for field in attrs.fields(type(value)):
            assert getattr(value, field.name) != getattr(default, field.name), field.name


def test_users_log_in_there_so_their_hashes_are_told():
    users = read_setup(told()).master_relay.users
    assert users.hashes["joe"].matches(b"secret of joe")
    assert users.senders["joe"].match("joe@x.example")


def test_of_an_account_it_is_told_what_it_is_chosen_by(sales):
    sales = attrs.evolve(sales, enabled=False)
    octets = told(sales)
    (candidate,) = json.loads(octets)["accounts"]
    assert candidate.keys() == TOLD
    (back,) = read_setup(octets).accounts
    assert {name: getattr(back, name) for name in TOLD} == {
        name: getattr(sales, name) for name in TOLD
    }
    assert back.senders.texts == sales.senders.texts


@pytest.fixture
def by_token(sales, tmp_path):
    """Return the same account with a token."""
    text = ACCOUNT.replace("password = ", "#").replace("{{ file", "{{file") + TOKEN
    return parse(text.format(folder=tmp_path)).accounts[0]


def test_of_a_login_by_token_it_is_told_nothing(sales, by_token):
    assert by_token.oauth2.client_secret.value == "CANARY-password"
    assert told(by_token) == told(sales)


def test_of_an_account_it_is_told_no_secret_no_server_and_no_file(sales, tmp_path):
    octets = told(sales)
    assert b"canary" not in octets.lower()
    assert b"9797" not in octets
    assert str(tmp_path).encode() not in octets


def test_a_new_field_of_an_account_is_not_told():
    new = attrs.make_class("New", {"token": attrs.field()}, bases=(Account,), kw_only=True)
    known = attrs.asdict(account("Sales"), recurse=False)
    assert b"CANARY" not in told(new(token="CANARY", **known))


def test_accounts_are_chosen_there_as_here(sales):
    accounts = (
        sales,
        attrs.evolve(account("Off"), enabled=False),
        attrs.evolve(account("Rest"), type=AccountType.DIRECT),
    )
    here, there = AccountRegistry(accounts), read_setup(told(*accounts)).registry
    chosen = []
    for sender in ("joe@sales.example", "boss@sales.example", ""):
        for recipient in ("bess@far.example", "x@b.far.example", "x@y.example"):
            chosen.append(there.route(sender, recipient))
            assert chosen[-1] == here.route(sender, recipient)
            chosen.append(there.route_null(sender, recipient))
            assert chosen[-1] == here.route_null(sender, recipient)
    assert {(route.account, route.direct) for route in chosen} == {("Sales", False), ("Rest", True)}


def test_accounts_without_masks_share_those_of_everyone():
    (candidate,) = read_setup(told(account("All"))).accounts
    assert candidate.senders is candidate.recipients is EVERYONE


@pytest.mark.parametrize(
    "octets",
    [b"", b"{}", b"[]", b"not to be read", CONVERTER.dumps({"accounts": []}).encode(), b"\xff"],
)
def test_octets_that_say_nothing_are_no_setup(octets):
    with pytest.raises(Exception):  # noqa: B017, PT011 -- one of several
        read_setup(octets)


def test_what_is_not_known_here_is_not_read():
    told_ = json.loads(told())
    told_["master_relay"]["max_wishes"] = 3
    with pytest.raises(Exception):  # noqa: B017, PT011 -- one of several
        read_setup(json.dumps(told_).encode())
