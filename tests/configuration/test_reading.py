"""A whole document: defaults, rules between settings, and all faults at once."""

from __future__ import annotations

import datetime
from ipaddress import ip_network
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from multisendcon_plugin import configuration
from multisendcon_plugin.configuration import Configuration
from multisendcon_plugin.configuration.file import ThisMachine
from multisendcon_plugin.configuration.tables import TABLES
from multisendcon_plugin.errors import ConfigurationError
from multisendcon_plugin.routing.account import Account
from multisendcon_plugin.settings.values import (
    BareLf,
    ClientSettings,
    DeliverySettings,
    MasterRelay,
    NdrSettings,
    SpoolSettings,
)
from multisendcon_plugin.settings.words import InvalidValueError
from tests.configuration.examples import ORIGIN, PASSWORD, Paper, document, faults, read


def test_the_smallest_document_has_all_defaults():
    assert read('[[account]]\nname = "A"\nserver = "smtp.example.com"') == Configuration(
        master_relay=MasterRelay(hostname="relay.example.com"),
        spool=SpoolSettings(),
        delivery=DeliverySettings(),
        ndr=NdrSettings(sender="mailer-daemon@relay.example.com"),
        accounts=(Account(name="A", server="smtp.example.com", helo_domain="relay.example.com"),),
    )


def test_names_follow_the_hostname_unless_they_are_written():
    text = document("master_relay", hostname='"mx.example.org"')
    configuration = read(text)
    assert configuration.ndr.sender == "mailer-daemon@mx.example.org"
    assert configuration.accounts[0].helo_domain == "mx.example.org"
    configuration = read(
        text.replace('name = "Sales"', 'name = "Sales"\nhelo_domain = "other.example"')
        + '\n[ndr]\nsender = "bounce@example.org"'
    )
    assert configuration.ndr.sender == "bounce@example.org"
    assert configuration.accounts[0].helo_domain == "other.example"


def test_the_machine_is_asked_for_its_name_only_when_the_file_has_none():
    bad_name = Paper(name="build_1")
    assert faults(document("master_relay", hostname='"mx.example.org"'), bad_name) == []
    assert faults(document("master_relay", max_recipients="5"), bad_name) == [
        (
            "multisendcon.toml, line 4, [master_relay], hostname: is missing, and the name of this"
            ' machine, "build_1", is not a domain; write for example "relay.example.com"'
        )
    ]


def test_accounts_keep_their_order():
    names = ["c", "a", "b"]
    text = "\n".join(f'[[account]]\nname = "{name}"\nserver = "s.example"' for name in names)
    assert [account.name for account in read(text).accounts] == names


def test_clients_keep_their_order_and_follow_the_master_relay():
    text = (
        document("master_relay", submission_help="true")
        + """
[[client]]
addresses = ["192.0.2.1"]
[[client]]
addresses = ["192.0.2.0/24"]
bare_lf = "fix"
submission_help = false
"""
    )
    scanner = ip_network("192.0.2.1")
    assert read(text).clients == (
        ClientSettings(addresses=(scanner,), submission_help=True),
        ClientSettings(addresses=(scanner.supernet(new_prefix=24),), bare_lf=BareLf.FIX),
    )


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", ": there is no account; write at least one [[account]]"),
        ("account = []", ": there is no account; write at least one [[account]]"),
        (
            '[account]\nname = "A"',
            ", line 1, account: is not an array of tables; write [[account]] above each account",
        ),
        (
            "account = [1]",
            ", line 1, account: is not an array of tables; write [[account]] above each account",
        ),
        (
            document() + '\n[client]\naddresses = ["192.0.2.1"]',
            ", line 4, client: is not an array of tables; write [[client]] above each client",
        ),
        (
            document("client", bear_lf='"fix"'),
            ", line 6, [[client]] number 1, bear_lf: unknown key; did you mean bare_lf?",
        ),
        (
            document(enabled="false"),
            ": every [[account]] has enabled = false; enable at least one",
        ),
        ("spool = 5\n" + document(), ", line 1, spool: is not a table; write [spool]"),
        (
            "port = 25\n" + document(),
            (
                ", line 1, port: unknown key outside of any table; known here: master_relay,"
                " client, spool, delivery, ndr, log, history, archive, web, metrics, alarm, dns,"
                " destination, account"
            ),
        ),
        (document("spol"), ", line 4, [spol]: unknown table; did you mean spool?"),
        (
            document() + "\n[[acount]]",
            ", line 4, acount: unknown table; did you mean account?",
        ),
        (
            document(minimum_wiat="5"),
            ', line 4, [[account]] "Sales", minimum_wiat: unknown key; did you mean minimum_wait?',
        ),
        (
            document("spool", **{'"a\\nb"': "5"}),
            r', line 4, [spool], "a\u000ab": unknown key; known here: path, min_free',
        ),
        ("# one\na =\n# three", ", line 2: is not TOML: Invalid value"),
        ("# one\na =", ", line 2: is not TOML: Invalid value"),
        ('a = """\nb\n', ", line 2: is not TOML: Unterminated string"),
        ("[a]\n[a]", ", line 2: is not TOML: Cannot declare ('a',) twice"),
        ("a = " + "[" * 100_000, ": is not TOML: the values are nested too deeply"),
    ],
)
def test_a_fault_of_the_document(text, fault):
    assert faults(text) == [f"multisendcon.toml{fault}"]


