"""`multisendcon account login`, with somebody who signs in at once."""

from __future__ import annotations

import json
import os
import pwd
import signal
import subprocess
import sys

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from multisendcon_plugin.admin import login
from multisendcon_plugin.admin.owner import become_owner
from multisendcon_plugin.errors import SignInError
from multisendcon_plugin.logins.token import Token
from tests.admin.examples import account

KEY = (
    rsa.generate_private_key(public_exponent=65537, key_size=2048)
    .private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    .decode()
)
TOKEN = Token(
    access_token="s3cret",
    expires_at=1_764_003_600.0,
    refresh_token="s3cret-too",
    refreshed_at=1_764_000_000.0,
    obtained_at=1_764_000_000.0,
)
CONFIGURATION = """
[spool]
path = "spool"

[[account]]
name = "Sales"
server = "smtp.example"
port = 587
username = "sales@example.com"
[account.oauth2]
provider = "microsoft"
grant = "authorization_code"
tenant = "example.onmicrosoft.com"
client_id = "8f9c1a2b-1111-4222-8333-1234567890ab"

[[account]]
name = "App & more"
server = "smtp.example"
port = 587
username = "app@example.com"
[account.oauth2]
provider = "microsoft"
grant = "client_credentials"
tenant = "example.onmicrosoft.com"
client_id = "8f9c1a2b-1111-4222-8333-1234567890ab"
client_secret = "canary"

[[account]]
name = "Key"
server = "smtp.gmail.com"
port = 587
username = "key@example.com"
[account.oauth2]
provider = "google"
grant = "service_account"
service_account_key = "key.json"

[[account]]
name = "Password"
server = "smtp.example"
port = 587
username = "p@example.com"
password = "canary"

[[account]]
name = "Nothing"
server = "smtp.example"
"""


def python(code, **more):
    """Run some code in an interpreter of its own."""
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        **more,
    )


def write_key(folder, **more):
    """Write the key of a service account, as Google gives it."""
    key = {"type": "service_account", "client_email": "r@p.example", "private_key_id": "1"}
    key |= {"private_key": KEY, **more}
    (folder / "key.json").write_text(json.dumps(key))


@pytest.fixture(autouse=True)
def _configured(tmp_path, folder):
    (tmp_path / "multisendcon.toml").write_text(CONFIGURATION)
    (tmp_path / "multisendcon.toml").chmod(0o600)
    write_key(tmp_path, client_id="108412345678901234567")


@pytest.fixture
def signs_in(monkeypatch):
    """Have somebody sign in, or not."""

    def sign_in(result=TOKEN):
        def perform(signing_in, reactor):
            seen.append(signing_in)
            if isinstance(result, Exception):
                raise result
            return result

        monkeypatch.setattr(login, "_in_reactor", lambda work: work(None))
        monkeypatch.setattr("multisendcon_plugin.admin.signing_in.SigningIn.perform", perform)
        monkeypatch.setattr("sys.stdin", open(os.devnull))  # noqa: SIM115, PTH123
        return seen

    seen = []
    return sign_in


def test_somebody_signs_in_beside_a_relay_which_tries_it(run, relay, folder, signs_in):
    seen = signs_in()
    relay.answers_with("POST accounts/Sales/probe", account())
    ended = run("account", "login", "Sales")
    assert (ended.status, ended.err) == (0, "")
    assert ended.out == (
        "Sales can log in: its token is valid until 2025-11-24 17:00:00+00:00, and is renewed in"
        " time\n"
    )
    assert relay.asked == [("POST", "accounts/Sales/probe", {}, {})]
    (signing_in,) = seen
    assert (signing_in.account.name, signing_in.folder) == ("Sales", str(folder))


def test_it_can_be_read_by_programs(run, relay, signs_in):
    signs_in()
    relay.answers_with("POST accounts/Sales/probe", account())
    ended = run("account", "login", "Sales", "--json")
    assert json.loads(ended.out) == {
        "account": "Sales",
        "mailbox": "sales@example.com",
        "valid_until": 1_764_003_600.0,
        "valid_until_at": "2025-11-24T17:00:00.000Z",
        "probed": True,
    }
    assert "s3cret" not in ended.out + ended.err


