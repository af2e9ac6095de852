"""Every kind of value: what it takes, what it makes of it, and how it refuses the rest."""

from __future__ import annotations

import contextlib
from ipaddress import ip_network

import pytest
from configuration_examples import PASSWORD, Paper, document, faults, read
from hypothesis import given
from hypothesis import strategies as st

from multisendcon_plugin.account import Tls
from multisendcon_plugin.configuration import BareLf, MinimumTls, ReportTo
from multisendcon_plugin.configuration.faults import Unfit
from multisendcon_plugin.configuration.quantities import duration, size
from multisendcon_plugin.masks import Masks

MIB = 1024 * 1024
CONTROL = "holds a control character; write plain text on one line"
DURATION = 'is not a duration; write a number of seconds, or for example "90s", "5m", "4h" or "3d"'
SIZE = 'is not a size; write a number of bytes, or for example "512 KiB", "50 MiB" or "1 GiB"'
HOST = 'is not a host name or IP address; write for example "smtp.example.com"'
DOMAIN = 'is not a domain; write for example "mail.example.com"'
HELO = (
    'is not a domain or an address literal; write for example "mail.example.com", "[192.0.2.1]"'
    ' or "[IPv6:2001:db8::1]"'
)
NETWORK = 'is not an address or network; write for example "192.0.2.7" or "192.0.2.0/24"'
TLS = 'is not known; write "auto", "implicit", "starttls", "opportunistic" or "none"'
SECRET = (
    'not a password; write "text" or one of { file = "PATH" }, { env = "NAME" },'
    ' { credential = "NAME" }'
)
ENDPOINT = (
    "is not an endpoint; begin it with one of tcp, tcp6, ssl, tls, unix, systemd, haproxy{},"
    ' for example "tcp:port=2500:interface=127.0.0.1"'
)
LISTEN_PORT = "write a number from 1 to 65535, or 0 to let the system choose"
LISTEN_INTERFACE = (
    "write an address of this machine, the colons of an IPv6 address with backslashes:"
    r" '\:\:1'"
)

