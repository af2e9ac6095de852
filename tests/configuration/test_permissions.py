"""Files that others on this machine can change are faults; what is only lax is a warning."""

from __future__ import annotations

import time

import pytest

from multisendcon_plugin import configuration
from multisendcon_plugin.errors import ConfigurationError
from multisendcon_plugin.testing import Authority
from tests.configuration.examples import HASH, PASSWORD, bound, document

AUTHORITY = Authority()
CERTIFICATE, KEY = AUTHORITY.server_pem("relay.example")
CHANGED = "can be changed by everyone on this machine; run chmod o-w on it"
#: Where each file is named.
PLACES = {
    "cert.pem": "[master_relay], tls_certificate",
    "key.pem": "[master_relay], tls_key",
    "users": "[master_relay], users",
    "ca.pem": '[[account]] "Sales", tls_ca',
    "sales.password": '[[account]] "Sales", password',
}


@pytest.fixture
def folder(tmp_path):
    """A folder with files that are as they should be, each in a folder of its own."""
    contents = {
        "relay.toml": b"",
        "cert.pem": CERTIFICATE,
        "key.pem": KEY,
        "users": f"joe:{HASH}:*, <>\n".encode(),
        "ca.pem": AUTHORITY.pem,
        "sales.password": PASSWORD.encode(),
    }
    for name, content in contents.items():
        (tmp_path / f"of-{name}").mkdir()
        path(tmp_path, name).write_bytes(content)
        path(tmp_path, name).chmod(0o600)
    for spool in ("spool", "spool/content"):
        (tmp_path / spool).mkdir(mode=0o700)
    return tmp_path


def path(folder, name):
    return folder / f"of-{name}" / name


def load(folder, password=None):
    account = {
        "username": '"u"',
        "password": password or f'{{ file = "{path(folder, "sales.password")}" }}',
        "tls_ca": f'"{path(folder, "ca.pem")}"',
    }
    path(folder, "relay.toml").write_text(
        bound(document(**account))
        + '\n[master_relay]\nhostname = "relay.example.com"'
        + f'\nusers = "{path(folder, "users")}"'
        + f'\ntls_certificate = "{path(folder, "cert.pem")}"'
        + f'\ntls_key = "{path(folder, "key.pem")}"'
        + f'\n[spool]\npath = "{folder}/spool"'
    )
    return configuration.load(path(folder, "relay.toml"))


def faults(folder):
    with pytest.raises(ConfigurationError) as caught:
        load(folder)
    return caught.value.faults


def warnings(folder, password=None):
    return configuration.warnings(load(folder, password), time.time())


def test_nothing_to_say(folder):
    assert warnings(folder) == []


@pytest.mark.parametrize("name", PLACES)
@pytest.mark.parametrize("mode", [0o602, 0o666, 0o622])
def test_a_file_that_everyone_can_change(folder, name, mode):
    path(folder, name).chmod(mode)
    [fault] = faults(folder)
    assert fault.endswith(f', {PLACES[name]}: the file "{path(folder, name)}" {CHANGED}')
    assert PASSWORD not in fault


@pytest.mark.parametrize("name", PLACES)
def test_a_folder_in_which_everyone_can_put_another_file(folder, name):
    around = path(folder, name).parent
    around.chmod(0o777)
    [fault] = faults(folder)
    assert fault.endswith(f': the folder "{around}" of the file "{around}/{name}" {CHANGED}')
    around.chmod(0o1777)  # as /tmp is: everyone can put files there, but replace only their own
    assert warnings(folder) == []


def test_the_file_at_the_end_of_a_link(folder):
    real = folder / "elsewhere"
    real.mkdir()
    path(folder, "users").rename(real / "users")
    path(folder, "users").symlink_to(real / "users")
    assert warnings(folder) == []
    real.chmod(0o777)
    [fault] = faults(folder)
    assert f'the folder "{real}" of the file "{path(folder, "users")}" can be changed' in fault


def test_a_configuration_that_everyone_can_change(folder):
    own = path(folder, "relay.toml")
    own.chmod(0o606)
    assert faults(folder) == [f"{own}: it {CHANGED}"]
    own.chmod(0o600)
    own.parent.chmod(0o703)
    assert faults(folder) == [f'{own}: the folder "{own.parent}" of it {CHANGED}']


@pytest.mark.parametrize("name", ["spool", "spool/content"])
@pytest.mark.parametrize("mode", [0o702, 0o777, 0o1777])
def test_a_spool_that_everyone_can_change(folder, name, mode):
    (folder / name).chmod(mode)
    fault = faults(folder)[0]
    assert fault.endswith(f'[spool], path: the folder "{folder}/{name}" {CHANGED}')


def test_a_password_is_not_read_again_from_a_file_that_everyone_can_change(folder):
    stored = load(folder).accounts[0].password
    path(folder, "sales.password").chmod(0o606)
    with pytest.raises(ConfigurationError) as caught:
        stored.read()
    assert caught.value.faults == [f'the file "{path(folder, "sales.password")}" {CHANGED}']


@pytest.mark.parametrize("name", ["relay.toml", *PLACES, "spool", "spool/content"])
def test_what_a_group_can_change(folder, name):
    file = folder / name if name.startswith("spool") else path(folder, name)
    file.chmod(file.stat().st_mode | 0o020)
    warning = f"{file}: can be changed by its whole group; run chmod g-w on it"
    assert warnings(folder) == [warning]


def test_a_folder_that_a_group_can_change_is_told_once(folder):
    folder.chmod(0o770)  # the spool is in it, and content is not
    assert warnings(folder) == [f"{folder}: can be changed by its whole group; run chmod g-w on it"]


@pytest.mark.parametrize(
    ("name", "secret"),
    [("relay.toml", False), *((name, name not in {"cert.pem", "ca.pem"}) for name in PLACES)],
)
def test_secrets_that_everyone_can_read(folder, name, secret):
    file = path(folder, name)
    file.chmod(0o644)
    warning = f"{file}: readable by everyone on this machine; run chmod o= on it"
    assert warnings(folder) == ([warning] if secret else [])


@pytest.mark.parametrize(
    ("password", "secret"), [(f'"{PASSWORD}"', True), ('{ env = "SALES" }', False)]
)
def test_a_configuration_is_a_secret_when_a_password_is_in_it(
    folder, password, secret, monkeypatch
):
    monkeypatch.setenv("SALES", PASSWORD)
    path(folder, "relay.toml").chmod(0o604)
    warning = (
        f"{path(folder, 'relay.toml')}: readable by everyone on this machine; run chmod o= on it"
    )
    assert warnings(folder, password) == ([warning] if secret else [])
