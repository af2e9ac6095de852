"""What logins by token name on this machine: certificates, keys, days, and what is installed."""

from __future__ import annotations

import datetime
import json

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from multisendcon_plugin import configuration
from multisendcon_plugin.configuration import file
from multisendcon_plugin.errors import ConfigurationError
from tests.certificates import certificate
from tests.configuration.examples import document

RSA = rsa.generate_private_key(65537, 2048)
OTHER_RSA = rsa.generate_private_key(65537, 2048)
SHORT_RSA = rsa.generate_private_key(65537, 1024)
EC = ec.generate_private_key(ec.SECP256R1())
CANARY = "c4nary"


def pem(key):
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def service_json(**fields):
    known = {
        "type": "service_account",
        "client_email": "relay@project.example",
        "private_key_id": "k1",
        "private_key": pem(RSA),
    }
    return json.dumps({k: v for k, v in (known | fields).items() if v is not None})


@pytest.fixture
def folder(tmp_path):
    for name, key in (("rsa", RSA), ("ec", EC), ("short", SHORT_RSA)):
        own = certificate(key=key).public_bytes(Encoding.PEM).decode()
        (tmp_path / f"{name}.pem").write_text(own + pem(key))
        (tmp_path / f"{name}.crt").write_text(own)
    (tmp_path / "rsa.key").write_text(pem(RSA))
    (tmp_path / "other.key").write_text(pem(OTHER_RSA))
    (tmp_path / "secret").write_text(f"{CANARY}\n")
    (tmp_path / "service.json").write_text(service_json())
    for path in tmp_path.iterdir():
        path.chmod(0o600)
    return tmp_path


def load(folder, **token):
    keys = {"mailbox": '"sales@example.com"'} | token
    text = document(senders='"*"') + '\n[master_relay]\nhostname = "relay.example.com"\n'
    text = f'[spool]\npath = "{folder}/spool"\n' + text.replace(
        "\n[master_relay]",
        "\n".join(["", "[account.oauth2]", *(f"{k} = {v}" for k, v in keys.items())])
        + "\n[master_relay]",
    )
    path = folder / "relay.toml"
    path.write_text(text)
    path.chmod(0o600)
    return configuration.load(path)


def microsoft(folder, **token):
    known = {
        "provider": '"microsoft"',
        "grant": '"client_credentials"',
        "tenant": '"a.example"',
        "client_id": '"app"',
    }
    return load(folder, **known, **token)


def service(folder):
    return load(
        folder,
        provider='"google"',
        grant='"service_account"',
        service_account_key='"service.json"',
    )


def fault_of(make, *arguments, **keys):
    with pytest.raises(ConfigurationError) as caught:
        make(*arguments, **keys)
    (fault,) = caught.value.faults
    return fault.partition("oauth2")[2].removeprefix(", ")


# Certificates.


@pytest.mark.parametrize(
    "keys",
    [
        {"client_certificate": '"rsa.pem"'},
        {"client_certificate": '"rsa.crt"', "client_key": '"rsa.key"'},
    ],
)
def test_a_certificate_with_its_key_is_named_by_absolute_paths(folder, keys):
    oauth2 = microsoft(folder, **keys).accounts[0].oauth2
    assert oauth2.client_certificate.startswith(f"{folder}/rsa.")


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        (
            {"client_certificate": '"rsa.crt"', "client_key": '"other.key"'},
            "its private key does not match the first certificate in the file",
        ),
        (
            {"client_certificate": '"rsa.crt"'},
            (
                "there is no private key (PEM) for it; add it to the file, or name the file that"
                " has it"
            ),
        ),
        *(
            (
                {"client_certificate": f'"{name}.pem"'},
                (
                    "its private key cannot sign for tokens (PS256); make a certificate with an RSA"
                    " key of 2048 bits or more"
                ),
            )
            for name in ("ec", "short")
        ),
    ],
)
def test_a_certificate_that_cannot_sign(folder, keys, reason):
    assert fault_of(microsoft, folder, **keys) == f"client_certificate: {reason}"


