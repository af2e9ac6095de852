"""Every kind of value: what it takes, what it makes of it, and how it refuses the rest."""

from __future__ import annotations

import contextlib
from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multisendcon_plugin.configuration.tables import TABLES
from multisendcon_plugin.mail.masks import Masks
from multisendcon_plugin.outcome.failure import Meaning, own_rule
from multisendcon_plugin.routing.account import Auth, NullSender
from multisendcon_plugin.routing.hop import Tls
from multisendcon_plugin.settings.dns import NameServer, name_server
from multisendcon_plugin.settings.quantities import Room, duration, size
from multisendcon_plugin.settings.values import BareLf, HeaderFrom, MinimumTls, ReportTo
from multisendcon_plugin.settings.words import InvalidValueError
from tests.configuration.examples import PASSWORD, REPEATED, Paper, document, faults, read

MIB = 1024 * 1024
CONTROL = "contains a control character; write plain text on one line"
NO_ROOM = 'is no part of a disk; write for example "5%" or "10 GiB", or 0 for none'
DURATION = 'is not a duration; write a number of seconds, or for example "90s", "5m", "4h" or "3d"'
SIZE = 'is not a size; write a number of bytes, or for example "512 KiB", "50 MiB" or "1 GiB"'
HOST = 'is not a host name or IP address; write for example "smtp.example.com"'
DOMAIN_MASK = (
    'is not a domain; write for example "example.com", or "*.example.com" for all its subdomains'
)
DOMAIN = 'is not a domain; write for example "mail.example.com"'
HELO = (
    'is not a domain or an address literal; write for example "mail.example.com", "[192.0.2.1]"'
    ' or "[IPv6:2001:db8::1]"'
)
NETWORK = 'is not an address or network; write for example "192.0.2.7" or "192.0.2.0/24"'
TLS = 'is not known; write "auto", "implicit", "starttls", "opportunistic" or "none"'
AUTH = 'is not known; write "auto", "plain", "login", "cram-md5", "xoauth2" or "oauthbearer"'
FINGERPRINT = (
    'is not a fingerprint; write "sha256:" and the 64 hexadecimal digits that'
    ' "openssl x509 -noout -fingerprint -sha256" shows'
)
SECRET = (
    'not a password; write "text" or one of { file = "PATH" }, { env = "NAME" },'
    ' { credential = "NAME" }, { command = ["PROGRAM", "ARGUMENT"] }'
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

NAME_SERVER = (
    'is not the address of a DNS server; write for example "127.0.0.1", "192.0.2.53:5353" or'
    ' "[2001:db8::53]:53"'
)
ROW = '{ code = "550", text = "sending limit", means = "quota" }'
MEANS = (
    'is not known; write "quota", "slow", "login", "account", "defer" or "fail" (nearest: "quota")'
)
CODE = (
    "is not the code of a refusal; write three digits from 400 to 599, with a dot for any digit,"
    ' for example "550" or "55."'
)

BAD = [
    *(
        ("dns", "servers", f'["{server}"]', [f'"{server}" {NAME_SERVER}'])
        for server in (
            *("ns.example.com", "192.0.2.1:0", "192.0.2.1:65536", "192.0.2.1:x", "192.0.2.1:"),
            *("[192.0.2.1]:53", "[2001:db8::1]53", "[::1", "192.0.2.256", "1.2.3", "٢٥.0.0.1"),
        )
    ),
    ("dns", "servers", '"127.0.0.1"', ['"127.0.0.1" is not a list; write ["127.0.0.1"]']),
    (
        "client",
        "max_mails_per_minute",
        "-1",
        ["-1 is not a count; write a number from 0 to 1000000"],
    ),
    (
        "client",
        "senders",
        "[]",
        ["there is no mask; write at least one, or leave the key out to match everyone"],
    ),
    ("master_relay", "header_from", '"sender"', ['"sender" is not known; write "any" or "match"']),
    ("master_relay", "proxies", '"::1"', ['"::1" is not a list; write ["::1"]']),
    ("master_relay", "listen", "'tcp:2500'", ['"tcp:2500" is not a list; write ["tcp:2500"]']),
    ("master_relay", "listen", "25", ["25 is not a list; put it in [ ]"]),
    ("master_relay", "listen", "[]", ["the list is empty; it needs at least one value"]),
    ("master_relay", "listen", "[25]", ["25 is not text; put it in quotes"]),
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
                '"tcp6:25:interface=2001:db8::1" has too many parts; colons in an IPv6 address'
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
                '"tcp:prot=25" has an unknown parameter prot; tcp takes port, interface, backlog'
                " (nearest: port)"
            ),
            '"tcp:25:x=y" has an unknown parameter x; tcp takes port, interface, backlog',
        ],
    ),
    (
        "master_relay",
        "listen",
        "['unix:/run/x:mode=rw', 'unix:/run/x:888']",
        [
            '"unix:/run/x:mode=rw" has the mode "rw"; write three octal digits, for example 660',
            '"unix:/run/x:888" has the mode "888"; write three octal digits, for example 660',
        ],
    ),
    (
        "master_relay",
        "listen",
        r"['tcp:25\']",
        [r'"tcp:25\\" ends with a backslash; remove it'],
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
    ("master_relay", "smtputf8", '"no"', ['"no" is not a boolean; write true or false']),
    ("client", "addresses", "", ["is missing; every client needs it"]),
    ("client", "addresses", "[]", ["the list is empty; it needs at least one value"]),
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
    *(
        ("spool", "min_free", value, [f"{value} {NO_ROOM}"])
        for value in (
            '"100%"',
            '"-1%"',
            '"5"',
            '"five"',
            "-1",
            "0.05",
            "false",
            '"2000 GiB"',
            '"%"',
        )
    ),
    ("spool", "path", "2024-01-02", ["2024-01-02 is not text; put it in quotes"]),
    (
        "delivery",
        "max_connections",
        "2.0",
        ["2.0 is not a count; write a number from 1 to 1000000"],
    ),
    ("delivery", "retry", "[]", ["the list is empty; it needs at least one value"]),
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
    ("ndr", "recipient", '"both"', ['"both" needs the address of the postmaster; set postmaster']),
    (
        "ndr",
        "recipient",
        '"postmaster"',
        ['"postmaster" needs the address of the postmaster; set postmaster'],
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
    ("ndr", "username", '"u"', ["is set without password; set both or neither"]),
    (
        "ndr",
        "password",
        f'"{PASSWORD}"',
        ["is set without username; set both or neither"],
    ),
    ("account", "name", '" "', ['" " is empty; write a value or leave the key out']),
    ("account", "name", "", ["is missing; every account needs it"]),
    ("account", "name", r'"a\u2028b"', [rf'"a\u2028b" {CONTROL}']),
    (
        "account",
        "server",
        "",
        [
            (
                'is missing; every account needs it, but one of type = "direct", which finds'
                " servers in the DNS"
            )
        ],
    ),
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
    ("account", "username", '"u"', ["is set without password; set both or neither"]),
    ("account", "username", r'"u\u0000"', [rf'"u\u0000" {CONTROL}']),
    (
        "account",
        "password",
        f'"{PASSWORD}"',
        ["is set without username; set both or neither"],
    ),
    ("account", "password", f'{{ text = "{PASSWORD}" }}', [SECRET]),
    ("account", "password", '{ file = "known", env = "known" }', [SECRET]),
    ("account", "password", "{}", [SECRET]),
    ("account", "password", "5", [SECRET]),
    ("account", "password", f'["{PASSWORD}"]', [SECRET]),
    ("account", "password", "{ file = 5 }", ["5 is not text; put it in quotes"]),
    ("account", "password", '{ file = "gone" }', ["gone cannot be read"]),
    ("account", "password", '{ env = "gone" }', ["gone cannot be read"]),
    ("account", "password", '{ credential = "gone" }', ["gone cannot be read"]),
    ("account", "password", '{ command = ["gone"] }', ["gone cannot be read"]),
    ("account", "password", "{ command = [] }", ["the list is empty; it needs at least one value"]),
    ("account", "password", '{ command = "a" }', ['"a" is not a list; write ["a"]']),
    (
        "account",
        "password",
        rf'"{PASSWORD}\n"',
        ["the password contains a control character; write plain text on one line"],
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
    ("destination", "domains", "[]", ["the list is empty; it needs at least one value"]),
    (
        "destination",
        "domains",
        '"gmail.com"',
        ['"gmail.com" is not a list; write ["gmail.com"]'],
    ),
    *(
        ("destination", "domains", f'["{each}"]', [f'"{each}" {DOMAIN_MASK}'])
        for each in (
            *("*", "*.", "*@example.com", "a*.example", "a.*.example", "!a.example"),
            *("joe@a.example", "[192.0.2.1]", "192.0.2.1", "a..example", "a.example.", "a b"),
            *("\u2488com", "*.*.example", "\ufb01.example"),
        )
    ),
    ("destination", "max_connections", "0", ["0 is not a count; write a number from 1 to 1000000"]),
    ("account", "local_address", "3221225994", ["3221225994 is not text; put it in quotes"]),
    ("account", "local_address", "[]", ["the list is empty; it needs at least one value"]),
    (
        "account",
        "local_address",
        '["192.0.2.10", "192.0.2.11"]',
        [
            (
                '"192.0.2.11" is one IPv4 address too many; write one address, or one of each'
                ' family, for example ["192.0.2.10", "2001:db8::10"]'
            )
        ],
    ),
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
        ["there is no mask; write at least one, or leave the key out to match everyone"],
    ),
    (
        "account",
        "senders",
        '","',
        ["there is no mask; write at least one, or leave the key out to match everyone"],
    ),
    ("account", "senders", "5", ["5 is not a list; put it in [ ]"]),
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
    (
        "account",
        "fixed_sender_removes",
        '["X-Sender:", "X Sender", "Ünal", ""]',
        [
            f'"{name}" is not the name of a header field; write for example "X-Sender",'
            " without a colon"
            for name in ("X-Sender:", "X Sender", "Ünal")
        ]
        + ['"" is empty; write a value or leave the key out'],
    ),
    (
        "account",
        "fixed_sender_removes",
        '["REPLY-TO", "Resent-Sender"]',
        [
            f'"{name}" is never removed: the fixed sender has its own rule for it, or loops are'
            " found by it; leave it out"
            for name in ("REPLY-TO", "Resent-Sender")
        ],
    ),
    (
        "account",
        "null_sender",
        '"drop"',
        ['"drop" is not known; write "pass", "skip" or "replace"'],
    ),
    ("account", "tls", '"startls"', [f'"startls" {TLS} (nearest: "starttls")']),
    ("account", "tls", '"STARTTLS"', [f'"STARTTLS" {TLS} (nearest: "starttls")']),
    ("account", "tls", "false", [f"false {TLS}"]),
    ("account", "tls_verify", "1", ["1 is not a boolean; write true or false"]),
    ("account", "tls_ca", '"gone"', ["gone cannot be read"]),
    ("account", "tls_name", '"a b"', [f'"a b" {HOST}']),
    ("account", "tls_name", '""', ['"" is empty; write a value or leave the key out']),
    *[
        ("account", "tls_fingerprint", f'"{text}"', [f'"{text}" {FINGERPRINT}'])
        for text in (
            "0a" * 32,
            "sha256:" + "0a" * 31,
            "sha256:" + "0a" * 33,
            "sha256:" + "0g" * 32,
            "sha256:0:" + "0a" * 31 + "0",
            "sha256:" + "0a:" * 32,
            "sha1:" + "0a" * 20,
            "sha256:" + "0a " * 31 + "0a",
        )
    ],
    ("account", "tls_client_certificate", '"gone"', ["gone cannot be read"]),
    ("account", "tls_client_key", '"known"', ["has no certificate; write tls_client_certificate"]),
    ("account", "auth", '"xoauth"', [f'"xoauth" {AUTH} (nearest: "xoauth2")']),
    ("account", "auth", '"PLAIN"', [f'"PLAIN" {AUTH} (nearest: "plain")']),
    ("account", "max_connections", "0", ["0 is not a count; write a number from 1 to 1000000"]),
    ("account", "fallback", '"Backup"', ['"Backup" is not a list; write ["Backup"]']),
    ("account", "fallback", '["Sales"]', ["names the account itself; name another account"]),
    ("account", "fallback", '["Backup"]', ['there is no account "Backup"; name another account']),
    ("account", "fallback", '["sale"]', ['there is no account "sale"; did you mean "Sales"?']),
    ("account", "enabled", "0", ["0 is not a boolean; write true or false"]),
    ("account", "replies", "'550'", ['"550" is not a list; write ["550"]']),
    ("account", "replies", "['550']", [f'"550" is not a row; write for example {ROW}']),
    (
        "account",
        "replies",
        "[{}]",
        [
            "a row needs code, text or both, to say which replies it is for",
            f"a row needs means; write for example {ROW}",
        ],
    ),
    (
        "account",
        "replies",
        "[{ means = 'quota' }]",
        ["a row needs code, text or both, to say which replies it is for"],
    ),
    ("account", "replies", "[{ code = '550' }]", [f"a row needs means; write for example {ROW}"]),
    (
        "account",
        "replies",
        "[{ text = '', means = 'quota' }]",
        ['text: "" is empty; write a value or leave the key out'],
    ),
    ("account", "replies", "[{ text = 'x', means = 'quotas' }]", [f'means: "quotas" {MEANS}']),
    (
        "account",
        "replies",
        "[{ text = 'x', means = 'quota', phase = 'rcpt' }]",
        ['unknown key "phase" in a row; a row has code, text, means'],
    ),
    (
        "account",
        "replies",
        "[{ txt = 'x', code = '550', means = 'quota' }]",
        ['unknown key "txt" in a row; did you mean text?'],
    ),
    (
        "alarm",
        "webhook",
        '"https://joe:secret@hooks.example.com/x"',
        [
            (
                "has a name and a password before the host, which would not be sent; put a token"
                " into the path"
            )
        ],
    ),
    *(
        # It may hold a token.
        (
            "alarm",
            "webhook",
            address,
            ['is not an address on the web; write "https://", a host and a path, in quotes'],
        )
        for address in (
            '"hooks.example.com/x"',
            '"htps://hooks.example.com/x"',
            '"https://hooks.example.com:70000/x"',
            r'"https://hooks.example.com/x\n"',
            "['https://hooks.example.com/x']",
        )
    ),
    *(
        ("account", "replies", f"[{{ code = {code}, means = 'quota' }}]", [f"code: {shown} {CODE}"])
        for code, shown in [
            ("550", "550"),
            ("'250'", '"250"'),
            ("'55'", '"55"'),
            ("'5[05].'", '"5[05]."'),
            ("'5.7.1'", '"5.7.1"'),
            ("'...'", '"..."'),
        ]
    ),
]


@pytest.mark.parametrize(("table", "key", "value", "reasons"), BAD)
def test_a_bad_value_is_told_with_its_place_and_what_would_be_right(table, key, value, reasons):
    text = document(table, **{key: value})
    if table in REPEATED:
        line = 6 if key not in REPEATED[table] else 5 if value else 4
        place = f"line {line}, [[{table}]] number 1"
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
    ("master_relay", "listen", r"['haproxy:unix:/run/x', 'tcp6:25:interface=\:\:1']",
     ("haproxy:unix:/run/x", r"tcp6:25:interface=\:\:1")),
    ("master_relay", "listen", "['tcp:port=0', 'tcp:65535', 'unix:/run/x', 'tls:/etc/certs']",
     ("tcp:port=0", "tcp:65535", "unix:/run/x", "tls:/etc/certs")),
    ("master_relay", "listen", "['systemd:domain=INET:name=smtp']",
     ("systemd:domain=INET:name=smtp",)),
    ("master_relay", "listen", "['ssl:465:privateKey=a=b.pem']", ("ssl:465:privateKey=a=b.pem",)),
    ("master_relay", "allow", '["10.0.0.0/8", "2001:db8::7"]',
     (ip_network("10.0.0.0/8"), ip_network("2001:db8::7"))),
    ("master_relay", "proxies", "[]", ()),
    ("master_relay", "proxies", '["10.0.0.1"]', (ip_network("10.0.0.1"),)),
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
    ("master_relay", "smtputf8", "false", False),
    ("client", "addresses", '["192.0.2.7", "2001:db8::/32"]',
     (ip_network("192.0.2.7"), ip_network("2001:db8::/32"))),
    ("client", "senders", '["a@x.example", "<>"]', Masks.parse(["a@x.example", "<>"])),
    ("client", "max_mails_per_minute", "0", 0),
    ("client", "max_mails_per_minute", "30", 30),
    ("master_relay", "max_mails_per_minute_per_user", "0", 0),
    ("master_relay", "header_from", '"match"', HeaderFrom.MATCH),
    ("client", "bare_lf", '"fix"', BareLf.FIX),
    ("client", "bare_lf", '"refuse"', BareLf.REFUSE),
    ("client", "minimum_tls", '"1.0"', MinimumTls.TLS_1_0),
    ("client", "minimum_tls", '"1.1"', MinimumTls.TLS_1_1),
    ("client", "starttls", "false", False),
    ("client", "tolerant", "true", True),
    ("client", "submission_help", "true", True),
    ("spool", "path", '"spool"', "/base/spool"),
    ("spool", "min_free", '"5%"', Room(share=0.05)),
    ("spool", "min_free", '" 12.5 % "', Room(share=0.125)),
    ("spool", "min_free", '"0%"', Room()),
    ("spool", "min_free", '"10 GiB"', Room(octets=10 * 1024**3)),
    ("spool", "min_free", "1000", Room(octets=1000)),
    ("spool", "min_free", "0", Room()),
    ("delivery", "retry", '["5m", 7.5]', (300.0, 7.5)),
    ("delivery", "give_up_after", '"3650d"', 3650 * 86400.0),
    ("delivery", "warn_after", "0", 0.0),
    ("ndr", "recipient", '"sender"', ReportTo.SENDER),
    ("ndr", "postmaster", '"pm@example.com"', "pm@example.com"),
    ("ndr", "postmaster", '""', ""),
    ("destination", "domains", '["Mail.Example", "*.EXAMPLE", "a_b.example"]',
     ("mail.example", "*.example", "a_b.example")),
    ("destination", "domains", '["B\u00fccher.example", "*.b\u00fccher.example"]',
     ("xn--bcher-kva.example", "*.xn--bcher-kva.example")),
    ("destination", "domains", '["xn--bcher-kva.example", "example"]',
     ("xn--bcher-kva.example", "example")),
    ("destination", "max_connections", "1", 1),
    ("destination", "minimum_wait", '"1.5s"', 1.5),
    ("destination", "max_mails_per_connection", "50", 50),
    ("account", "server", '"mail_server"', "mail_server"),
    ("account", "server", '"::1"', "::1"),
    ("account", "username", '""', ""),
    ("account", "password", '""', ""),
    ("account", "server", '"192.0.2.1"', "192.0.2.1"),
    ("account", "port", "65535", 65535),
    ("account", "local_address", '"2001:DB8:0::10"', ("2001:db8::10",)),
    ("account", "local_address", '"0.0.0.0"', ("0.0.0.0",)),
    ("account", "local_address", '"::"', ("::",)),
    (
        "account",
        "local_address",
        '["192.0.2.10", "2001:DB8::10"]',
        ("192.0.2.10", "2001:db8::10"),
    ),
    ("account", "helo_domain", '"[192.0.2.1]"', "[192.0.2.1]"),
    ("account", "helo_domain", '"[IPv6:2001:db8::1]"', "[IPv6:2001:db8::1]"),
    ("account", "minimum_wait", '"1.5s"', 1.5),
    ("account", "senders", '" *@a.example, b@a.example,"',
     Masks.parse(["*@a.example", "b@a.example"])),
    ("account", "recipients", '["!a@a.example", "<>"]', Masks.parse(["!a@a.example", "<>"])),
    ("account", "fixed_sender", '"a@a.example"', "a@a.example"),
    ("account", "fixed_sender_removes", '["X-Mailer", "x"]', ("X-Mailer", "x")),
    ("dns", "servers", "[]", ()),
    ("dns", "servers", '["127.0.0.1", "192.0.2.1:5353"]',
     (NameServer("127.0.0.1"), NameServer("192.0.2.1", 5353))),
    ("dns", "servers", '["2001:DB8::53", "[2001:db8::1]", "[2001:db8::1]:5353"]',
     (NameServer("2001:db8::53"), NameServer("2001:db8::1"), NameServer("2001:db8::1", 5353))),
    ("dns", "trust_ad", "true", True),
    ("dns", "allow_private", "true", True),
    ("account", "fixed_sender_removes", "[]", ()),
    ("account", "null_sender", '"skip"', NullSender.SKIP),
    ("account", "tls", '"none"', Tls.NONE),
    ("account", "tls_verify", "false", False),
    ("account", "tls_ca", '"known"', "/base/known"),
    ("account", "tls_name", '"mx.example.com"', "mx.example.com"),
    ("account", "tls_name", '"192.0.2.1"', "192.0.2.1"),
    ("account", "tls_fingerprint", f'"sha256:{"0a" * 32}"', "0a" * 32),
    ("account", "tls_fingerprint", f'"SHA256:{":".join(["0A"] * 32)}"', "0a" * 32),
    ("account", "tls_client_certificate", '"known"', "/base/known"),
    ("account", "auth", '"cram-md5"', Auth.CRAM_MD5),
    ("account", "fallback", "[]", ()),
    ("account", "replies", "[]", ()),
    ("account", "replies", "[{ code = '55.', text = 'x', means = 'fail' }]",
     (own_rule(code="55.", text="x", means=Meaning.FAIL),)),
    ("account", "replies", "[{ code = '4..', means = 'slow' }, { text = 'y', means = 'defer' }]",
     (own_rule(code="4..", means=Meaning.SLOW), own_rule(text="y", means=Meaning.DEFER))),
]  # fmt: skip