BAD = [
    ("master_relay", "listen", "'tcp:2500'", ['"tcp:2500" is not a list; write ["tcp:2500"]']),
    ("master_relay", "listen", "25", ["25 is not a list; write it in [ ]"]),
    ("master_relay", "listen", "[]", ["the list is empty; write at least one value in it"]),
    ("master_relay", "listen", "[25]", ["25 is not text; write it in quotes"]),
    ("master_relay", "listen", "['tpc:25']", [f'"tpc:25" {ENDPOINT.format(" (nearest: tcp)")}']),
    ("master_relay", "listen", "['127.0.0.1']", [f'"127.0.0.1" {ENDPOINT.format("")}']),
    ("master_relay", "listen", "['port=25']", [f'"port=25" {ENDPOINT.format("")}']),
    ("master_relay", "listen", "['tcp']", ['"tcp" has no port; write tcp:port=...']),
    (
        "master_relay",
        "listen",
        "['haproxy:tcp']",
        ['"haproxy:tcp" has no port; write tcp:port=...'],
    ),
    ("master_relay", "listen", "['unix']", ['"unix" has no address; write unix:address=...']),
    ("master_relay", "listen", "['tls']", ['"tls" has no path; write tls:path=...']),
    (
        "master_relay",
        "listen",
        "['systemd']",
        ['"systemd" has no domain; write systemd:domain=...'],
    ),
    (
        "master_relay",
        "listen",
        "['tcp:65536']",
        [f'"tcp:65536" has the port "65536"; {LISTEN_PORT}'],
    ),
    ("master_relay", "listen", "['tcp:port=x']", [f'"tcp:port=x" has the port "x"; {LISTEN_PORT}']),
    ("master_relay", "listen", "['tcp:-1']", [f'"tcp:-1" has the port "-1"; {LISTEN_PORT}']),
    ("master_relay", "listen", "['tcp:٢٥']", [f'"tcp:٢٥" has the port "٢٥"; {LISTEN_PORT}']),
    (
        "master_relay",
        "listen",
        "['tcp:25:interface=eth0']",
        [f'"tcp:25:interface=eth0" has the interface "eth0"; {LISTEN_INTERFACE}'],
    ),
    (
        "master_relay",
        "listen",
        "['tcp6:25:interface=2001:db8::1']",
        [
            (
                '"tcp6:25:interface=2001:db8::1" has too many parts; the colons of an IPv6 address'
                r" need backslashes, for example 'tcp6:port=2500:interface=\:\:1'"
            )
        ],
    ),
    (
        "master_relay",
        "listen",
        "['tcp:prot=25', 'tcp:25:x=y']",
        [
            (
                '"tcp:prot=25" has an unknown part prot; tcp knows port, interface, backlog'
                " (nearest: port)"
            ),
            '"tcp:25:x=y" has an unknown part x; tcp knows port, interface, backlog',
        ],
    ),
    (
        "master_relay",
        "listen",
        r"['tcp:25\']",
        [r'"tcp:25\\" ends in a backslash; write it without'],
    ),
    (
        "master_relay",
        "allow",
        '["10.0.0.5/8"]',
        [
            (
                '"10.0.0.5/8" has host bits set; write "10.0.0.0/8" for the network or "10.0.0.5"'
                " for the one address"
            )
        ],
    ),
    (
        "master_relay",
        "allow",
        '["x", "::1", ""]',
        [f'"x" {NETWORK}', '"" is empty; write a value or leave the key out'],
    ),
    ("master_relay", "allow", '["10.0.0.0/33"]', [f'"10.0.0.0/33" {NETWORK}']),
    ("master_relay", "hostname", '"a b"', [f'"a b" {DOMAIN}']),
    ("master_relay", "hostname", '"-a.example"', [f'"-a.example" {DOMAIN}']),
    ("master_relay", "hostname", '"a_b.example"', [f'"a_b.example" {DOMAIN}']),
    ("master_relay", "hostname", '"a..example"', [f'"a..example" {DOMAIN}']),
    ("master_relay", "hostname", '"192.0.2.1"', [f'"192.0.2.1" {DOMAIN}']),
    ("master_relay", "hostname", r'"a\r\nb"', [rf'"a\u000d\u000ab" {CONTROL}']),
    (
        "master_relay",
        "hostname",
        '"bücher.example"',
        ['"bücher.example" is not ASCII; write "xn--bcher-kva.example"'],
    ),
    (
        "master_relay",
        "hostname",
        f'"{"a." * 127}example"',
        [f'"{"a." * 100}..." is longer than 255 characters; write a shorter one'],
    ),
    ("master_relay", "max_message_size", '"50 MB/s"', [f'"50 MB/s" {SIZE}']),
    ("master_relay", "max_message_size", '"50"', [f'"50" {SIZE}']),
    ("master_relay", "max_message_size", '"50 iB"', [f'"50 iB" {SIZE}']),
    ("master_relay", "max_message_size", "0", [f"0 {SIZE}"]),
    ("master_relay", "max_message_size", "-1", [f"-1 {SIZE}"]),
    ("master_relay", "max_message_size", "1.5", [f"1.5 {SIZE}"]),
    ("master_relay", "max_message_size", "true", [f"true {SIZE}"]),
    (
        "master_relay",
        "max_message_size",
        '"1025 GiB"',
        ['"1025 GiB" is too large; write at most "1024 GiB"'],
    ),
    (
        "master_relay",
        "max_message_size",
        "0x" + "f" * 5000,
        ['this number is too large; write at most "1024 GiB"'],
    ),
    ("master_relay", "max_recipients", "0", ["0 is not a count; write a number from 1 to 1000000"]),
    *(
        ("master_relay", key, "0", ["0 is not a count; write a number from 1 to 1000000"])
        for key in ("max_connections_per_address", "max_errors", "max_received")
    ),
    *(
        ("master_relay", key, "0", ["0 is too short; write a duration of more than 0 seconds"])
        for key in ("idle_timeout", "transaction_timeout")
    ),
    (
        "master_relay",
        "max_command_line",
        "2047",
        ['2047 is too short for some commands; write at least "2 KiB"'],
    ),
    ("master_relay", "max_command_line", "0", [f"0 {SIZE}"]),
    ("master_relay", "max_header_size", "0", [f"0 {SIZE}"]),
    ("master_relay", "submission_help", "1", ["1 is not a boolean; write true or false"]),
    ("client", "addresses", "", ["is missing; every client needs it"]),
    ("client", "addresses", "[]", ["the list is empty; write at least one value in it"]),
    ("client", "addresses", '["scanner"]', [f'"scanner" {NETWORK}']),
    (
        "client",
        "bare_lf",
        '"fixed"',
        ['"fixed" is not known; write "refuse" or "fix" (nearest: "fix")'],
    ),
    (
        "client",
        "minimum_tls",
        '"1.3"',
        ['"1.3" is not known; write "1.0", "1.1" or "1.2" (nearest: "1.2")'],
    ),
    ("client", "minimum_tls", "1.0", ['1.0 is not known; write "1.0", "1.1" or "1.2"']),
    ("client", "tolerant", "1", ["1 is not a boolean; write true or false"]),
    ("client", "starttls", '"no"', ['"no" is not a boolean; write true or false']),
    ("client", "submission_help", '"yes"', ['"yes" is not a boolean; write true or false']),
    (
        "master_relay",
        "max_connections",
        "true",
        ["true is not a count; write a number from 1 to 1000000"],
    ),
    ("spool", "path", '""', ['"" is empty; write a value or leave the key out']),
    ("spool", "path", r'"a\u0000"', [rf'"a\u0000" {CONTROL}']),
    ("spool", "path", "2024-01-02", ["2024-01-02 is not text; write it in quotes"]),
    (
        "delivery",
        "max_connections",
        "2.0",
        ["2.0 is not a count; write a number from 1 to 1000000"],
    ),
    ("delivery", "retry", "[]", ["the list is empty; write at least one value in it"]),
    ("delivery", "retry", '"5m"', ['"5m" is not a list; write ["5m"]']),
    (
        "delivery",
        "retry",
        '["5m", 0, "soon"]',
        ["0 is too short; write a duration of more than 0 seconds", f'"soon" {DURATION}'],
    ),
    ("delivery", "give_up_after", "0", ["0 is too short; write a duration of more than 0 seconds"]),
    ("delivery", "give_up_after", '"3651d"', ['"3651d" is too long; write at most "3650d"']),
    ("delivery", "give_up_after", "inf", ['inf is too long; write at most "3650d"']),
    ("delivery", "give_up_after", "1e999", ['inf is too long; write at most "3650d"']),
    ("delivery", "warn_after", "nan", [f"nan {DURATION}"]),
    ("delivery", "warn_after", "-1", [f"-1 {DURATION}"]),
    ("delivery", "warn_after", "-inf", [f"-inf {DURATION}"]),
    ("delivery", "warn_after", '"4"', [f'"4" {DURATION}']),
    ("delivery", "warn_after", '"4 weeks"', [f'"4 weeks" {DURATION}']),
    ("delivery", "warn_after", "false", [f"false {DURATION}"]),
    ("delivery", "warn_after", "{}", [f"a table {DURATION}"]),
    (
        "ndr",
        "recipient",
        '"postmastr"',
        [
            (
                '"postmastr" is not known; write "sender", "postmaster" or "both"'
                ' (nearest: "postmaster")'
            )
        ],
    ),
    ("ndr", "recipient", "1", ['1 is not known; write "sender", "postmaster" or "both"']),
    ("ndr", "recipient", '"both"', ['"both" needs the postmaster\'s address; write postmaster']),
    (
        "ndr",
        "recipient",
        '"postmaster"',
        ['"postmaster" needs the postmaster\'s address; write postmaster'],
    ),
    (
        "ndr",
        "postmaster",
        '"postmaster"',
        ['"postmaster" is not a mail address: an address has the form user@domain'],
    ),
    ("ndr", "sender", '""', ['"" is empty; write a value or leave the key out']),
    (
        "ndr",
        "sender",
        r'"a@example.com\nBcc: b@example.com"',
        [rf'"a@example.com\u000aBcc: b@example.com" {CONTROL}'],
    ),
    ("ndr", "server", '"a b"', [f'"a b" {HOST}']),
    ("ndr", "port", "0", ["0 is not a port; write a number from 1 to 65535"]),
    ("ndr", "username", '"u"', ["has no password; write password, or leave both out"]),
    ("ndr", "password", f'"{PASSWORD}"', ["has no username; write username, or leave both out"]),
    ("account", "name", '" "', ['" " is empty; write a value or leave the key out']),
    ("account", "name", "", ["is missing; every account needs it"]),
    ("account", "name", r'"a\u2028b"', [rf'"a\u2028b" {CONTROL}']),
    ("account", "server", "", ["is missing; every account needs it"]),
    ("account", "server", '"smtp.example.com:25"', [f'"smtp.example.com:25" {HOST}']),
    ("account", "server", '"192.0.2.300"', [f'"192.0.2.300" {HOST}']),
    ("account", "port", "70000", ["70000 is not a port; write a number from 1 to 65535"]),
    ("account", "port", "true", ["true is not a port; write a number from 1 to 65535"]),
    (
        "account",
        "port",
        '"25"',
        ['"25" is not a port; write a number from 1 to 65535, without quotes'],
    ),
    ("account", "username", '"u"', ["has no password; write password, or leave both out"]),
    ("account", "username", r'"u\u0000"', [rf'"u\u0000" {CONTROL}']),
    (
        "account",
        "password",
        f'"{PASSWORD}"',
        ["has no username; write username, or leave both out"],
    ),
    ("account", "password", f'{{ text = "{PASSWORD}" }}', [SECRET]),
    ("account", "password", '{ file = "known", env = "known" }', [SECRET]),
    ("account", "password", "{}", [SECRET]),
    ("account", "password", "5", [SECRET]),
    ("account", "password", f'["{PASSWORD}"]', [SECRET]),
    ("account", "password", "{ file = 5 }", ["5 is not text; write it in quotes"]),
    ("account", "password", '{ file = "gone" }', ["gone cannot be read"]),
    ("account", "password", '{ env = "gone" }', ["gone cannot be read"]),
    ("account", "password", '{ credential = "gone" }', ["gone cannot be read"]),
    (
        "account",
        "password",
        rf'"{PASSWORD}\n"',
        ["the password holds a control character; write plain text on one line"],
    ),
    (
        "account",
        "local_address",
        '"eth0"',
        [
            (
                '"eth0" is not an IP address; write one of this machine, for example "192.0.2.10"'
                ' or "2001:db8::10"'
            )
        ],
    ),
    ("account", "local_address", "3221225994", ["3221225994 is not text; write it in quotes"]),
    ("account", "helo_domain", '"a b"', [f'"a b" {HELO}']),
    ("account", "helo_domain", '"[::1]"', [f'"[::1]" {HELO}']),
    ("account", "helo_domain", '"[IPv6:192.0.2.1]"', [f'"[IPv6:192.0.2.1]" {HELO}']),
    ("account", "helo_domain", '"[IPv6:fe80::1%eth0]"', [f'"[IPv6:fe80::1%eth0]" {HELO}']),
    (
        "account",
        "helo_domain",
        '"192.0.2.1"',
        ['"192.0.2.1" is a bare address; write "[192.0.2.1]"'],
    ),
    (
        "account",
        "helo_domain",
        '"2001:DB8::1"',
        ['"2001:DB8::1" is a bare address; write "[IPv6:2001:db8::1]"'],
    ),
    ("account", "minimum_wait", "-0.5", [f"-0.5 {DURATION}"]),
    (
        "account",
        "senders",
        '["example.com", "*@example.com", "@example.org"]',
        [
            '"example.com" is not a mask: write "*@example.com" for everyone in that domain',
            '"@example.org" is not a mask: write "*@example.org" for everyone in that domain',
        ],
    ),
    (
        "account",
        "senders",
        "[]",
        ["no mask is left; write at least one, or leave the key out to admit all"],
    ),
    (
        "account",
        "senders",
        '","',
        ["no mask is left; write at least one, or leave the key out to admit all"],
    ),
    ("account", "senders", "5", ["5 is not a list; write it in [ ]"]),
    ("account", "recipients", r'["*@a\r\n.example"]', [rf'"*@a\u000d\u000a.example" {CONTROL}']),
    (
        "account",
        "fixed_sender",
        '"sales"',
        ['"sales" is not a mail address: an address has the form user@domain'],
    ),
    (
        "account",
        "fixed_sender_unless_private",
        '"yes"',
        ['"yes" is not a boolean; write true or false'],
    ),
    ("account", "tls", '"startls"', [f'"startls" {TLS} (nearest: "starttls")']),
    ("account", "tls", '"STARTTLS"', [f'"STARTTLS" {TLS} (nearest: "starttls")']),
    ("account", "tls", "false", [f"false {TLS}"]),
    ("account", "tls_verify", "1", ["1 is not a boolean; write true or false"]),
    ("account", "tls_ca", '"gone"', ["gone cannot be read"]),
    ("account", "max_connections", "0", ["0 is not a count; write a number from 1 to 1000000"]),
    ("account", "fallback", '"Backup"', ['"Backup" is not a list; write ["Backup"]']),
    ("account", "fallback", '["Sales"]', ["names the account itself; name another"]),
    ("account", "fallback", '["Backup"]', ['there is no account "Backup"; name another account']),
    ("account", "fallback", '["sale"]', ['there is no account "sale"; did you mean "Sales"?']),
    ("account", "enabled", "0", ["0 is not a boolean; write true or false"]),
]


