"""The guides for ways out: their configurations, commands and lines are right.

``python -m tests.program.test_guides`` writes what has to be set up anew.
"""

from __future__ import annotations

import json
import re
import shlex
import tempfile
import textwrap
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from multisendcon_plugin import parse
from multisendcon_plugin.admin.parser import make_parser
from multisendcon_plugin.admin.setup_lines import setup_lines
from multisendcon_plugin.configuration import warnings
from multisendcon_plugin.operations import advice_tokens
from multisendcon_plugin.routing.account import DIRECT_CONNECTIONS, AccountType
from multisendcon_plugin.settings.receivers import RECEIVERS
from tests.certificates import certificate

DOCS = Path(__file__).parents[2] / "docs"
MICROSOFT, GOOGLE, DIRECT = (DOCS / f"{name}.rst" for name in ("microsoft365", "google", "direct"))
README = DOCS.parent / "README.rst"
GUIDES = [MICROSOFT, GOOGLE]
_BLOCK = re.compile(r"code-block:: toml\n\n((?:    .*\n|\n)+)")
#: What is printed of what has to be set up, after the sentence that says so.
_SETUP = re.compile(
    r"(--print-setup`` prints[^:]*:(?:\n\n\.\. code-block:: powershell)?:?\n\n)"
    r"((?:    [^\n]*\n|\n)+?)(?=\n\S)"
)


def configurations(guide):
    """Return the configurations of a guide, as texts."""
    blocks = _BLOCK.findall(guide.read_text("utf-8"))
    return [textwrap.dedent(block) for block in blocks]


def loaded(text, folder):
    """Load a configuration; its files are in a folder."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    files = {
        "relay.key": pem,
        "relay.pem": certificate(key=key).public_bytes(Encoding.PEM),
        "service.json": json.dumps(
            {
                "type": "service_account",
                "client_email": "relay@project.iam.gserviceaccount.com",
                "client_id": "108412345678901234567",
                "private_key_id": "1",
                "private_key": pem.decode(),
            }
        ).encode(),
    }
    for name in re.findall(r"/etc/multisendcon/([\w.]+)", text):
        (folder / name).write_bytes(files.get(name, b"secret\n"))
        (folder / name).chmod(0o600)
    return parse(text.replace("/etc/multisendcon", str(folder)))


@pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: guide.stem)
def test_each_configuration_can_be_used(guide, tmp_path):
    texts = configurations(guide)
    assert len(texts) >= 4
    for text in texts:
        for account in loaded(text, tmp_path).accounts:
            assert account.sasl_user or not account.password


@pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: guide.stem)
def test_each_command_is_one(guide):
    text = guide.read_text("utf-8")
    lines = re.findall(r"\$ multisendcon (.*)", text)
    lines += re.findall(r"``multisendcon ([^`]*)``", text)
    assert len(lines) >= 6
    for line in lines:
        words = shlex.split(line)
        if words[:2] == ["account", "login"] and len(words) == 2:
            words.append("NAME")  # it is named as such
        make_parser().parse_args(words)


def test_the_configurations_for_direct_delivery_can_be_used(tmp_path):
    usual, destinations = (loaded(each, tmp_path) for each in configurations(DIRECT))
    assert [each.type for each in usual.accounts] == [AccountType.DIRECT]
    assert [str(each) for each in usual.dns.servers] == ["127.0.0.1"]
    assert [each for each in warnings(usual, now=0) if "hostname" not in each] == []
    assert len(destinations.destinations) == 2


def test_the_guide_for_direct_delivery_has_the_true_numbers():
    text = " ".join(DIRECT.read_text("utf-8").split())
    assert f"The account has {DIRECT_CONNECTIONS} connections" in text
    assert ", ".join(receiver.title for receiver in RECEIVERS) in text


def test_the_configuration_for_microsoft_in_the_readme_can_be_used(tmp_path):
    (text,) = [each for each in configurations(README) if "[account.oauth2]" in each]
    (account,) = loaded(text, tmp_path).accounts
    assert (account.server, account.sasl_user) == ("smtp.office365.com", "sales@example.com")


def printed(guide, folder):
    """Return what has to be set up for the first account with tokens that needs no person."""
    for text in configurations(guide):
        for account in loaded(text, folder).accounts:
            if account.oauth2 is not None and not account.oauth2.grant.by_person:
                lines = setup_lines(account, account.oauth2, "108412345678901234567")
                return textwrap.indent("\n".join([*lines, ""]), "    ")
    raise AssertionError("there is none")


@pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: guide.stem)
def test_what_has_to_be_set_up_is_what_is_printed(guide, tmp_path):
    assert _SETUP.search(guide.read_text("utf-8"))[2] == printed(guide, tmp_path), (
        f"run: python -m {__name__}"
    )


def test_the_reasons_of_microsoft_in_the_guide_are_known():
    named = set(re.findall(r"AADSTS\d+", MICROSOFT.read_text("utf-8")))
    assert len(named) > 15
    known = [row.words for row in advice_tokens.ROWS]
    assert {each for each in named if not any(words.search(each) for words in known)} == set()


if __name__ == "__main__":
    for each in GUIDES:
        with tempfile.TemporaryDirectory() as folder:
            lines = printed(each, Path(folder))
        text = each.read_text("utf-8")
        each.write_text(_SETUP.sub(lambda found: found[1] + lines, text, count=1), "utf-8")  # noqa: B023
