"""``etc/multisendcon.toml``: it loads, names every key, and tells the true defaults."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from multisendcon_plugin import configuration
from multisendcon_plugin.routing.account import Account
from multisendcon_plugin.settings.keys import Nested
from tests.configuration.examples import ALL_TABLES, Paper, document, read

REFERENCE = Path(__file__).parents[2] / "etc" / "multisendcon.toml"
#: A table inside of another one is no key there: it has keys.
KEYS = [
    (name, key)
    for name, table in ALL_TABLES.items()
    for key, declared in table.keys.items()
    if not isinstance(declared.kind, Nested)
]
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
    ("web", "users"): "unset, nobody can sign in",
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
    ("account", "preset"): "unset, none",
    ("account", "server"): '"", which type = "direct" needs',
    ("account", "max_connections"): '2; 40 with type = "direct"',
    ("destination", "max_connections"): (
        "unset, a fifth of those of the account, or fewer if that is known of the receiver"
    ),
    ("destination", "max_mails_per_connection"): (
        "unset, as for the account, or fewer if that is known of the receiver"
    ),
    ("account", "senders"): "unset, every sender",
    ("account", "recipients"): "unset, every recipient",
    ("account", "fixed_sender"): "unset, the sender is kept",
    ("account", "max_recipients"): "unset, any number",
    ("account", "fallback"): "unset, later accounts that match the same senders and recipients",
    ("account", "quota_group"): "unset, the account has its own",
    **{
        ("account.oauth2", key): words
        for key, words in {
            "client_certificate": "unset, none",
            "client_key": "unset, it is in the file of the certificate",
            "service_account_key": "unset, none",
            "tenant": "unset, organizations, where somebody signs in",
            "mailbox": "unset, username",
            "expires": "unset, no alarms",
            "token_url": "unset, as the provider has it",
            "authorize_url": "unset, as the provider has it",
            "device_url": "unset, as the provider has it",
            "scope": "unset, as the provider has it",
        }.items()
    },
}


#: Keys whose examples are files, which are not there.
FILES = {
    *("tls_certificate", "tls_key", "users"),
    *("tls_ca", "tls_client_certificate", "tls_client_key"),
    *("client_certificate", "client_key", "service_account_key"),
}


def told():
    """What the file says of each key: its default, and the TOML of its value or example."""
    found = {}
    table = ""
    default = None
    for line in REFERENCE.read_text("utf-8").splitlines():
        if header := re.match(r"#?\[+([\w.]+)\]+", line):
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
    if key in ALL_TABLES[table].required:
        assert default is None
    elif (table, key) in IN_WORDS:
        assert default == IN_WORDS[table, key]
    else:
        value = ALL_TABLES[table].keys[key].convert(tomllib.loads(f"x = {default}")["x"], Paper())
        if (table, key) == ("spool", "path"):
            value = value.removeprefix("/base/")
        assert value == ALL_TABLES[table].keys[key].default


@pytest.mark.parametrize(
    ("table", "key"),
    [(name, key) for name, key in KEYS if key not in ALL_TABLES[name].borrowed],
)
def test_the_doc_of_a_key_says_the_same_of_an_unset_one(table, key):
    default, _ = told()[table, key]
    doc = ALL_TABLES[table].keys[key].doc
    unset, _, words = (default or "").partition("unset, ")
    if words and not unset:
        assert doc.endswith(f"; unset: {words}.")
    else:
        assert ALL_TABLES[table].keys[key].default is not None


@pytest.mark.parametrize(("table", "key"), KEYS)
def test_its_examples_are_good_values(table, key):
    _, example = told()[table, key]
    value = tomllib.loads(f"x = {example}")["x"]
    if key in ("password", "client_secret"):
        assert value == "change-me" or value.keys() <= {"file", "env", "credential", "command"}
    elif key not in FILES:
        ALL_TABLES[table].keys[key].convert(value, Paper())


def test_the_table_of_reports_is_sent_to_that_of_accounts_for_its_tokens():
    assert "table [ndr.oauth2] says" in REFERENCE.read_text("utf-8")


def test_the_forms_of_a_password_that_it_shows_are_understood():
    forms = re.findall(r"^#  +(\{ \w+ = \[?)\"[\w.]+\"", REFERENCE.read_text("utf-8"), re.MULTILINE)
    assert forms == ["{ file = ", "{ env = ", "{ credential = ", "{ command = ["]
    for form in forms:
        end = '"known"' + "]" * form.count("[") + " }"
        assert read(document(username='"u"', password=form + end)).accounts[0].password