def test_one_that_runs_out_is_warned_of(folder):
    loaded = microsoft(folder, client_certificate='"rsa.pem"')
    now = datetime.datetime.now(datetime.UTC).timestamp()
    (warning,) = configuration.warnings(loaded, now)
    assert warning.startswith(f"{folder}/rsa.pem: the certificate expires in 0 days")


# Service accounts.


def test_the_key_of_a_service_account(folder):
    assert service(folder).accounts[0].oauth2.service_account_key == f"{folder}/service.json"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (
            content,
            "is not the key of a service account; name the JSON file that Google gives for one",
        )
        for content in (CANARY, "[]", "{}", "[" * 100_000, service_json(type="authorized_user"))
    ]
    + [
        (content, "has no client_email and private_key_id; name the JSON file as Google gives it")
        for content in (
            service_json(client_email=None),
            service_json(client_email=5),
            service_json(private_key_id=None),
        )
    ]
    + [
        (
            service_json(private_key=key),
            (
                "has no private key (RSA, 2048 bits) that can be read; name the JSON file as Google"
                " gives it"
            ),
        )
        for key in (None, 5, CANARY, pem(EC), pem(SHORT_RSA), pem(RSA)[:200])
    ],
)
def test_what_is_no_key_of_a_service_account(folder, content, reason):
    (folder / "service.json").write_text(content)
    expected = f'service_account_key: the file "service.json" {reason}'
    assert fault_of(service, folder) == expected


def test_one_that_cannot_be_read(folder):
    (folder / "service.json").unlink()
    assert fault_of(service, folder) == (
        'service_account_key: the file "service.json" cannot be read: No such file or directory'
    )


# Secrets.


def test_a_secret_is_read_anew(folder):
    secret = microsoft(folder, client_secret='{ file = "secret" }').accounts[0].oauth2.client_secret
    assert secret.value == CANARY
    (folder / "secret").write_text("another\n")
    assert secret.read() == "another"


@pytest.mark.parametrize(
    ("name", "make", "keys"),
    [
        ("secret", microsoft, {"client_secret": '{ file = "secret" }'}),
        ("rsa.key", microsoft, {"client_certificate": '"rsa.crt"', "client_key": '"rsa.key"'}),
        ("service.json", service, {}),
    ],
)
def test_files_that_others_can_read_are_warned_of(folder, name, make, keys):
    loaded = make(folder, **keys)
    assert [each for each in configuration.warnings(loaded, 0) if "read" in each] == []
    (folder / name).chmod(0o644)
    (warning,) = [each for each in configuration.warnings(loaded, 0) if "read" in each]
    assert f"{folder}/{name}" in warning


# Days.


@pytest.mark.parametrize(
    ("day", "words"),
    [
        ("2027-04-30", "ran out on 2027-04-30"),
        ("2027-05-01", "runs out in 0 days, on 2027-05-01"),
        ("2027-05-31", "runs out in 30 days, on 2027-05-31"),
        ("2027-06-01", None),
    ],
)
def test_an_end_that_is_near_is_warned_of(folder, day, words):
    now = datetime.datetime(2027, 5, 1, 23, 59, tzinfo=datetime.UTC).timestamp()
    loaded = microsoft(folder, client_secret='{ file = "secret" }', expires=day)
    expected = [
        (
            f'[[account]] "Sales", oauth2, expires: the secret or certificate {words}; have the'
            " provider make or take another one, and write its day here"
        )
    ]
    assert configuration.warnings(loaded, now) == (expected if words else [])


# What is installed.


def test_without_the_extra_the_fault_names_the_command(folder, monkeypatch):
    monkeypatch.setattr(file, "find_spec", lambda name: None if name == "jwt" else object())
    assert fault_of(microsoft, folder, client_secret='{ file = "secret" }') == (
        ": needs jwt, which is not installed; run: pip install 'multisendcon[oauth]'"
    )
