"""The command line, run in this process."""

from __future__ import annotations

import pytest

from multisendcon_plugin.admin.command import main

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
    assert capsys.readouterr().out == (
        "<anna@x.example>: Sales (sender matches *@sales.example.com, every recipient)\n"
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
