"""Certificates and users: the files, and what may be wrong in them."""

from __future__ import annotations

import time

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
)

from multisendcon_plugin import configuration
from multisendcon_plugin.errors import ConfigurationError
from multisendcon_plugin.settings.files import load_certificate
from multisendcon_plugin.testing import Authority
from tests.configuration.examples import HASH, bound, document

AUTHORITY = Authority()
CERTIFICATE, KEY = AUTHORITY.server_pem("relay.example")
OTHER_KEY = AUTHORITY.server_pem("relay.example")[1]
NO_KEY = "there is no private key (PEM) for it; add it to the file, or name the file that has it"
OTHER = "its private key does not match the first certificate in the file"


def encrypted():
    private = rsa.generate_private_key(65537, 2048)
    return private.private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"pass")
    )


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "relay.pem").write_bytes(CERTIFICATE + KEY)
    (tmp_path / "cert.pem").write_bytes(CERTIFICATE)
    (tmp_path / "key.pem").write_bytes(KEY)
    (tmp_path / "users").write_text(f"joe:{HASH}:joe@x.example\n")
    for path in tmp_path.iterdir():
        path.chmod(0o640)
    return tmp_path


def load(folder, **keys):
    path = folder / "relay.toml"
    path.write_text(bound(document("master_relay", hostname='"relay.example.com"', **keys)))
    return configuration.load(path)


def faults(folder, **keys):
    with pytest.raises(ConfigurationError) as caught:
        load(folder, **keys)
    start = f"{folder}/relay.toml, line "
    assert all(fault.startswith(start) for fault in caught.value.faults)
    return [fault.partition("[master_relay], ")[2] for fault in caught.value.faults]


# The certificate.


@pytest.mark.parametrize(
    "keys",
    [
        {"tls_certificate": '"relay.pem"'},
        {"tls_certificate": '"cert.pem"', "tls_key": '"key.pem"'},
        {"tls_certificate": '"cert.pem"', "tls_key": '"relay.pem"'},
    ],
)
def test_the_key_may_stand_in_the_same_file(folder, keys):
    settings = load(folder, **keys).master_relay
    assert settings.tls_certificate == f"{folder}/{keys['tls_certificate'][1:-1]}"
    assert load_certificate(settings.tls_certificate, settings.tls_key)


def test_the_key_may_stand_above_the_certificate(folder):
    (folder / "relay.pem").write_bytes(KEY + CERTIFICATE)
    assert load(folder, tls_certificate='"relay.pem"')


def test_a_chain_is_read_in_its_order(folder):
    (folder / "relay.pem").write_bytes(CERTIFICATE + AUTHORITY.pem + KEY)
    loaded = load_certificate(f"{folder}/relay.pem", None)
    assert len(loaded.chain) == 2
    assert "relay.example" in loaded.chain[0].subject.rfc4514_string()
    assert "PRIVATE" not in repr(loaded)


@pytest.mark.parametrize(
    ("certificate", "key", "why"),
    [
        (b"", b"", "contains no readable PEM certificate"),
        (KEY, KEY, "contains no readable PEM certificate"),
        (CERTIFICATE[:100], KEY, "contains no readable PEM certificate"),
        (
            CERTIFICATE,
            CERTIFICATE,
            NO_KEY,
        ),
        (CERTIFICATE, KEY[:60] + KEY[90:], "its private key cannot be read"),
        (CERTIFICATE, encrypted(), "its private key is encrypted; store it without a passphrase"),
        (
            CERTIFICATE,
            OTHER_KEY,
            OTHER,
        ),
        (
            AUTHORITY.pem + CERTIFICATE,
            KEY,
            OTHER,
        ),
    ],
)
def test_a_certificate_that_cannot_be_used_is_a_fault(folder, certificate, key, why):
    (folder / "cert.pem").write_bytes(certificate)
    (folder / "key.pem").write_bytes(key)
    found = faults(folder, tls_certificate='"cert.pem"', tls_key='"key.pem"')
    assert found == [f"tls_certificate: {why}"]


@pytest.mark.parametrize("key", ["tls_certificate", "tls_key", "users"])
def test_a_file_that_is_not_there_is_a_fault(folder, key):
    keys = {"tls_certificate": '"relay.pem"'} | {key: '"gone"'}
    [fault] = faults(folder, **keys)
    assert fault == f'{key}: the file "gone" cannot be read: No such file or directory'


def test_a_key_without_a_certificate_is_a_fault(folder):
    [fault] = faults(folder, tls_key='"key.pem"')
    assert fault == "tls_key: needs a certificate; set tls_certificate"


# Certificates that servers are shown.


