"""What an account of type "direct" demands, and what a fault of it says."""

from __future__ import annotations

import pytest

from multisendcon_plugin import configuration
from multisendcon_plugin.routing.account import DIRECT_CONNECTIONS, AccountType
from multisendcon_plugin.routing.hop import Tls
from multisendcon_plugin.settings.words import InvalidValueError
from tests.configuration.examples import Paper, bound, document, faults, read

DIRECT = {"type": '"direct"', "server": ""}
PLACE = 'multisendcon.toml, line 4, [[account]] "Sales", '
FINGERPRINT = f'"sha256:{"ab" * 32}"'


def direct(**keys):
    return document(**(DIRECT | keys))


def warnings(text):
    return configuration.warnings(read(text), now=0)


def account(text):
    return read(text).accounts[0]


def test_it_needs_no_server():
    made = account(direct())
    assert (made.type, made.server, made.helo_domain) == (
        AccountType.DIRECT,
        "",
        "relay.example.com",
    )


def test_the_others_need_one():
    missing = 'multisendcon.toml, line 1, [[account]] "Sales", server: is missing; every account'
    but = 'but one of type = "direct", which finds servers in the DNS'
    for kind in ("", '"smtp"'):
        assert faults(document(type=kind, server="")) == [f"{missing} needs it, {but}"]


def test_a_type_that_is_unknown_is_the_only_fault():
    [fault] = faults(document(type='"dircet"', server=""))
    assert fault == (
        'multisendcon.toml, line 3, [[account]] "Sales", type: "dircet" is not known; write "smtp"'
        ' or "direct" (nearest: "direct")'
    )


def test_reports_leave_for_one_server():
    assert faults(document("ndr", type='"direct"'))[0].startswith(
        "multisendcon.toml, line 5, [ndr], type: unknown key"
    )


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        ("preset", '"microsoft365"', "finds the servers of each recipient in the DNS"),
        ("preset", '"nowhere"', "finds the servers of each recipient in the DNS"),
        ("server", '"mx.example"', "finds the servers of each recipient in the DNS"),
        ("port", "25", "sends to port 25, as RFC 5321 has it"),
        ("username", '"joe"', "logs in nowhere"),
        ("password", '{ file = "known" }', "logs in nowhere"),
        ("auth", '"plain"', "logs in nowhere"),
        ("auth", '"xoauth2"', "logs in nowhere"),
        ("tls_client_certificate", '"known"', "logs in nowhere"),
        ("tls_client_key", '"known"', "logs in nowhere"),
        ("tls_verify", "false", "has each domain say what it demands of certificates"),
        ("tls_name", '"mx.example"', "has each domain say what it demands of certificates"),
        ("tls_fingerprint", FINGERPRINT, "has each domain say what it demands of certificates"),
    ],
)
@pytest.mark.parametrize("tls", ["", '"none"'])
def test_what_is_about_one_server_or_a_login(key, value, reason, tls):
    [fault] = faults(direct(**{key: value}, tls=tls))
    place = PLACE.replace("4", "3") if key == "server" else PLACE
    assert fault.startswith(f'{place}{key}: is of no use to an account of type "direct", which ')
    assert reason in fault
    assert fault.endswith('; leave it out, or write type = "smtp"')


def test_a_token_is_a_login():
    token = """
[account.oauth2]
provider = "google"
grant = "authorization_code"
client_id = "app"
"""
    [fault] = faults(direct() + token)
    assert '"Sales", oauth2: is of no use to an account of type "direct", which logs in' in fault


def test_a_key_with_a_fault_of_its_own():
    found = faults(direct(port='"x"', tls='"implict"'))
    assert [each.partition('"Sales", ')[2].partition(":")[0] for each in found] == [
        *("port", "port", "tls"),
    ]


@pytest.mark.parametrize("tls", [Tls.AUTO, Tls.STARTTLS, Tls.OPPORTUNISTIC, Tls.NONE])
def test_how_it_is_encrypted(tls):
    assert account(direct(tls=f'"{tls.value}"')).tls is tls


def test_nobody_listens_to_tls_from_the_start():
    [fault] = faults(direct(tls='"implicit"'))
    assert fault == (
        f'{PLACE}tls: "implicit" is not known to the mail servers of recipients; write "auto", or'
        ' "starttls" to send nothing in the clear'
    )


