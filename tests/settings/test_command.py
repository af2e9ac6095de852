"""A program that tells a secret: what it writes is the secret, and comes nowhere else."""

from __future__ import annotations

import os
import resource
import sys
from pathlib import Path

import pytest

from multisendcon_plugin.configuration import parse
from multisendcon_plugin.errors import ConfigurationError
from multisendcon_plugin.settings import command
from multisendcon_plugin.settings.words import InvalidValueError
from tests.configuration.examples import document
from tests.interop.programs import until

CANARY = "c4nary"


def python(text):
    """Return the arguments that run some Python."""
    return [sys.executable, "-I", "-S", "-c", text]


def fault(arguments):
    with pytest.raises(InvalidValueError) as caught:
        command.first_line(arguments)
    (reason,) = caught.value.args
    assert CANARY not in reason
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    return reason


def of(program, what):
    return f'the program "{program}" {what}'


@pytest.mark.parametrize(
    ("written", "line"),
    [
        ("s3cret", b"s3cret"),
        ("s3cret\\n", b"s3cret"),
        ("s3cret\\r\\nuser: joe\\n", b"s3cret"),
        ("\\ns3cret", b""),
        ("", b""),
    ],
)
def test_it_is_the_first_line_of_what_is_written(written, line):
    text = f"import os, sys; os.write(1, b'{written}'); os.write(2, b'{CANARY}')"
    assert command.first_line(python(text)) == line


def test_nothing_is_special_in_its_arguments(tmp_path):
    special = f"$HOME `touch {tmp_path}/made` ; * \" '"
    assert command.first_line(["/bin/echo", special]) == special.encode()
    assert list(tmp_path.iterdir()) == []


def test_a_name_is_looked_up():
    assert command.first_line(["echo", "s3cret"]) == b"s3cret"


def test_what_it_says_of_its_failure_is_not_told():
    text = f"import sys; print('{CANARY}'); print('{CANARY}', file=sys.stderr); sys.exit(3)"
    assert fault(python(text)) == of(sys.executable, "has failed: exit status 3")


def test_a_signal_is_told():
    text = "import os; os.kill(os.getpid(), 9)"
    assert fault(python(text)) == of(sys.executable, "was ended by signal 9")


@pytest.mark.parametrize("program", ["/no/such/program", "no-such-program", __file__, "/etc"])
def test_what_is_no_program_is_told(program):
    assert fault([program, CANARY]) == of(program, "is not there, or cannot be run")


def test_what_cannot_be_started_is_told(tmp_path):
    broken = tmp_path / "broken"
    broken.write_bytes(b"\x7fELF garbage")
    broken.chmod(0o700)
    assert fault([str(broken)]) == of(broken, "cannot be run: Exec format error")


def test_a_program_that_everyone_can_change_is_not_run(tmp_path):
    program = tmp_path / "tell"
    program.write_text("#!/bin/sh\ntouch $0.ran\n")
    program.chmod(0o777)
    assert "can be changed by everyone" in fault([str(program)])
    assert not (tmp_path / "tell.ran").exists()


def test_too_much_is_told_and_not_kept():
    assert fault(["cat", "/dev/zero"]) == of("cat", "writes more than a secret")


@pytest.mark.parametrize("closes", [False, True])
def test_one_that_hangs_is_ended_with_all_that_it_has_started(tmp_path, monkeypatch, closes):
    monkeypatch.setattr(command, "PATIENCE", 2.0)
    pids = tmp_path / "pids"
    close = "exec >&-" if closes else "true"
    script = f"sleep 600 & echo $! > {pids}; {close}; echo $$ >> {pids}; wait"
    assert fault(["sh", "-c", script]) == of("sh", "has not ended within 2 s")
    for pid in map(int, pids.read_text().split()):
        until(lambda pid=pid: ended(pid), "it ends")


def ended(pid):
    """Tell whether a process is gone, or has only to be noticed by its parent."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def test_it_needs_no_low_descriptor():
    """As select(2) would."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 1200:
        pytest.skip("so many files may not be open")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 1200), hard))
    opened = [os.open("/dev/null", os.O_RDONLY) for _ in range(1100)]
    try:
        assert command.first_line(["echo", "s3cret"]) == b"s3cret"
    finally:
        for each in opened:
            os.close(each)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


# In the configuration.


def secret(*arguments):
    listed = ", ".join(f'"{each}"' for each in arguments)
    text = document(username='"u"', password=f"{{ command = [{listed}] }}")
    return parse(text).accounts[0].password


def test_it_is_run_from_the_folder_of_the_file_and_again_on_request(tmp_path, monkeypatch):
    program = tmp_path / "tell"
    program.write_text("#!/bin/sh\nprintf first\n")
    program.chmod(0o700)
    monkeypatch.chdir(tmp_path)
    stored = secret("./tell")
    monkeypatch.chdir("/")
    program.write_text("#!/bin/sh\nprintf second\n")
    assert (stored.value, stored.read(), stored.slow) == ("first", "second", True)
    assert "first" not in repr(stored)
    program.write_text("#!/bin/sh\nexit 7\n")
    with pytest.raises(ConfigurationError, match=r'^the program ".*/tell" has failed: .* 7$'):
        stored.read()


def test_its_octets_have_to_be_text():
    with pytest.raises(ConfigurationError) as caught:
        secret("printf", r"c4nary\\377")
    assert 'what "printf" writes is not UTF-8' in str(caught.value)
    assert CANARY not in str(caught.value)


def test_it_is_not_ended_by_the_signals_of_our_terminal():
    told = command.first_line(python("import os; print(os.getsid(0) == os.getpid())"))
    assert told == b"True"