@pytest.mark.parametrize("table", ["account", "ndr"])
@pytest.mark.parametrize(
    ("keys", "why"),
    [
        ({"tls_client_certificate": '"relay.pem"'}, ""),
        ({"tls_client_certificate": '"cert.pem"', "tls_client_key": '"key.pem"'}, ""),
        (
            {"tls_client_certificate": '"cert.pem"'},
            f"tls_client_certificate: {NO_KEY}",
        ),
        (
            {"tls_client_certificate": '"cert.pem"', "tls_client_key": '"other.pem"'},
            f"tls_client_certificate: {OTHER}",
        ),
        (
            {"tls_client_certificate": '"key.pem"', "tls_client_key": '"key.pem"'},
            "tls_client_certificate: contains no readable PEM certificate",
        ),
        (
            {"tls_client_certificate": '"cert.pem"', "tls_client_key": '"gone"'},
            'tls_client_key: the file "gone" cannot be read: No such file or directory',
        ),
    ],
)
def test_a_certificate_for_servers_has_to_fit_its_key(folder, table, keys, why):
    (folder / "other.pem").write_bytes(OTHER_KEY)
    path = folder / "relay.toml"
    path.write_text(document(table, **{"server": '"mx.example.com"', **keys}))
    if why:
        with pytest.raises(ConfigurationError) as caught:
            configuration.load(path)
        [fault] = caught.value.faults
        assert fault.endswith(f", {why}")
    else:
        loaded = configuration.load(path)
        owner = loaded.accounts[0] if table == "account" else loaded.reports_account
        assert owner.tls_client_certificate == f"{folder}/{keys['tls_client_certificate'][1:-1]}"


# The users.


def test_users_are_read_by_name(folder):
    (folder / "users").write_text(
        f"# our users\n\njoe:{HASH}\n  \nJörg Groß@x:{HASH}  \n", encoding="utf-8"
    )
    users = load(folder, users='"users"').master_relay.users
    assert users.path == f"{folder}/users"
    assert list(users.hashes) == ["joe", "Jörg Groß@x"]
    assert all(each.matches(b"secret") for each in users.hashes.values())
    assert HASH not in repr(users)


def test_users_may_be_bound_to_senders(folder):
    (folder / "users").write_text(
        f"joe:{HASH}\nAnn:{HASH}:ann@x.example, *@sales.x.example ,<>\nbob: {HASH} : *\n"
    )
    users = load(folder, users='"users"').master_relay.users
    assert list(users.hashes) == ["joe", "Ann", "bob"]
    assert {name: masks.texts for name, masks in users.senders.items()} == {
        "Ann": ("ann@x.example", "*@sales.x.example", "<>"),
        "bob": ("*",),
    }
    assert users.senders["Ann"].admits_null
    assert not users.senders["bob"].admits_null


@pytest.mark.parametrize(
    ("masks", "why"),
    [
        ("", 'there is no mask after the last ":"; write at least one, or leave it out'),
        (" , ", 'there is no mask after the last ":"; write at least one, or leave it out'),
        ("joe@x.example, x.example", '"x.example" is not a mask: write "*@x.example" for'),
        ("joe@x.example:", '"joe@x.example:" is not a mask: '),
        ("!<>", '"<>" is not a mask: it cannot be excluded'),
    ],
)
def test_masks_of_a_user_that_cannot_be_read_are_a_fault(folder, masks, why):
    (folder / "users").write_text(f"ann:{HASH}:*\njoe:{HASH}:{masks}\n")
    [fault] = faults(folder, users='"users"')
    assert fault.startswith(f'users: the file "{folder}/users", line 2: {why}')
    assert HASH not in fault


def test_all_faults_of_the_users_are_told_by_line_without_what_may_be_a_password(folder):
    lines = [
        f"joe:{HASH}",
        "c4nary",
        "ann:c4nary",
        f"joe:{HASH}",
        f":{HASH}",
        f" bob:{HASH}",
        f"e\x07ve:{HASH}",
        "ida:" + HASH.replace("ln=14", "ln=10"),
        f"JOE:{HASH}",
    ]
    (folder / "users").write_text("\n".join(lines))
    found = faults(folder, users='"users"')
    make_it = "; make the line with: multisendcon user NAME"
    no_name = 'cannot be a name: it is empty, has a ":", begins with "#", or has space around it'
    assert found == [
        f'users: the file "{folder}/users", line {line}: {why}'
        for line, why in [
            (2, f'there is no ":" after the name{make_it}'),
            (3, f'what follows "ann" is no hash of scrypt{make_it}'),
            (4, '"joe" is already on an earlier line'),
            (5, f'"" {no_name}'),
            (6, f'" bob" {no_name}'),
            (7, '"e\\u0007ve" contains a control character'),
            (8, f'what follows "ida" is too weak{make_it}'),
            (9, '"JOE" is already on an earlier line, in another case'),
        ]
    ]
    assert "c4nary" not in str(found)


def test_a_file_without_users_is_a_fault(folder):
    (folder / "users").write_text("# nobody\n")
    [fault] = faults(folder, users='"users"')
    assert "contains no user; make the line with: multisendcon user NAME" in fault


def test_users_that_are_not_utf8_are_a_fault(folder):
    (folder / "users").write_bytes(b"J\xf6rg:")
    [fault] = faults(folder, users='"users"')
    assert fault == 'users: the file "users" is not UTF-8; save it in this encoding'