def test_a_number_beyond_all_measure_is_a_fault():
    [fault] = faults("a = " + "9" * 5000)
    assert fault.startswith("multisendcon.toml: is not TOML: Exceeds the limit")


def test_a_fault_without_a_line_still_has_its_place():
    assert faults('account = [{ name = "A", server = "s.example", port = 0 }]') == [
        'multisendcon.toml, [[account]] "A", port: 0 is not a port; write a number from 1 to 65535'
    ]


def test_a_fault_without_a_line_comes_after_those_that_have_one():
    assert faults('account = []\nspol = "x"') == [
        "multisendcon.toml, line 2, spol: unknown key outside of any table; did you mean spool?",
        "multisendcon.toml: there is no account; write at least one [[account]]",
    ]


def test_all_faults_of_a_file_are_told_at_once_in_the_order_of_its_lines():
    text = f"""\
[[account]]
name = "Sales"
server = "smtp.example.com"
port = 70000
senders = ["example.com"]
username = "u"
password = {{ file = "gone" }}
fallback = ["Backup"]

[[account]]
name = "SALES"
server = "smtp.example.com"
tls_verify = "no"
colour = "blue"

[ndr]
username = "u"
password = "{PASSWORD}"
recipient = "both"

[master_relay]
hostnme = "x"
"""
    assert faults(text) == [
        f"multisendcon.toml, {fault}"
        for fault in [
            (
                'line 4, [[account]] "Sales", port: 70000 is not a port; write a number from 1 to'
                " 65535"
            ),
            (
                'line 5, [[account]] "Sales", senders: "example.com" is not a mask: write'
                ' "*@example.com" for everyone in that domain'
            ),
            'line 7, [[account]] "Sales", password: gone cannot be read',
            (
                'line 8, [[account]] "Sales", fallback: there is no account "Backup"; name another'
                " account"
            ),
            (
                'line 11, [[account]] "SALES", name: another account has this name; names must be'
                " unique"
            ),
            'line 13, [[account]] "SALES", tls_verify: "no" is not a boolean; write true or false',
            'line 14, [[account]] "SALES", colour: unknown key; known here: '
            + ", ".join(TABLES["account"].keys),
            'line 19, [ndr], recipient: "both" needs the address of the postmaster; set postmaster',
            "line 22, [master_relay], hostnme: unknown key; did you mean hostname?",
        ]
    ]


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        (
            {"null_sender": '"replace"'},
            "needs the address that takes its place; write fixed_sender",
        ),
        (
            {"null_sender": '"skip"', "senders": '["*@x.example", "<>"]'},
            'refuses what the mask "<>" in senders admits; leave one of them out',
        ),
        ({"null_sender": '"replace"', "fixed_sender": '"a@x.example"'}, ""),
        ({"null_sender": '"skip"', "senders": '["*@x.example"]'}, ""),
        ({"null_sender": '"pass"', "senders": '["<>"]'}, ""),
    ],
)
def test_what_null_sender_asks_of_the_account(settings, reason):
    expected = f'[[account]] "Sales", null_sender: {settings["null_sender"]} {reason}'
    found = faults(document(**settings))
    assert [fault.partition(", line ")[2].partition(", ")[2] for fault in found] == (
        [expected] if reason else []
    )


def test_a_fallback_may_be_any_other_account():
    text = document(fallback='["Backup"]') + '\n[[account]]\nname = "Backup"\nserver = "b.example"'
    assert read(text).accounts[0].fallback == ("Backup",)


def test_reports_to_the_postmaster_go_with_an_address():
    text = document("ndr", recipient='"both"', postmaster='"pm@example.com"')
    assert read(text).ndr.postmaster == "pm@example.com"


LOOP = " is this relay itself, so mail would loop; name the server that comes next"