@pytest.mark.parametrize(("table", "key", "value", "reasons"), BAD)
def test_a_bad_value_is_told_with_its_place_and_what_would_be_right(table, key, value, reasons):
    text = document(table, **{key: value})
    if table == "client":
        place = f"line {6 if key != 'addresses' else 5 if value else 4}, [[client]] number 1"
    elif table != "account":
        place = f"line 5, [{table}]"
    elif key == "name":
        title = "number 1" if not value else f'"{value[1:-1]}"'
        place = f"line {2 if value else 1}, [[account]] {title}"
    else:
        line = {"name": 2, "server": 3 if value else 1}.get(key, 4)
        place = f'line {line}, [[account]] "Sales"'
    assert faults(text) == [f"multisendcon.toml, {place}, {key}: {reason}" for reason in reasons]


GOOD = [
    ("master_relay", "listen", r"['haproxy:tcp:2500:127.0.0.1', 'tcp6:25:interface=\:\:1']",
     ("haproxy:tcp:2500:127.0.0.1", r"tcp6:25:interface=\:\:1")),
    ("master_relay", "listen", "['tcp:port=0', 'tcp:65535', 'unix:/run/x', 'tls:/etc/certs']",
     ("tcp:port=0", "tcp:65535", "unix:/run/x", "tls:/etc/certs")),
    ("master_relay", "listen", "['systemd:domain=INET:name=smtp']",
     ("systemd:domain=INET:name=smtp",)),
    ("master_relay", "listen", "['ssl:465:privateKey=a=b.pem']", ("ssl:465:privateKey=a=b.pem",)),
    ("master_relay", "allow", '["10.0.0.0/8", "2001:db8::7"]',
     (ip_network("10.0.0.0/8"), ip_network("2001:db8::7"))),
    ("master_relay", "hostname", '"Relay-1.example.com"', "Relay-1.example.com"),
    ("master_relay", "hostname", '"localhost"', "localhost"),
    ("master_relay", "max_message_size", "1024", 1024),
    ("master_relay", "max_message_size", '"1.5MiB"', MIB * 3 // 2),
    ("master_relay", "max_message_size", '"2 MB"', 2_000_000),
    ("master_relay", "max_recipients", "1", 1),
    ("master_relay", "max_connections_per_address", "1000000", 1_000_000),
    ("master_relay", "max_errors", "1", 1),
    ("master_relay", "max_command_line", '"2 KiB"', 2048),
    ("master_relay", "idle_timeout", "0.5", 0.5),
    ("master_relay", "transaction_timeout", '"1d"', 86400.0),
    ("master_relay", "max_header_size", "1", 1),
    ("master_relay", "max_received", "1", 1),
    ("master_relay", "submission_help", "true", True),
    ("client", "addresses", '["192.0.2.7", "2001:db8::/32"]',
     (ip_network("192.0.2.7"), ip_network("2001:db8::/32"))),
    ("client", "bare_lf", '"fix"', BareLf.FIX),
    ("client", "bare_lf", '"refuse"', BareLf.REFUSE),
    ("client", "minimum_tls", '"1.0"', MinimumTls.TLS_1_0),
    ("client", "minimum_tls", '"1.1"', MinimumTls.TLS_1_1),
    ("client", "starttls", "false", False),
    ("client", "tolerant", "true", True),
    ("client", "submission_help", "true", True),
    ("spool", "path", '"spool"', "/base/spool"),
    ("delivery", "retry", '["5m", 7.5]', (300.0, 7.5)),
    ("delivery", "give_up_after", '"3650d"', 3650 * 86400.0),
    ("delivery", "warn_after", "0", 0.0),
    ("ndr", "recipient", '"sender"', ReportTo.SENDER),
    ("ndr", "postmaster", '"pm@example.com"', "pm@example.com"),
    ("ndr", "postmaster", '""', ""),
    ("ndr", "server", '"::1"', "::1"),
    ("ndr", "username", '""', ""),
    ("ndr", "password", '""', ""),
    ("account", "server", '"mail_server"', "mail_server"),
    ("account", "server", '"192.0.2.1"', "192.0.2.1"),
    ("account", "port", "65535", 65535),
    ("account", "local_address", '"2001:DB8:0::10"', "2001:db8::10"),
    ("account", "helo_domain", '"[192.0.2.1]"', "[192.0.2.1]"),
    ("account", "helo_domain", '"[IPv6:2001:db8::1]"', "[IPv6:2001:db8::1]"),
    ("account", "minimum_wait", '"1.5s"', 1.5),
    ("account", "senders", '" *@a.example, b@a.example,"',
     Masks.parse(["*@a.example", "b@a.example"])),
    ("account", "recipients", '["!a@a.example", "<>"]', Masks.parse(["!a@a.example", "<>"])),
    ("account", "fixed_sender", '"a@a.example"', "a@a.example"),
    ("account", "tls", '"none"', Tls.NONE),
    ("account", "tls_verify", "false", False),
    ("account", "tls_ca", '"known"', "/base/known"),
    ("account", "fallback", "[]", ()),
]  # fmt: skip


@pytest.mark.parametrize(("table", "key", "value", "expected"), GOOD)
def test_a_good_value_is_converted(table, key, value, expected):
    configuration = read(document(table, **{key: value}))
    arrays = {"account": configuration.accounts, "client": configuration.clients}
    owner = arrays[table][0] if table in arrays else getattr(configuration, table)
    assert getattr(owner, key) == expected


@pytest.mark.parametrize(
    "password",
    [f'"{PASSWORD}"', '{ file = "known" }', '{ env = "known" }', '{ credential = "known" }'],
)
def test_a_password_comes_from_the_text_or_from_the_place_that_is_named(password):
    configuration = read(document(username='"u"', password=password))
    assert configuration.accounts[0].password == PASSWORD
    configuration = read(document("ndr", username='"u"', password=password))
    assert configuration.ndr.password == PASSWORD


@pytest.mark.parametrize(
    ("secret", "reason"),
    [
        ("", 'the file "known" holds no password'),
        ("a\tb", "the password holds a control character; write plain text on one line"),
        ("a\udc80", "the password holds a control character; write plain text on one line"),
    ],
)
def test_a_place_without_a_usable_password_is_told(secret, reason):
    text = document(username='"u"', password='{ file = "known" }')
    assert faults(text, Paper(secret=secret)) == [
        f'multisendcon.toml, line 5, [[account]] "Sales", password: {reason}'
    ]


@given(st.integers(0, 3650), st.sampled_from([("s", 1), ("m", 60), ("h", 3600), ("d", 86400)]))
def test_durations_with_a_unit_are_that_many_seconds(number, unit):
    assert duration(f"{number}{unit[0]}") == duration(number * unit[1]) == number * unit[1]


@given(
    st.integers(1, 1024),
    st.sampled_from(["B", "KB", "MB", "GB", "KiB", "MiB", "GiB"]),
    st.sampled_from(["", " "]),
)
def test_sizes_with_a_unit_are_that_many_bytes(number, unit, space):
    factor = (1024 if "i" in unit else 1000) ** "BKMG".index(unit[0])
    assert size(f"{number}{space}{unit}") == size(number * factor) == number * factor


@given(st.text() | st.from_regex(r"\d* ?[a-zA-Z\u212a]{0,3}") | st.integers() | st.floats())
def test_any_duration_or_size_is_a_finite_number_or_unfit(value):
    for convert, lowest in ((duration, 0), (size, 1)):
        with contextlib.suppress(Unfit):
            assert lowest <= convert(value) <= 2**40
