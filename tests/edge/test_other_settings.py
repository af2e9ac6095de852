"""Other settings hold for clients that connect, while sessions go on."""

from __future__ import annotations

import attrs
import pytest
from twisted.internet.address import IPv4Address

from multisendcon_plugin.edge.delivery import Routing
from multisendcon_plugin.edge.protocol import RelayESMTP
from multisendcon_plugin.errors import ConfigurationError
from multisendcon_plugin.routing.registry import AccountRegistry
from multisendcon_plugin.settings.names import network
from multisendcon_plugin.settings.password import PasswordHash
from multisendcon_plugin.settings.users import Users
from multisendcon_plugin.settings.values import ClientSettings, MasterRelay
from tests.configuration.examples import HASH
from tests.edge.clients import Edge, account
from tests.edge.test_security import AUTHENTICATED, plain

HERE = IPv4Address("TCP", "127.0.0.1", 1)
THERE = IPv4Address("TCP", "192.0.2.1", 1)
OTHER = PasswordHash(salt=b"other", digest=b"other")


def users(**hashes):
    return Users("users", hashes)


def use(edge, *accounts, clients=(), **settings):
    """Let other settings hold from now on."""
    settings = {"hostname": "relay.example", **settings}
    if "allow" in settings:
        settings["allow"] = tuple(map(network, settings["allow"]))
    policy = attrs.evolve(
        edge.policy,
        settings=MasterRelay(**settings),
        routing=Routing(AccountRegistry(accounts or [account()])),
    )
    edge.factory.use(edge.factory.prepared(policy, clients))


def gone(client):
    return client.replies()[-1:] == ["421 4.3.2 shutting down, try again later"]


def test_a_session_goes_on_with_what_held_when_it_began():
    edge = Edge(allow=["127.0.0.1"])
    before = edge.client(peer=HERE)
    use(edge, hostname="new.example", max_message_size=7)
    after = edge.client(peer=HERE)
    assert "250-relay.example" in "\n".join(before.ask(b"EHLO x")).replace("250 ", "250-")
    assert "new.example" in after.ask(b"EHLO x")[0]
    assert edge.factory.admission.settings.max_message_size == 7


def test_the_next_mail_of_a_session_takes_the_accounts_of_now():
    edge = Edge(account("Old"), allow=["127.0.0.1"])
    client = edge.client(peer=HERE)
    client.send_mail()
    assert list(edge.intake.messages[-1].accounts) == ["Old"]
    client.begin()
    use(edge, account("New"), allow=["127.0.0.1"])
    client.ask(b"Subject: begun before\r\n\r\n.")
    assert list(edge.intake.messages[-1].accounts) == ["Old"]
    client.send_mail()
    assert list(edge.intake.messages[-1].accounts) == ["New"]


def test_a_client_that_may_not_connect_any_more_is_sent_away():
    edge = Edge(allow=["127.0.0.1", "192.0.2.1"])
    here, there = edge.client(peer=HERE), edge.client(peer=THERE)
    use(edge, allow=["127.0.0.1"])
    assert here.ask(b"NOOP")[0].startswith("250")
    assert gone(there)


def test_one_that_may_log_in_stays():
    edge = Edge(allow=["127.0.0.1", "192.0.2.1"])
    there = edge.client(peer=THERE)
    use(edge, allow=["127.0.0.1"], users=users(joe=OTHER), users_from_anywhere=True)
    assert there.ask(b"NOOP")[0].startswith("250")


@pytest.mark.parametrize("left", [None, {"ann": OTHER}, {"joe": OTHER}])
def test_a_user_who_is_gone_or_has_another_password_is_sent_away(left):
    edge = Edge(allow=["127.0.0.1"], users=users(joe=PasswordHash.parse(HASH)))
    client, other = edge.client(peer=HERE), edge.client(peer=HERE)
    client.ask(b"EHLO x")
    other.ask(b"EHLO x")
    assert client.ask(plain("Joe", "secret")) == AUTHENTICATED
    use(edge, allow=["127.0.0.1"], users=left and users(**left))
    assert gone(client)
    # A session that has not logged in yet does so by the users of now.
    other.send(plain("joe", "secret") + b"\r\n")
    edge.clock.advance(3)
    assert other.replies()[0].startswith("535")


def test_a_user_who_is_still_there_goes_on():
    joe = PasswordHash.parse(HASH)
    edge = Edge(allow=["127.0.0.1"], users=users(joe=joe))
    client = edge.client(peer=HERE)
    client.ask(b"EHLO x")
    assert client.ask(plain("joe", "secret")) == AUTHENTICATED
    use(edge, allow=["127.0.0.1"], users=users(joe=joe, ann=OTHER))
    assert client.ask(b"NOOP")[0].startswith("250")


def test_connections_are_counted_on():
    edge = Edge(allow=["127.0.0.1"])
    for _ in range(3):
        edge.client(peer=HERE)
    use(edge, allow=["127.0.0.1"], max_connections_per_address=3)
    assert not isinstance(edge.factory.buildProtocol(HERE), RelayESMTP)
    use(edge, allow=["127.0.0.1"], max_connections_per_address=4)
    assert isinstance(edge.factory.buildProtocol(HERE), RelayESMTP)


def test_the_mails_of_the_last_minute_are_counted_on():
    def limited(most):
        addresses = (network("127.0.0.1"),)
        return ClientSettings(addresses=addresses, max_mails_per_minute=most)

    edge = Edge(allow=["127.0.0.1"], clients=[limited(2)])
    client = edge.client(peer=HERE)
    client.ask(b"EHLO x")
    for _ in range(2):
        assert client.ask(b"MAIL FROM:<a@b.example>")[0].startswith("250")
        client.ask(b"RSET")
    use(edge, allow=["127.0.0.1"], clients=[limited(3)])
    client = edge.client(peer=HERE)
    client.ask(b"EHLO x")
    assert client.ask(b"MAIL FROM:<a@b.example>")[0].startswith("250")
    client.ask(b"RSET")
    assert client.ask(b"MAIL FROM:<a@b.example>")[0].startswith("451")


def test_a_certificate_that_cannot_be_used_changes_nothing(tmp_path):
    edge = Edge(allow=["127.0.0.1"])
    before = edge.factory.admission
    file = tmp_path / "pem"
    file.write_bytes(b"nonsense")
    with pytest.raises(ConfigurationError):
        use(edge, tls_certificate=str(file))
    assert edge.factory.admission is before
