"""The command line, run in this process."""

from __future__ import annotations

import io
import json
import sys

import pytest

from multisendcon_plugin.admin import user
from multisendcon_plugin.admin.command import main
from multisendcon_plugin.settings.admins import Role, parse_admins
from multisendcon_plugin.settings.users import parse_users
from multisendcon_plugin.testing import Authority
from tests.configuration.examples import HASH

CONFIGURATION = """
[master_relay]
hostname = "relay.example.com"

[[account]]
name = "Sales"
server = "smtp.sales.example"
port = 465
senders = "*@sales.example.com"

[[account]]
name = "Partner"
server = "mx.partner.example"
recipients = "*@partner.example"
enabled = false

[[account]]
name = "Bulk"
server = "mx.bulk.example"
senders = "news@example.com"
"""


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "multisendcon.toml"
    path.write_text(CONFIGURATION)
    return str(path)


def test_check_lists_the_accounts_in_order(config, capsys):
    assert main(["check", "--config", config]) == 0
    output = capsys.readouterr().out
    assert output.index("Sales") < output.index("Partner (not enabled)") < output.index("Bulk")
    assert "smtp.sales.example port 465" in output
    assert "from *@sales.example.com to every recipient" in output


def test_check_says_of_a_direct_account_where_it_sends(tmp_path, capsys):
    path = tmp_path / "multisendcon.toml"
    path.write_text('[[account]]\nname = "A"\ntype = "direct"\n')
    assert main(["check", "--config", str(path)]) == 0
    assert "  A: the mail servers of each recipient's domain\n" in capsys.readouterr().out


def test_check_tells_all_faults_and_fails(tmp_path, capsys):
    path = tmp_path / "bad.toml"
    path.write_text('[[account]]\nname = "A"\nserver = "a.example"\nport = 70000\ncolour = 1\n')
    assert main(["check", "--config", str(path)]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "70000" in captured.err
    assert "colour" in captured.err


def test_explain_names_the_account_and_the_masks(config, capsys):
    assert main(["explain", "-c", config, "boss@sales.example.com", "anna@x.example"]) == 0
    captured = capsys.readouterr()
    assert captured.out.splitlines()[:3] == [
        "<anna@x.example>: Sales (sender matches *@sales.example.com, every recipient)",
        "  not Partner: it is not enabled",
        "  not Bulk: the sender matches no mask of senders",
    ]
    assert captured.err == (
        f"multisendcon: no relay runs here; this is what the file says: {config}\n"
    )


def test_explain_fails_when_one_recipient_has_no_account(config, capsys):
    arguments = ["explain", "-c", config, "", "a@partner.example"]
    assert main(arguments) == 1
    assert "550 5.7.1" in capsys.readouterr().out


def test_an_address_that_is_none_is_named(config, capsys):
    with pytest.raises(SystemExit) as exit_:
        main(["explain", "-c", config, "boss", "a@b.example"])
    assert exit_.value.code == 2
    assert "'boss'" in capsys.readouterr().err


def test_check_warns_of_what_should_not_stay_so(tmp_path, capsys):
    pem = b"".join(Authority().server_pem("relay.example", days=(-9, -1)))
    (tmp_path / "relay.pem").write_bytes(pem)
    (tmp_path / "users").write_text(f"joe:{HASH}\n")
    for name in ("relay.pem", "users"):
        (tmp_path / name).chmod(0o644)
    path = tmp_path / "multisendcon.toml"
    keys = '[master_relay]\ntls_certificate = "relay.pem"\nusers = "users"'
    path.write_text(CONFIGURATION.replace("[master_relay]", keys))
    assert main(["check", "-c", str(path)]) == 0
    captured = capsys.readouterr()
    assert "no faults. Accounts" in captured.out
    for warning in (
        "relay.pem: readable by everyone on this machine",
        "users: readable by everyone on this machine",
        "relay.pem: the certificate expired on",
        'users: "joe" may use every sender',
    ):
        assert f"{tmp_path}/{warning}" in captured.err
    assert captured.err.count("warning: ") == 4


def test_check_warns_of_a_name_that_servers_do_not_take(config, tmp_path, capsys):
    path = tmp_path / "multisendcon.toml"
    path.write_text(CONFIGURATION.replace("relay.example.com", "relay"))
    assert main(["check", "-c", config]) == 0
    warning = 'warning: [master_relay], hostname: "relay" is not a fully qualified name'
    assert capsys.readouterr().err.startswith(warning)


def test_check_as_json(config, tmp_path, capsys):
    assert main(["check", "-c", config, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"faults": [], "warnings": []}
    bad = tmp_path / "bad.toml"
    bad.write_text("colour = 1\n")
    assert main(["check", "-c", str(bad), "--json"]) == 1
    captured = capsys.readouterr()
    first, second = json.loads(captured.out)["faults"]
    assert "colour" in first
    assert "there is no account" in second
    assert captured.err == ""


# The line of a user.


def check_line(output, name, password):
    assert output.endswith("\n")
    [(found, made)] = parse_users("users", output).hashes.items()
    assert found == name
    assert made.matches(password.encode())


def pipe(monkeypatch, text):
    monkeypatch.setattr(sys, "stdin", io.StringIO(text))


class Terminal(io.StringIO):
    def isatty(self):
        return True


def type_in(monkeypatch, *answers):
    """Answer at a terminal; what is typed there is not shown."""
    monkeypatch.setattr(sys, "stdin", Terminal())
    left = list(answers)
    monkeypatch.setattr(user.getpass, "getpass", lambda prompt: left.pop(0))
    return left


@pytest.mark.parametrize("text", ["c4nary wörd\n", "c4nary wörd", "c4nary wörd\r\nmore\n"])
def test_user_takes_the_password_from_a_pipe(monkeypatch, capsys, text):
    pipe(monkeypatch, text)
    assert main(["user", "Jörg"]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    assert "c4nary" not in captured.out
    check_line(captured.out, "Jörg", "c4nary wörd")


@pytest.mark.parametrize("role", Role)
def test_user_makes_a_line_for_the_page(monkeypatch, capsys, role):
    monkeypatch.setattr("sys.stdin", io.StringIO("secret\n"))
    assert main(["user", "ann", "--role", role.value]) == 0
    ann = parse_admins("admins", capsys.readouterr().out).named("ann")
    assert ann.role is role
    assert ann.password.matches(b"secret")


def test_user_makes_another_line_each_time(monkeypatch, capsys):
    for _ in range(2):
        pipe(monkeypatch, "secret\n")
        main(["user", "joe"])
    first, second = capsys.readouterr().out.splitlines()
    assert first != second


def test_user_asks_twice_at_a_terminal(monkeypatch, capsys):
    left = type_in(monkeypatch, "c4nary", "c4nary")
    assert main(["user", "joe"]) == 0
    assert left == []
    check_line(capsys.readouterr().out, "joe", "c4nary")


@pytest.mark.parametrize(
    ("answers", "why"),
    [(("c4nary", "c4nari"), "the passwords differ"), (("", ""), "no password given")],
)
def test_user_wants_a_password(monkeypatch, capsys, answers, why):
    type_in(monkeypatch, *answers)
    assert main(["user", "joe"]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert why in captured.err
    assert "c4nar" not in captured.err


@pytest.mark.parametrize("name", ["", "a:b", " a", "#a", "a\nb"])
def test_user_wants_a_name_that_can_stand_in_the_file(monkeypatch, capsys, name):
    pipe(monkeypatch, "secret\n")
    with pytest.raises(SystemExit) as exit_:
        main(["user", name])
    assert exit_.value.code == 2
    assert "argument NAME" in capsys.readouterr().err