@pytest.mark.parametrize(
    ("listen", "server", "port"),
    [
        ("tcp:port=2500:interface=127.0.0.1", "127.0.0.1", 2500),
        ("tcp:port=2500:interface=127.0.0.1", "localhost", 2500),
        ("tcp:25:192.0.2.1", "192.0.2.1", 25),
        ("tcp:25", "127.0.0.1", 25),
        ("tcp:25", "127.3.2.1", 25),
        ("tcp6:25", "0.0.0.0", 25),
        ("tcp:25", "192.0.2.10", 25),
        ("tcp6:25", "::1", 25),
        ("tcp6:25", "LocalHost", 25),
        (r"tcp6:25:interface=2001\:db8\:\:1", "2001:DB8::1", 25),
        ("haproxy:tcp:25", "127.0.0.1", 25),
        ("ssl:465", "127.0.0.1", 465),
        ("tls:/etc/certs", "::1", 443),
    ],
)
def test_a_server_that_is_this_relay_is_a_loop(listen, server, port):
    endpoint = f"\n[master_relay]\nlisten = ['{listen}', 'unix:/run/x']\nproxies = ['192.0.2.9']"
    account = document(server=f'"{server}"', port=str(port), local_address='"192.0.2.10"')
    assert faults(account + endpoint) == [
        f'multisendcon.toml, line 3, [[account]] "Sales", server: "{server}" with port {port}{LOOP}'
    ]
    report = document("ndr", server=f'"{server}"', port=str(port)) + endpoint
    if server != "192.0.2.10":
        assert faults(report) == [
            f'multisendcon.toml, line 5, [ndr], server: "{server}" with port {port}{LOOP}'
        ]


@pytest.mark.parametrize(
    ("listen", "faulty"),
    [
        ("haproxy:tcp:25", True),
        (r"haproxy:tcp6:port=25:interface=\:\:1", True),
        ("haproxy:systemd:domain=INET:name=smtp", True),
        ("tcp:25", False),
        ("ssl:465", False),
        # Who may write to a local socket is for its file to say.
        ("haproxy:unix:/run/x", False),
        ("haproxy:systemd:domain=UNIX:name=smtp", False),
    ],
)
def test_a_port_for_proxies_has_to_know_them(listen, faulty):
    for proxies, found in [("", faulty), ("proxies = []", faulty), ("proxies = ['::1']", False)]:
        relay = f"\n[master_relay]\n{proxies}\nlisten = ['{listen}']"
        assert faults(document() + relay) == [
            f'multisendcon.toml, line 6, [master_relay], listen: "{shown}" needs the addresses of'
            " the proxies; set proxies"
            for shown in [listen.replace("\\", "\\\\")] * found
        ]


@pytest.mark.parametrize(
    ("listen", "server", "port"),
    [
        ("tcp:port=2500:interface=127.0.0.1", "127.0.0.1", 25),
        ("tcp:port=25:interface=192.0.2.1", "127.0.0.1", 25),
        ("tcp:port=25:interface=127.0.0.1", "127.0.0.2", 25),
        ("tcp:port=25", "192.0.2.11", 25),
        ("tcp:port=25", "smtp.example.com", 25),
        ("unix:/run/x", "127.0.0.1", 25),
        ("systemd:domain=INET:index=0", "127.0.0.1", 25),
    ],
)
def test_another_server_is_no_loop(listen, server, port):
    endpoint = f"\n[master_relay]\nlisten = ['{listen}']"
    account = document(server=f'"{server}"', port=str(port), local_address='"192.0.2.10"')
    assert faults(account + endpoint) == []


FINGERPRINT = f'"sha256:{"0a" * 32}"'


@pytest.mark.parametrize("table", ["account", "ndr"])
@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"tls_fingerprint": FINGERPRINT}, []),
        ({"tls_fingerprint": FINGERPRINT, "tls_verify": "true", "tls_ca": '"known"'}, []),
        ({"tls": '"none"', "tls_ca": '"known"', "tls_verify": "false"}, []),
        ({"tls_name": '"mx"', "tls_verify": "false"}, []),
        (
            {"tls_fingerprint": FINGERPRINT, "tls_verify": "false"},
            ["tls_verify: is false, but tls_fingerprint is to be verified; leave one of them out"],
        ),
        *[
            (
                {"tls": '"none"', key: value},
                [f'{key}: has no effect with tls = "none"; leave it out, or write another tls'],
            )
            for key, value in {
                "tls_name": '"mx"',
                "tls_fingerprint": FINGERPRINT,
                "tls_client_certificate": '"known"',
            }.items()
        ],
        (
            {"tls_client_key": '"known"'},
            ["tls_client_key: has no certificate; write tls_client_certificate"],
        ),
        (
            {"tls": '"ssl"', "tls_fingerprint": "5"},
            ["tls: ", "tls_fingerprint: "],
        ),
    ],
)
def test_keys_of_tls_that_do_not_go_together(table, keys, expected):
    found = faults(document(table, **{"server": '"mx.example.com"', **keys}))
    title = '[[account]] "Sales", ' if table == "account" else "[ndr], "
    told = [fault.partition(title)[2] for fault in found]
    assert len(told) == len(expected)
    assert all(map(str.startswith, told, expected))


