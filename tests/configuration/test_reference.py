"""``etc/multisendcon.toml``: it loads, names every key, and tells the true defaults."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from multisendcon_plugin import configuration
from multisendcon_plugin.configuration.tables import TABLES
from multisendcon_plugin.routing.account import Account
from tests.configuration.examples import Paper, document, read

REFERENCE = Path(__file__).parents[2] / "etc" / "multisendcon.toml"
KEYS = [(name, key) for name, table in TABLES.items() for key in table.keys]
#: Defaults that the file tells in words, and why no value could be told.
IN_WORDS = {
    ("master_relay", "hostname"): (
        "the name of this machine, by its settings and /etc/hosts; the DNS is not asked"
    ),
    ("client", "senders"): "unset, every sender",
    ("client", "submission_help"): "as in [master_relay]",
    ("master_relay", "tls_certificate"): "unset, no STARTTLS",
    ("master_relay", "tls_key"): "unset, the key is in the file of the certificate",
    ("master_relay", "users"): "unset, no one",
    ("ndr", "sender"): "mailer-daemon at the hostname above",
    ("ndr", "server"): "unset, reports are sent through the accounts like any mail",
    ("ndr", "tls"): (
        '"opportunistic"; "auto" with a login, with port 465, or with a key tls_... below'
    ),
    **{
        (table, key): words
        for table in ("ndr", "account")
        for key, words in {
            "local_address": "unset, the system chooses",
            "helo_domain": "the hostname of [master_relay]",
            "tls_ca": "unset, those of the system",
            "tls_name": 'unset, the name of "server"',
            "tls_fingerprint": "unset, any certificate that can be verified",
            "tls_ciphers": "unset, those of TLS 1.3, and ECDHE with AES-GCM or ChaCha20",
            "tls_client_certificate": "unset, none is shown",
            "tls_client_key": "unset, it is in the file of the certificate",
        }.items()
    },
    ("archive", "path"): "unset, no account archives",
    ("alarm", "command"): "unset, none",
    ("alarm", "webhook"): "unset, none",
    ("account", "senders"): "unset, every sender",
    ("account", "recipients"): "unset, every recipient",
    ("account", "fixed_sender"): "unset, the sender is kept",
    ("account", "max_recipients"): "unset, any number",
    ("account", "fallback"): "unset, later accounts that match the same senders and recipients",
}


#: Keys whose examples are files, which are not there.
FILES = {
    *("tls_certificate", "tls_key", "users"),
    *("tls_ca", "tls_client_certificate", "tls_client_key"),
}


def told():
    """What the file says of each key: its default, and the TOML of its value or example."""
    found = {}
    table = ""
    default = None
    for line in REFERENCE.read_text("utf-8").splitlines():
        if header := re.match(r"#?\[+(\w+)\]+", line):
            table = header[1]
        elif word := re.match(r"# Default: (.*)", line):
            default = word[1]
        elif key := re.match(r"#?(\w+) = (.*)", line):
            found.setdefault((table, key[1]), (default, key[2]))
            default = None
    return found


def test_it_loads_as_it_stands():
    loaded = configuration.load(REFERENCE)
    assert len(loaded.accounts) == 4
    assert all(account.enabled for account in loaded.accounts)
    catch_all = loaded.accounts[-1]
    assert (catch_all.senders, catch_all.recipients) == (
        Account.__attrs_attrs__.senders.default,
        Account.__attrs_attrs__.recipients.default,
    )


def test_every_key_is_there_in_the_order_of_the_tables():
    assert list(told()) == KEYS


@pytest.mark.parametrize(("table", "key"), KEYS)
def test_the_default_that_it_tells_is_the_default(table, key):
    default, _ = told()[table, key]
    if key in TABLES[table].required:
        assert default is None
    elif (table, key) in IN_WORDS:
        assert default == IN_WORDS[table, key]
    else:
        value = TABLES[table].keys[key].convert(tomllib.loads(f"x = {default}")["x"], Paper())
        if (table, key) == ("spool", "path"):
            value = value.removeprefix("/base/")
        assert value == TABLES[table].keys[key].default


@pytest.mark.parametrize(
    ("table", "key"),
    [(name, key) for name, key in KEYS if key not in TABLES[name].borrowed],
)
def test_the_doc_of_a_key_says_the_same_of_an_unset_one(table, key):
    default, _ = told()[table, key]
    doc = TABLES[table].keys[key].doc
    unset, _, words = (default or "").partition("unset, ")
    if words and not unset:
        assert doc.endswith(f"; unset: {words}.")
    else:
        assert TABLES[table].keys[key].default is not None


@pytest.mark.parametrize(("table", "key"), KEYS)
def test_its_examples_are_good_values(table, key):
    _, example = told()[table, key]
    value = tomllib.loads(f"x = {example}")["x"]
    if key == "password":
        assert value == "change-me" or value.keys() <= {"file", "env", "credential", "command"}
    elif key not in FILES:
        TABLES[table].keys[key].convert(value, Paper())


def test_the_forms_of_a_password_that_it_shows_are_understood():
    forms = re.findall(r"^#  +(\{ \w+ = \[?)\"[\w.]+\"", REFERENCE.read_text("utf-8"), re.MULTILINE)
    assert forms == ["{ file = ", "{ env = ", "{ credential = ", "{ command = ["]
    for form in forms:
        end = '"known"' + "]" * form.count("[") + " }"
        assert read(document(username='"u"', password=form + end)).accounts[0].password