def test_no_relay_has_to_run(run, signs_in):
    signs_in()
    ended = run("account", "login", "Sales", "--json")
    assert ended.status == 0
    assert json.loads(ended.out)["probed"] is False
    assert ended.err == "No relay runs; it will use the token when it is started.\n"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"status": 404}, "The relay that runs does not know the account yet: multisendcon reload"),
        ({"status": 409}, "The relay that runs will use the token; it could not be told of it: no"),
    ],
)
def test_a_relay_that_cannot_be_told_is_no_fault(run, relay, signs_in, answer, said):
    signs_in()
    relay.answers_with("POST accounts/Sales/probe", {"error": "no"}, **answer)
    ended = run("account", "login", "Sales")
    assert (ended.status, ended.err) == (0, f"{said}\n")


def test_nobody_has_to_be_there_who_types(run, signs_in, monkeypatch):
    seen = signs_in()
    monkeypatch.setattr("sys.stdin", None)
    assert run("account", "login", "Sales").status == 0
    assert seen[0].descriptor == -1


def test_nobody_signs_in(run, signs_in):
    signs_in(SignInError("the provider lets nobody sign in: access_denied"))
    ended = run("account", "login", "Sales")
    assert (ended.status, ended.out) == (1, "")
    assert ended.err == "multisendcon: the provider lets nobody sign in: access_denied\n"


def test_an_account_that_is_not_there(run):
    ended = run("account", "login", "Nobody")
    assert (ended.status, ended.out) == (3, "")
    assert ended.err == (
        'multisendcon: there is no account "Nobody"; there are: Sales, App & more, Key, Password,'
        " Nothing\n"
    )


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (
            "App & more",
            (
                "nobody has to sign in for App & more: the relay gets its tokens by itself"
                " (client_credentials); to see whether it works: multisendcon account test"
                " 'App & more'"
            ),
        ),
        ("Key", "nobody has to sign in for Key: the relay gets its tokens by itself (service_"),
        (
            "Password",
            "nobody has to sign in for Password: it logs in with a password, and not with a token;",
        ),
        ("Nothing", "nobody has to sign in for Nothing: it does not log in, and not with a tok"),
    ],
)
def test_where_nobody_has_to_sign_in_it_is_said(run, name, said):
    ended = run("account", "login", name)
    assert (ended.status, ended.out) == (1, "")
    assert ended.err.startswith(f"multisendcon: {said}")


def test_what_is_to_be_set_up_needs_the_configuration_alone(run, folder):
    folder.rmdir()
    ended = run("account", "login", "App & more", "--print-setup")
    assert (ended.status, ended.err) == (0, "")
    assert "New-ManagementScope -Name 'multisendcon app@example.com' `" in ended.out
    assert ended.out.endswith("# Then:\n#   multisendcon account test 'App & more'\n")
    assert "canary" not in ended.out
    assert (
        "Client ID:    108412345678901234567\n"
        in run("account", "login", "Key", "--print-setup").out
    )


def test_what_is_to_be_set_up_can_be_read_by_programs(run):
    printed = run("account", "login", "Key", "--print-setup").out
    told = json.loads(run("account", "login", "Key", "--print-setup", "--json").out)
    assert told == {"account": "Key", "lines": printed.splitlines()}


def test_reports_may_leave_with_tokens_too(run, tmp_path):
    path = tmp_path / "multisendcon.toml"
    ndr = CONFIGURATION.split("[[account]]")[1].replace('name = "Sales"\n', "")
    path.write_text(f"[ndr]\n{ndr.replace('[account.', '[ndr.')}{CONFIGURATION}")
    ended = run("account", "login", "[ndr]", "--print-setup")
    assert (ended.status, ended.err) == (0, "")
    assert ended.out.startswith("# [ndr]: somebody signs in once")