def test_what_is_faulty_itself_breaks_no_rule_besides():
    text = document(username="5", password='"x"', server='"127.0.0.1"', port='"2500"', name="7")
    text += '\n[ndr]\nrecipient = "both"\npostmaster = 5'
    assert [fault.split(": ")[0] for fault in faults(text)] == [
        "multisendcon.toml, line 2, [[account]] number 1, name",
        "multisendcon.toml, line 4, [[account]] number 1, username",
        "multisendcon.toml, line 6, [[account]] number 1, port",
        "multisendcon.toml, line 9, [ndr], postmaster",
    ]


def test_secrets_are_in_no_representation():
    for table in ("account", "ndr"):
        login = {"username": '"u"', "password": f'"{PASSWORD}"'}
        configuration = read(document(table, server='"mx.example.com"', **login))
        assert "username='u'" in repr(configuration)
        assert PASSWORD not in repr(configuration)


@pytest.mark.parametrize(
    "line",
    [
        f'passwort = "{PASSWORD}"',
        f'password = "{PASSWORD}"',
        f'password = "{PASSWORD}\\t"',
        f'password = ["{PASSWORD}"]',
        f'password = {{ file = "known", text = "{PASSWORD}" }}',
        f'password = {{ text = "{PASSWORD}" }}',
        f'password = "{PASSWORD}',
        f"password = {PASSWORD}",
        f'password = "{PASSWORD}\\q"',
        f'password = "{PASSWORD}" "{PASSWORD}"',
        f'password = "{PASSWORD}"\npassword = "{PASSWORD}"',
    ],
)
def test_secrets_are_in_no_fault(line):
    told = faults(document() + "\n" + line)
    assert told
    assert PASSWORD not in "\n".join(told)


scalars = (
    st.text()
    | st.integers()
    | st.floats()
    | st.booleans()
    | st.datetimes()
    | st.dates()
    | st.just(datetime.time(1))
    | st.sampled_from(
        ["tcp:25", "known", "a@b.example", "*@b.example", "<>", "5m", "1 MiB", "both"]
    )
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=2),
)


def some_of(table):
    """Tables with known keys, and unknown ones now and then."""
    known = st.fixed_dictionaries({}, optional=dict.fromkeys(table.keys, values))
    return known | st.dictionaries(st.text(), values, max_size=2) | values


documents = st.fixed_dictionaries(
    {"account": st.lists(some_of(TABLES["account"]), max_size=3) | values},
    optional={name: some_of(table) for name, table in TABLES.items() if name != "account"}
    | {"unknown": values},
)


@settings(max_examples=300, deadline=None)
@given(documents)
def test_any_document_gives_a_configuration_or_a_configuration_error(document):
    try:
        result = configuration.read(document, "", ORIGIN, Paper())
        told = []
    except ConfigurationError as error:
        result, told = None, error.faults
    assert isinstance(result, Configuration) != bool(told)
    for fault in told:
        assert fault.startswith(ORIGIN)
        assert len(fault.splitlines()) == 1


@given(st.text() | st.text("[]{}.,=#\"'\\\n abt059:-_", max_size=60))
def test_any_text_gives_a_configuration_or_a_configuration_error(text):
    for whole in (text, document() + "\n" + text):
        told = faults(whole)
        assert all(fault.startswith(ORIGIN) for fault in told)


# What has to be installed.


class WithoutExtras(Paper):
    def check_module(self, name, extra):
        raise InvalidValueError(f"needs {name} of {extra}")


def test_what_metrics_need_is_looked_for_only_if_there_are_to_be_any():
    assert read(document(), WithoutExtras()).metrics is None
    assert read(document("metrics")).metrics is not None
    assert faults(document("metrics"), WithoutExtras()) == [
        "multisendcon.toml, line 4, [metrics]: needs prometheus_client of metrics"
    ]


def test_this_machine_says_how_to_install_what_is_missing():
    here = ThisMachine(Path.cwd())
    here.check_module("json", "metrics")
    with pytest.raises(InvalidValueError) as caught:
        here.check_module("no_such_module", "metrics")
    assert caught.value.args == (
        "needs no_such_module, which is not installed; run: pip install 'multisendcon[metrics]'",
    )
    with pytest.raises(InvalidValueError, match="needs its library, which is not installed"):
        here.check_module("no_such_module", "metrics", "its library")
