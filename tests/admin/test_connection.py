"""What keeps a command from the relay, and what it says of it."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
from pathlib import Path

import pytest

from multisendcon_plugin.admin import connection, place
from multisendcon_plugin.admin.command import main
from multisendcon_plugin.admin.connection import Relay
from multisendcon_plugin.web.control import NAME
from multisendcon_plugin.web.local_socket import address
from tests.admin.conftest import Ended
from tests.admin.examples import delivery, lines, status
from tests.admin.fake_relay import FakeRelay

NOBODY = 65534


def test_no_relay(run, folder):
    ended = run("account", "list")
    assert (ended.status, ended.out) == (4, "")
    assert f"{folder}/control.sock: no relay runs with this spool" in ended.err
    assert "--config=FILE" in ended.err


def test_a_stale_socket(run, folder):
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(folder / NAME))
    ended = run("account", "list")
    assert (ended.status, ended.out) == (4, "")
    assert "nobody listens there" in ended.err


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize(
    "command", [["account", "list"], ["queue", "list"], ["queue", "hold", "A"]]
)
def test_no_right_names_the_user_who_has_it(tmp_path, folder, command):
    # The folder is the owner's alone; here that is root.
    for path in (tmp_path, *tmp_path.parents[:-2]):
        path.chmod(0o755)
    os.chown(folder, 1, 1)  # "daemon" on every system
    ended = run_as(NOBODY, *command, "-c", str(tmp_path / "multisendcon.toml"))
    assert (ended.status, ended.out) == (4, "")
    assert f"{folder}/control.sock: there is no right to it" in ended.err
    assert "it belongs to daemon: run the command as that user (sudo -u daemon" in ended.err


def run_as(user, *arguments):
    """Run a command as another user; the program need not be readable for them."""
    out, err = os.memfd_create("out"), os.memfd_create("err")
    child = os.fork()
    if not child:
        status = 99
        try:
            os.setgroups([])
            os.setgid(user)
            os.setuid(user)
            sys.stdout, sys.stderr = open(out, "w"), open(err, "w")  # noqa: PTH123, SIM115
            status = main(arguments)
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    said = []
    for descriptor in (out, err):
        said.append(os.pread(descriptor, 100_000, 0).decode())
        os.close(descriptor)
    return Ended(os.waitstatus_to_exitcode(status), *said)


def test_a_relay_that_hangs(run, folder, monkeypatch):
    monkeypatch.setattr(connection, "_PATIENCE", 0.01)
    with socket.socket(socket.AF_UNIX) as deaf:
        deaf.bind(str(folder / NAME))
        deaf.listen()
        ended = run("account", "list")
    assert (ended.status, ended.out) == (4, "")
    assert "the relay does not answer" in ended.err


def test_a_relay_for_which_too_many_wait(run, folder):
    with contextlib.ExitStack() as stack:
        full = stack.enter_context(socket.socket(socket.AF_UNIX))
        full.bind(str(folder / NAME))
        full.listen(0)
        client = stack.enter_context(socket.socket(socket.AF_UNIX))
        client.connect(str(folder / NAME))
        ended = run("account", "list")
    assert (ended.status, ended.out) == (4, "")
    assert "too many wait there" in ended.err


@pytest.mark.parametrize("more", [(), (b'{"id": "GAH',)], ids=["row", "half a row"])
def test_a_relay_that_ends_in_the_middle_of_a_listing(run, relay, more):
    broken = (*lines(delivery()), *more)
    relay.answers_with("GET queue", lines=broken, broken=True)
    ended = run("queue", "list", "--json")
    assert ended.status == 4
    assert len(ended.out.splitlines()) == 1
    assert "ended the connection before its answer was whole" in ended.err


def test_a_relay_of_another_version_is_told_of(run, relay):
    relay.answers_with("GET status", status(), server="multisendcon/0.0.9")
    ended = run("status")
    assert ended.status == 0
    assert "warning: the relay that runs is version 0.0.9" in ended.err


@pytest.mark.parametrize(
    ("answer", "expected"), [(400, 2), (422, 2), (404, 3), (409, 1), (403, 4), (500, 1), (405, 1)]
)
def test_the_exit_status_says_what_the_relay_has_answered(run, relay, answer, expected):
    relay.answers_with("POST reload", {"error": "a sentence"}, status=answer)
    ended = run("reload")
    assert (ended.status, ended.out) == (expected, "")
    assert ended.err == "multisendcon: a sentence\n"


def test_faults_are_told_one_by_one(run, relay):
    faults = ["relay.toml, line 3: a", "relay.toml, line 4: b"]
    relay.answers_with("POST reload", {"error": "not reloaded", "faults": faults}, status=409)
    ended = run("reload")
    assert ended.err.splitlines() == [f"multisendcon: {each}" for each in ["not reloaded", *faults]]


def test_an_error_that_is_no_json_is_one(run, relay):
    relay.answers_with("POST reload", ["no object"], status=500)
    assert "the relay answers 500" in run("reload").err


def test_events_are_read_as_they_come(folder, relay):
    stream = b"id: 1\nevent: accepted\ndata: {}\n\n: a comment\n\nid: 2\ndata: a\ndata: b\n\n"
    relay.answers_with("GET events", lines=(stream[:20], stream[20:]))
    assert list(Relay(folder).events()) == [("1", "accepted", "{}"), ("2", "", "a\nb")]


def test_names_are_quoted(run, relay):
    relay.answers_with("POST accounts/A/B ?ü/pause", {})
    assert run("account", "pause", "A/B ?ü").status == 0


# The configuration.


def test_the_spool_is_found_in_a_file_with_faults(run, tmp_path, relay):
    relay.answers_with("GET status", status())
    file = tmp_path / "multisendcon.toml"
    file.write_text('[spool]\npath = "spool"\n[[account]]\npassword = { file = "missing" }\n')
    ended = run("status")
    assert (ended.status, ended.err) == (0, "")


def test_the_spool_is_found_in_a_file_that_is_no_toml_and_that_is_said(run, tmp_path, relay):
    relay.answers_with("GET status", status())
    file = tmp_path / "multisendcon.toml"
    file.write_text('[master_relay]\nhostname = oops\n[spool]\npath = "spool"\n[[account]]\n=\n')
    ended = run("status")
    assert ended.status == 0
    assert "is not TOML" in ended.err
    assert "only [spool] was read from it" in ended.err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[spool]\npath = 3\n", "[spool], path: 3 is not the path of a folder"),
        ("spool = 3\n", "spool: is not a table"),
        ("=\n", "is not TOML"),
        ("=\n[spool]\n=\n", "is not TOML"),
    ],
)
def test_a_file_that_does_not_say_where_the_spool_is(run, tmp_path, relay, text, said):
    (tmp_path / "multisendcon.toml").write_text(text)
    ended = run("status")
    assert (ended.status, ended.out) == (1, "")
    assert said in ended.err


def test_a_missing_file(run, tmp_path, folder):
    (tmp_path / "multisendcon.toml").unlink()
    ended = run("status")
    assert (ended.status, ended.out) == (1, "")
    assert "multisendcon.toml: cannot be read: No such file" in ended.err
    assert "name the configuration of the relay with --config=FILE or $MULTISENDCON_CONFIG" in (
        ended.err
    )


def test_where_the_configuration_is(monkeypatch):
    class Options:
        config = None

    monkeypatch.delenv(place.VARIABLE, raising=False)
    assert place.config(Options) == "/etc/multisendcon/multisendcon.toml"
    monkeypatch.setenv(place.VARIABLE, "/srv/relay.toml")
    assert place.config(Options) == "/srv/relay.toml"
    Options.config = "own.toml"
    assert place.config(Options) == "own.toml"


def test_a_path_that_is_too_long_for_a_socket(tmp_path):
    folder = tmp_path / ("long" * 30)
    folder.mkdir()
    with address(folder / NAME) as short, FakeRelay(Path(short).parent) as relay:
        relay.answers_with("GET status", status())
        assert Relay(folder).get("status") == status()