def test_a_key_without_a_client_id_leaves_it_open(run, tmp_path):
    write_key(tmp_path)
    ended = run("account", "login", "Key", "--print-setup")
    assert "Client ID:    (client_id in the key of the service account)\n" in ended.out


def test_a_configuration_with_faults_is_refused(run, tmp_path):
    (tmp_path / "multisendcon.toml").write_text("[spool]\nfolder = 5\n")
    ended = run("account", "login", "Sales")
    assert (ended.status, ended.out) == (1, "")
    assert "folder" in ended.err


def test_a_spool_that_is_not_there_is_named_before_anybody_signs_in(run, folder, signs_in):
    folder.rmdir()
    seen = signs_in()
    ended = run("account", "login", "Sales")
    assert (ended.status, seen) == (1, [])
    assert ended.err == (
        f"multisendcon: {folder}: there is no such folder yet; start the relay once\n"
    )


def test_a_spool_of_somebody_else_is_named_before_anybody_signs_in(run, signs_in, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    seen = signs_in()
    ended = run("account", "login", "Sales")
    assert (ended.status, seen) == (1, [])
    assert "it belongs to " in ended.err


def test_a_plain_installation_says_what_it_lacks(run, monkeypatch):
    # As Python sees a module that is not there.
    monkeypatch.setitem(sys.modules, "multisendcon_plugin.admin.signing_in", None)
    ended = run("account", "login", "Sales")
    assert ended.status == 1
    assert "pip install 'multisendcon[oauth]'" in ended.err


OWNER = """
import os
from pathlib import Path
from multisendcon_plugin.admin.owner import become_owner

become_owner(Path())
Path("token").write_text("")
print(os.getuid(), os.getgid(), sorted(os.getgroups()))
"""


def test_root_becomes_the_owner_of_the_spool(tmp_path):
    if os.geteuid() != 0:
        pytest.skip("only root can become somebody else")
    nobody = pwd.getpwnam("nobody")
    os.chown(tmp_path, nobody.pw_uid, nobody.pw_gid)
    ended = python(OWNER, cwd=tmp_path)
    groups = sorted(os.getgrouplist("nobody", nobody.pw_gid))
    assert (ended.stdout, ended.stderr) == (f"{nobody.pw_uid} {nobody.pw_gid} {groups}\n", "")
    found = (tmp_path / "token").stat()
    assert (found.st_uid, found.st_gid) == (nobody.pw_uid, nobody.pw_gid)


def test_it_goes_on_as_the_owner_of_the_spool(run, folder, signs_in, monkeypatch):
    signs_in()
    became = []
    monkeypatch.setattr(login, "become_owner", became.append)
    assert run("account", "login", "Sales").status == 0
    assert became == [folder]


def test_who_is_not_root_stays_who_he_is(tmp_path, monkeypatch):
    if os.geteuid() == 0:
        os.chown(tmp_path, pwd.getpwnam("nobody").pw_uid, -1)
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    monkeypatch.setattr(os, "setuid", lambda _: pytest.fail("it was tried"))
    become_owner(tmp_path)


REACTOR = """
import sys
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from multisendcon_plugin.admin.login import _in_reactor

async def work(reactor):
    await deferLater(reactor, 0)
    {end}

try:
    print(_in_reactor(work))
except KeyboardInterrupt:
    print("interrupted")
except ValueError as error:
    print("failed", error)
"""


@pytest.mark.parametrize(
    ("end", "said"),
    [
        ("return 5", "5"),
        ("raise ValueError('so')", "failed so"),
        (f"import os; os.kill(os.getpid(), {signal.SIGINT:d}); await Deferred()", "interrupted"),
    ],
)
def test_a_reactor_of_its_own_brings_what_comes_of_the_work(end, said):
    ended = python(REACTOR.format(end=end))
    assert (ended.stdout, ended.stderr, ended.returncode) == (f"{said}\n", "", 0)