@pytest.mark.parametrize(
    ("keys", "fault"),
    [
        ({"tls_certificate": '"relay.pem"'}, "needs a file of users; set users"),
        (
            {"users": '"users"'},
            "needs TLS, because logins are not accepted in clear text; set tls_certificate",
        ),
        (
            {"users": '"users"', "listen": '["tcp:25"]'},
            "needs TLS, because logins are not accepted in clear text; set tls_certificate",
        ),
    ],
)
def test_what_logins_from_anywhere_need(folder, keys, fault):
    assert faults(folder, users_from_anywhere="true", **keys) == [f"users_from_anywhere: {fault}"]
    assert load(folder, users_from_anywhere="false", **keys)


@pytest.mark.parametrize(
    "keys", [{"tls_certificate": '"relay.pem"'}, {"listen": '["tcp:25", "ssl:465"]'}]
)
def test_logins_from_anywhere(folder, keys):
    assert load(folder, users='"users"', users_from_anywhere="true", **keys)


def test_a_proxy_is_not_followed_by_tls_from_the_start(folder):
    [fault] = faults(folder, listen='["haproxy:ssl:465"]')
    assert fault == (
        'listen: "haproxy:ssl:465": implicit TLS is not supported behind a proxy, only STARTTLS;'
        " write haproxy:tcp:port=..."
    )


# What is no fault, but should not stay so.


def warnings(folder, now=None, **keys):
    return configuration.warnings(load(folder, **keys), now or time.time())


def test_nothing_to_warn_of(folder):
    assert warnings(folder) == []
    assert warnings(folder, tls_certificate='"relay.pem"', users='"users"') == []


@pytest.mark.parametrize(
    ("free", "shown"),
    [
        (["joe"], '"joe"'),
        (["joe", "ann"], '"joe", "ann"'),
        ([f"u{n}" for n in range(7)], '"u0", "u1", "u2", "u3", "u4" and 2 more'),
    ],
)
def test_users_that_may_use_every_sender(folder, free, shown):
    lines = [f"{name}:{HASH}" for name in free] + [f"bound:{HASH}:*"]
    (folder / "users").write_text("\n".join(lines))
    [warning] = warnings(folder, users='"users"')
    assert warning == (
        f"{folder}/users: {shown} may use every sender; list theirs in a third field,"
        " NAME:HASH:MASK, MASK, or write *, <> there if it is meant so"
    )


@pytest.mark.parametrize("name", ["key.pem", "users"])
def test_secrets_that_everybody_can_read(folder, name):
    (folder / name).chmod(0o644)
    (folder / "cert.pem").chmod(0o644)
    keys = {"tls_certificate": '"cert.pem"', "tls_key": '"key.pem"', "users": '"users"'}
    [warning] = warnings(folder, **keys)
    assert warning == f"{folder}/{name}: readable by everyone on this machine; run chmod o= on it"


@pytest.mark.parametrize(
    ("days", "warning"),
    [
        (-2, "the certificate is not valid before 20"),
        (0, None),
        (22, None),
        (24, "the certificate expires in 5 days, on 20"),
        (31, "the certificate expired on 20"),
    ],
)
def test_dates_of_the_certificate(folder, days, warning):
    found = warnings(folder, time.time() + days * 86_400, tls_certificate='"relay.pem"')
    assert len(found) == bool(warning)
    assert all(f"{folder}/relay.pem: {warning}" in each for each in found)


def test_a_certificate_that_has_gone_since_is_told(folder):
    loaded = load(folder, tls_certificate='"relay.pem"')
    (folder / "relay.pem").unlink()
    [warning] = configuration.warnings(loaded, time.time())
    assert "cannot be read: No such file" in warning


@pytest.mark.parametrize("table", ["account", "ndr"])
def test_certificates_for_servers_are_looked_at_too_and_told_once(folder, table):
    (folder / "key.pem").chmod(0o644)
    client = {"tls_client_certificate": '"cert.pem"', "tls_client_key": '"key.pem"'}
    path = folder / "relay.toml"
    path.write_text(
        bound(document(table, **{"server": '"mx.example.com"', **client}))
        + '\n[master_relay]\nhostname = "relay.example.com"'
        + '\ntls_certificate = "cert.pem"\ntls_key = "key.pem"'
    )
    loaded = configuration.load(path)
    readable, expired = configuration.warnings(loaded, time.time() + 31 * 86_400)
    assert readable == f"{folder}/key.pem: readable by everyone on this machine; run chmod o= on it"
    assert expired.startswith(f"{folder}/cert.pem: the certificate expired on 20")


def test_the_certificate_of_an_account_that_is_off_is_not_looked_at(folder):
    (folder / "relay.pem").chmod(0o644)
    path = folder / "relay.toml"
    second = document(name='"Off"', enabled="false", tls_client_certificate='"relay.pem"')
    path.write_text(
        bound(document()) + "\n" + second + '\n[master_relay]\nhostname = "relay.example.com"'
    )
    assert configuration.warnings(configuration.load(path), time.time() + 31 * 86_400) == []
