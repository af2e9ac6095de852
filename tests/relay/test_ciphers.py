"""The ciphers that are used towards servers: sound ones, or those that an account names."""

from __future__ import annotations

import pytest
from OpenSSL import SSL
from twisted.internet import ssl

from multisendcon_plugin import configuration
from multisendcon_plugin.errors import ConfigurationError
from multisendcon_plugin.relay.tls import ClientTLS
from multisendcon_plugin.routing.account import Account
from multisendcon_plugin.testing import Authority
from tests.certificates import shakes_hands
from tests.configuration.examples import bound, document

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

CBC, ANONYMOUS = "ECDHE+AES:!AESGCM:!AESCCM", "aNULL"


def account(**settings):
    return Account(name="A", server="192.0.2.1", **settings)


def agree(account, server):
    """Tell whether an account and a server complete a handshake."""
    client = ClientTLS(account.hop, account="A").clientConnectionForTLS(None)
    return shakes_hands(client, SSL.Connection(server.getContext(), None))


@pytest.mark.parametrize("authorities", [False, True])
@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [
        (None, "ECDHE+AESGCM", True),
        (None, "ECDHE+CHACHA20", True),
        (None, CBC, False),
        (None, "DHE+AESGCM", False),
        (CBC, CBC, True),
        (CBC, "ECDHE+AESGCM", False),
        ("ALL:@SECLEVEL=0", CBC, True),
        # Nobody would be asked for a certificate, so nobody would be verified.
        ("ALL:@SECLEVEL=0", ANONYMOUS, False),
        ("ECDHE+AES:aNULL:eNULL:@SECLEVEL=0", "aNULL:eNULL", False),
    ],
)
def test_what_is_spoken_with_a_server_of_tls_1_2(tmp_path, authorities, ours, theirs, expected):
    authority = Authority()
    settings = {"tls_ciphers": ours, "tls_verify": False}
    if authorities:  # then the account has a context of its own
        certificate, key = authority.server_pem("client.example")
        (tmp_path / "client.pem").write_bytes(certificate + key)
        settings["tls_client_certificate"] = str(tmp_path / "client.pem")
    server = authority.outdated("192.0.2.1", newest=ssl.TLSVersion.TLSv1_2, ciphers=theirs)
    assert agree(account(**settings), server) is expected


@pytest.mark.parametrize("ours", [None, CBC])
def test_tls_1_3_has_its_own_ciphers(ours):
    server = Authority().server("192.0.2.1", raiseMinimumTo=ssl.TLSVersion.TLSv1_3)
    assert agree(account(tls_ciphers=ours, tls_verify=False), server)


def test_old_versions_are_spoken_with_no_ciphers():
    old = Authority().outdated("192.0.2.1", newest=ssl.TLSVersion.TLSv1_1)
    assert not agree(account(tls_ciphers="ALL:@SECLEVEL=0", tls_verify=False), old)


def test_accounts_with_the_same_ciphers_share_what_they_need():
    def context(ciphers):
        hop = account(tls_ciphers=ciphers, tls_verify=False).hop
        made = ClientTLS(hop, account="A")
        return made.clientConnectionForTLS(None).get_context()

    assert context(None) is context(None)
    assert context(CBC) is context(CBC)
    assert context(CBC) is not context(None)


# The configuration.


@pytest.mark.parametrize(
    "words", ["ECDHE+AES", "AES128-SHA:@SECLEVEL=0", "DEFAULT:@STRENGTH", "ALL:!RC4"]
)
def test_a_list_that_openssl_takes_is_warned_of(words):
    text = bound(document(tls_ciphers=f'"{words}"')) + '\n[master_relay]\nhostname = "a.example"'
    parsed = configuration.parse(text)
    assert parsed.accounts[0].tls_ciphers == words
    [warning] = configuration.warnings(parsed, 0)
    assert warning.startswith('[[account]] "Sales", tls_ciphers: may allow ciphers that are no')


@pytest.mark.parametrize("table", ["account", "ndr"])
@pytest.mark.parametrize(
    "words",
    [
        "nonsense",
        "aNULL",
        "PSK",
        "TLS_AES_128_GCM_SHA256",
        "ECDHE:@SECLEVEL=9",
        "ALL:@STRENGHT",
        "Ü",
    ],
)
def test_a_list_that_openssl_refuses_is_a_fault(table, words):
    with pytest.raises(ConfigurationError) as caught:
        configuration.parse(document(table, tls_ciphers=f'"{words}"'))
    [fault] = caught.value.faults
    assert fault.endswith(
        f'tls_ciphers: "{words}" is not a list of ciphers, or has none with certificates; see'
        ' "openssl ciphers -v", and write for example "ECDHE+AES"'
    )
