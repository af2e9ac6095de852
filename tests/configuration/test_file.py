"""The file on disk, and the places that it names."""

from __future__ import annotations

import os

import pytest

from multisendcon_plugin import configuration
from multisendcon_plugin.configuration import file
from multisendcon_plugin.errors import ConfigurationError
from tests.configuration.examples import PASSWORD, document

LOGIN = 'hostname = "relay.example.com"'


@pytest.fixture(autouse=True)
def _fixed_name(monkeypatch):
    monkeypatch.setattr(file, "own_hostname", lambda: "machine.example.com")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "multisendcon.toml"


def faults(path):
    with pytest.raises(ConfigurationError) as caught:
        configuration.load(path)
    return caught.value.faults


def password_faults(path, password):
    path.write_text(document(username='"u"', password=password))
    [fault] = faults(path)
    place = f'{path}, line 5, [[account]] "Sales", password: '
    assert fault.startswith(place)
    return fault.removeprefix(place)


@pytest.mark.parametrize("kind", [str, lambda path: path])
def test_a_file_is_loaded(path, kind):
    path.write_text(document())
    loaded = configuration.load(kind(path))
    assert loaded.accounts[0].name == "Sales"
    assert loaded.master_relay.hostname == "machine.example.com"


def test_a_byte_order_mark_is_taken(path):
    path.write_bytes(b"\xef\xbb\xbf" + document().encode())
    assert configuration.load(path).accounts[0].name == "Sales"


def test_a_file_that_is_not_there_is_a_fault(path):
    assert faults(path) == [f"{path}: cannot be read: No such file or directory"]


def test_a_folder_is_a_fault(tmp_path):
    assert faults(tmp_path) == [f"{tmp_path}: cannot be read: Is a directory"]


def test_a_path_that_cannot_be_is_a_fault():
    assert faults("a\0b") == ["a\0b: cannot be read: embedded null byte"]


def test_a_file_that_is_not_utf8_is_a_fault(path):
    path.write_bytes(b"# one\n# b\xfccher\n")
    assert faults(path) == [f"{path}, line 2: is not UTF-8; save the file in this encoding"]


def test_a_text_is_parsed_with_this_machine_around_it(monkeypatch):
    monkeypatch.setenv("SALES", PASSWORD)
    parsed = configuration.parse(document(username='"u"', password='{ env = "SALES" }'))
    assert parsed.accounts[0].password == PASSWORD
    assert parsed.master_relay.hostname == "machine.example.com"
    with pytest.raises(ConfigurationError, match=r"^configuration: there is no account"):
        configuration.parse("")


@pytest.mark.parametrize(
    "content", [PASSWORD, PASSWORD + "\n", PASSWORD + "\r\nmore\n", "\ufeff" + PASSWORD]
)
@pytest.mark.parametrize("absolute", [True, False])
def test_a_password_file_gives_its_first_line(path, content, absolute):
    secret = path.with_name("sales.password")
    secret.write_bytes(content.encode())
    place = secret if absolute else secret.name
    path.write_text(document(username='"u"', password=f'{{ file = "{place}" }}'))
    assert configuration.load(path).accounts[0].password.value == PASSWORD


def test_a_password_file_is_read_again_from_where_it_was(path, monkeypatch):
    path.with_name("sales.password").write_text("old\n")
    path.write_text(document(username='"u"', password='{ file = "sales.password" }'))
    monkeypatch.chdir(path.parent)
    stored = configuration.load(path.name).accounts[0].password
    monkeypatch.chdir("/")
    for password in (PASSWORD, "another"):
        path.with_name("sales.password").write_text(password)
        assert stored.read() == password
    assert stored.value == "old"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, 'the file "sales.password" cannot be read: No such file or directory'),
        (b"", 'the file "sales.password" contains no password'),
        (b"\nc4nary", 'the file "sales.password" contains no password'),
        (b"c4nary\xff", 'the file "sales.password" is not UTF-8; save it in this encoding'),
        (
            b"c4n\tary",
            "the password contains a control character; write plain text on one line",
        ),
    ],
)
def test_what_keeps_a_password_from_being_read_again_is_told_without_it(path, content, why):
    secret = path.with_name("sales.password")
    secret.write_text("old")
    path.write_text(document(username='"u"', password='{ file = "sales.password" }'))
    stored = configuration.load(path).accounts[0].password
    if content is None:
        secret.unlink()
    else:
        secret.write_bytes(content)
    with pytest.raises(ConfigurationError) as caught:
        stored.read()
    assert caught.value.faults == [why]
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_a_password_from_a_pipe_is_read_once(path):
    ours, theirs = os.pipe()
    os.write(theirs, f"{PASSWORD}\n".encode())
    os.close(theirs)
    path.write_text(document(username='"u"', password=f'{{ file = "/dev/fd/{ours}" }}'))
    assert configuration.load(path).accounts[0].password == PASSWORD
    os.close(ours)