def test_what_else_it_may_have():
    made = account(
        direct(
            local_address='["192.0.2.10", "2001:db8::10"]',
            tls_ca='"known"',
            tls_ciphers='"ECDHE+AES"',
            fixed_sender='"a@b.example"',
            fixed_sender_unless_private="true",
            minimum_wait="2",
            quota='["30 mails/1m"]',
            archive="true",
            null_sender='"replace"',
            max_recipients="5",
        )
    )
    assert made.local_address == ("192.0.2.10", "2001:db8::10")


@pytest.mark.parametrize(
    ("text", "connections"),
    [
        (direct(), DIRECT_CONNECTIONS),
        (direct(max_connections="7"), 7),
        (direct(minimum_wait="1"), 1),
        (document(), 2),
    ],
)
def test_how_many_connections_it_has(text, connections):
    assert account(text).connections == connections


def test_it_and_another_may_be_the_fallbacks_of_each_other():
    text = direct(fallback='["B"]')
    text += '\n[[account]]\nname = "B"\nserver = "b.example"\nfallback = ["Sales"]'
    assert [each.fallback for each in read(text).accounts] == [("B",), ("Sales",)]


def test_the_library_that_is_missing_is_named_once_for_each_account():
    class Plain(Paper):
        def check_module(self, name, extra, library=""):
            raise InvalidValueError(f"needs {library} for {name} of {extra}")

    assert faults(direct(), Plain()) == [
        'multisendcon.toml, line 3, [[account]] "Sales", type: needs dnspython for dns of direct'
    ]
    assert faults(document(), Plain()) == []


def test_servers_know_it_by_the_address_that_it_comes_from():
    here, there = (
        account(direct(local_address=each)) for each in ('"192.0.2.1"', '["192.0.2.1", "::1"]')
    )
    assert here.login == account(direct(local_address='"192.0.2.1"', helo_domain='"a.b"')).login
    assert len({here.login, there.login, account(direct()).login}) == 3


DNS = "[dns], trust_ad: is true"
UNNAMED = (
    f"{DNS} for whatever servers the system has, which a network may have named; write those that"
    " you mean in servers"
)
SPOKEN_FOR = (
    "can pass for it, and have mail delivered to themselves; run a resolver that verifies DNSSEC,"
    " such as unbound, on this machine, and name that in servers"
)


@pytest.mark.parametrize(
    ("servers", "expected"),
    [
        (["127.0.0.1", "[::1]:5353", "10.1.2.3", "192.168.0.1:53", "fd00::53"], []),
        (
            ["127.0.0.1", "8.8.8.8", "[2606:4700::1111]:5353"],
            [
                f'{DNS}, but everyone on the way to "8.8.8.8" {SPOKEN_FOR}',
                f'{DNS}, but everyone on the way to "[2606:4700::1111]:5353" {SPOKEN_FOR}',
            ],
        ),
        (
            [],
            [UNNAMED],
        ),
    ],
)
def test_dns_servers_that_are_believed(servers, expected):
    text = bound(document("dns", servers=str(servers), trust_ad="true"))
    assert warnings(text) == expected
    assert warnings(text.replace("true", "false")) == []


def test_domains_to_which_no_table_applies():
    tables = [
        '"a.example", "*.b.example"',
        '"A.example", "b.example", "x.b.example", "*.x.b.example"',
        '"*.example"',
        '"c.example", "a.test"',
    ]
    text = bound(direct() + "".join(f"\n[[destination]]\ndomains = [{each}]" for each in tables))
    reason = "never counts, since an earlier [[destination]] has it, and the first one applies"
    assert warnings(text) == [
        f'[[destination]] number {number}, domains: "{domain}" {reason}; move this table up'
        for number, domain in [
            *((2, "a.example"), (2, "x.b.example"), (2, "*.x.b.example")),
            (4, "c.example"),
        ]
    ]


def test_destinations_of_nobody():
    [warning] = warnings(bound(document("destination")))
    assert warning.startswith("[[destination]]: has no effect, since no account delivers directly;")
    assert warnings(bound(direct()) + '\n[[destination]]\ndomains = ["a.example"]') == []


@pytest.mark.parametrize(
    ("key", "least"), [("max_connections", 40), ("max_mails_per_connection", 100)]
)
def test_numbers_of_a_destination_beyond_those_of_all_accounts(key, least):
    text = bound(direct()) + '\n[[destination]]\ndomains = ["a.example"]\n'
    assert warnings(f"{text}{key} = {least}") == []
    assert warnings(f"{text}{key} = {least + 1}") == [
        (
            f"[[destination]] number 1, {key}: {least + 1} is more than the {least} that a direct"
            f" account has; raise {key} of the account as well, or write less"
        )
    ]