@pytest.mark.parametrize(("table", "key", "value", "expected"), GOOD)
def test_a_good_value_is_converted(table, key, value, expected):
    configuration = read(document(table, **{key: value}))
    repeated = TABLES[table].repeated
    owner = getattr(configuration, f"{table}s")[0] if repeated else getattr(configuration, table)
    assert getattr(owner, key) == expected


@pytest.mark.parametrize("password", [f'"{PASSWORD}"', '{ env = "known" }'])
def test_a_password_is_the_text_or_an_environment_variable(password):
    assert read(document(username='"u"', password=password)).accounts[0].password == PASSWORD


@pytest.mark.parametrize(
    "password", ['{ file = "known" }', '{ credential = "known" }', '{ command = ["known", "x"] }']
)
def test_a_password_is_kept_in_the_place_that_is_named(password):
    stored = read(document(username='"u"', password=password)).accounts[0].password
    assert (stored.value, stored.read()) == (PASSWORD, PASSWORD)
    assert PASSWORD not in repr(stored)


@pytest.mark.parametrize(
    ("secret", "reason"),
    [
        ("", 'the file "known" contains no password'),
        ("a\tb", "the password contains a control character; write plain text on one line"),
        ("a\udc80", "the password contains a control character; write plain text on one line"),
    ],
)
def test_a_program_that_tells_no_usable_password_is_told(secret, reason):
    text = document(username='"u"', password='{ command = ["known", "c4nary"] }')
    [fault] = faults(text, Paper(secret=secret))
    assert fault.endswith(
        reason.replace("file", "program")
        .replace("contains", "tells")
        .replace("tells a", "contains a")
    )
    assert "c4nary" not in fault


@pytest.mark.parametrize(
    ("secret", "reason"),
    [
        ("", 'the file "known" contains no password'),
        ("a\tb", "the password contains a control character; write plain text on one line"),
        ("a\udc80", "the password contains a control character; write plain text on one line"),
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
        with contextlib.suppress(InvalidValueError):
            assert lowest <= convert(value) <= 2**40


@pytest.mark.parametrize(
    "server", ["127.0.0.1", "192.0.2.1:5353", "2001:db8::1", "[2001:db8::1]:5353"]
)
def test_a_dns_server_is_shown_as_it_is_written(server):
    assert str(name_server(server)) == server


@pytest.mark.parametrize(
    ("server", "is_here"),
    [("127.0.0.1", True), ("127.9.9.9:54", True), ("::1", True), ("192.0.2.1", False)],
)
def test_a_dns_server_may_be_on_this_machine(server, is_here):
    assert name_server(server).is_loopback is is_here