def test_a_credential_is_found_in_the_folder_that_systemd_names(path, monkeypatch, tmp_path):
    (tmp_path / "sales").write_text(PASSWORD + "\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    path.write_text(document(username='"u"', password='{ credential = "sales" }'))
    stored = configuration.load(path).accounts[0].password
    assert stored.value == PASSWORD
    (tmp_path / "sales").write_text("another\n")
    assert stored.read() == "another"
    assert password_faults(path, '{ credential = "../sales" }') == (
        '"../sales" is not the name of a credential; write it without a path'
    )
    assert password_faults(path, '{ credential = "gone" }') == (
        'the credential "gone" cannot be read: No such file or directory'
    )


def test_a_credential_without_systemd_is_a_fault(path, monkeypatch):
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    assert password_faults(path, '{ credential = "sales" }') == (
        'there is no credential "sales": $CREDENTIALS_DIRECTORY is not set, because systemd sets'
        " it only for a service with LoadCredential="
    )


def test_a_variable_that_is_not_set_is_a_fault(path, monkeypatch):
    monkeypatch.delenv("SALES", raising=False)
    assert password_faults(path, '{ env = "SALES" }') == (
        'the environment variable "SALES" is not set'
    )


def test_a_password_file_that_cannot_be_read_is_a_fault(path):
    assert password_faults(path, '{ file = "gone" }') == (
        'the file "gone" cannot be read: No such file or directory'
    )
    assert password_faults(path, '{ file = "." }') == (
        'the file "." cannot be read: Is a directory'
    )


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", 'the file "secret" contains no password'),
        (b"\n" + PASSWORD.encode(), 'the file "secret" contains no password'),
        (PASSWORD.encode() + b"\xff", 'the file "secret" is not UTF-8; save it in this encoding'),
        (
            PASSWORD.encode() + b"\0",
            "the password contains a control character; write plain text on one line",
        ),
    ],
)
def test_a_bad_password_file_is_told_without_its_content(path, content, reason):
    path.with_name("secret").write_bytes(content)
    assert password_faults(path, '{ file = "secret" }') == reason


def test_authorities_must_be_readable(path):
    path.write_text(document(tls_ca='"ca.pem"'))
    assert faults(path) == [
        (
            f'{path}, line 4, [[account]] "Sales", tls_ca: the file "ca.pem" cannot be read:'
            " No such file or directory"
        )
    ]
    path.with_name("ca.pem").write_bytes(b"\x30\x82")
    assert configuration.load(path).accounts[0].tls_ca == str(path.with_name("ca.pem"))


def test_relative_paths_start_at_the_folder_of_the_file(path, monkeypatch):
    path.write_text(document("spool", path='"spool"'))
    monkeypatch.chdir(path.parent)
    spool = str(path.with_name("spool"))
    assert configuration.load(path).spool.path == spool
    assert configuration.load(path.name).spool.path == spool


def test_a_program_that_tells_a_password_gets_no_other_one(tmp_path, monkeypatch):
    """Of variables that are passwords, wherever the file names them; all others it may need."""
    monkeypatch.setenv("OTHER_PASSWORD", "canary")
    monkeypatch.setenv("VAULT", "vault.example")
    program = tmp_path / "tell"
    program.write_text('#!/bin/sh\necho "$VAULT-$OTHER_PASSWORD"\n')
    program.chmod(0o700)
    accounts = [
        f'[[account]]\nname = "{name}"\nserver = "a"\nusername = "x"\npassword = {password}\n'
        for name, password in (
            ("A", '{ command = ["./tell"] }'),
            ("B", '{ env = "OTHER_PASSWORD" }'),
        )
    ]
    file = tmp_path / "relay.toml"
    file.write_text("".join(accounts))
    told, other = (account.password for account in configuration.load(file).accounts)
    assert (told.value, told.read(), other) == ("vault.example-", "vault.example-", "canary")
