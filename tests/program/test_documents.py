"""What the documents say is true: command lines, configurations, imports, file names, markup."""

from __future__ import annotations

import json
import pkgutil
import re
from configparser import ConfigParser
from pathlib import Path

import docutils.core
import pytest
from twisted.scripts.twistd import ServerOptions

from multisendcon_plugin import parse, presets
from multisendcon_plugin.mail.envelope import Envelope
from multisendcon_plugin.routing.registry import AccountRegistry
from multisendcon_plugin.settings.oauth2 import Provider

ROOT = Path(__file__).parents[2]
DOCUMENTS = [
    "README.rst",
    "CHANGES.rst",
    *sorted(f"docs/{p.name}" for p in ROOT.glob("docs/*.rst")),
]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_markup_is_right(name):
    path = ROOT / name
    page = docutils.core.publish_string(
        path.read_text("utf-8"),
        source_path=str(path),
        writer="html",
        settings_overrides={"halt_level": 2, "report_level": 5},
    )
    assert b"</html>" in page
    assert b'class="system-message"' not in page


def test_ci_runs_the_command_line_of_the_readme():
    command = (
        "python3 -m venv .venv && .venv/bin/pip install --quiet '.[test]'"
        " && .venv/bin/python -m pytest"
    )
    readme = (ROOT / "README.rst").read_text("utf-8")
    assert f"git clone URL multisendcon && cd multisendcon && {command}\n" in readme
    assert f"\n{command}\n" in (ROOT / ".ci/run").read_text("utf-8")


def test_the_configuration_in_the_readme_works(tmp_path):
    readme = (ROOT / "README.rst").read_text("utf-8")
    block = re.search(r"code-block:: toml\n\n((?:    .*\n|\n)+)", readme)
    text = re.sub(r"^    ", "", block[1], flags=re.MULTILINE)
    for name in ("sales", "isp"):
        (tmp_path / f"{name}.password").write_text("secret\n")
    configuration = parse(text.replace("/etc/multisendcon", str(tmp_path)))
    assert [account.name for account in configuration.accounts] == ["Sales", "All others"]


def test_the_example_of_two_ways_to_microsoft_365_sends_each_recipient_its_own(tmp_path):
    text = (ROOT / "docs/examples/microsoft365.toml").read_text("utf-8")
    for name in ("hve.password", "microsoft.secret"):
        (tmp_path / name).write_text("secret\n")
        (tmp_path / name).chmod(0o600)
    configuration = parse(text.replace("/etc/multisendcon", str(tmp_path)))
    inside, outside = configuration.accounts
    registry = AccountRegistry(configuration.accounts)
    assert registry.route("shop@example.com", "anna@example.net").account == inside.name
    assert registry.route("shop@example.com", "bob@customer.example").account == outside.name
    assert registry.route("else@example.com", "anna@example.net") is None
    server = presets.of("microsoft365-hve").keys["server"]
    assert (inside.login, inside.oauth2) == ((server, 587, "shop-hve@example.com"), None)
    assert outside.login == ("smtp.office365.com", 587, "shop@example.com")
    assert outside.oauth2.provider is Provider.MICROSOFT
    envelope = Envelope(reverse_path="shop@example.com", recipients=("anna@example.net",))
    fallback = registry.fallback(inside.name, (), envelope, ["anna@example.net"])
    assert fallback == outside.name


def test_the_unit_for_systemd_starts_the_relay_whatever_has_ended_it():
    unit = ConfigParser(interpolation=None, allow_no_value=True)
    unit.optionxform = str
    unit.read(ROOT / "etc/multisendcon.service")
    assert unit["Service"]["Restart"] == "always"
    program, *arguments = unit["Service"]["ExecStart"].split()
    assert program.endswith("/twistd")
    options = ServerOptions()
    with pytest.raises(SystemExit, match=r"multisendcon\.toml: cannot be read"):
        options.parseOptions(arguments)
    assert options["nodaemon"]


@pytest.mark.parametrize("name", ["README.rst", "docs/running.rst"])
def test_the_command_lines_of_twistd_are_right(name):
    text = (ROOT / name).read_text("utf-8")
    found = re.findall(r"twistd( [^`$]*?multisendcon --config=[A-Za-z/.]+)", text)
    found += [
        " " + " ".join(json.loads(words)[1:])
        for words in re.findall(r"^ +CMD (.*)", text, re.MULTILINE)
    ]
    assert found
    for arguments in found:
        with pytest.raises(SystemExit, match="cannot be read: No such file"):
            ServerOptions().parseOptions(arguments.split())


def imports():
    """Return the import statements from the package in the documents and their examples."""
    names = [
        *DOCUMENTS,
        *sorted(f"docs/examples/{p.name}" for p in ROOT.glob("docs/examples/*.py")),
    ]
    text = "\n".join((ROOT / name).read_text("utf-8") for name in names)
    pattern = r"^ *(from multisendcon_plugin[\w.]* import (?:\([^)]*\)|[^\n(]+))"
    return sorted(set(re.findall(pattern, text, re.MULTILINE)))


@pytest.mark.parametrize("statement", imports())
def test_the_imports_in_the_documents_work(statement):
    exec(statement, {})


def test_there_are_imports_in_the_documents():
    assert len(imports()) >= 3


def test_the_names_for_embedding_in_the_documents_exist():
    text = (ROOT / "docs/embedding.rst").read_text("utf-8")
    named = set(re.findall(r"``(multisendcon_plugin(?:\.\w+)+)``", text))
    assert named
    for name in named:
        pkgutil.resolve_name(name)


def test_the_modules_named_in_the_internals_are_there():
    text = (ROOT / "docs/INTERNALS.rst").read_text("utf-8")
    named = set(re.findall(r"``(\w+(?:/\w+)*\.(?:py|sql|txt))``", text))
    assert len(named) > 40
    folders = (ROOT, ROOT / "multisendcon_plugin")
    assert {name for name in named if not any((f / name).is_file() for f in folders)} == set()


def test_the_tests_that_keep_the_promises_are_there():
    text = (ROOT / "docs/security.rst").read_text("utf-8")
    named = set(re.findall(r"``(\w+/test_\w+\.py)``", text))
    assert len(named) > 30
    assert {name for name in named if not (ROOT / "tests" / name).is_file()} == set()
