"""The disk of the tokens is full: what was got is used, told of, and written when it can be."""

from __future__ import annotations

import contextlib
import itertools
import subprocess

import pytest

from tests.interop.oauth.world import CODE, NEEDED, Way, World
from tests.interop.programs import needs, until

pytestmark = [*NEEDED, needs("umount")]

JOE = Way(name="joe", by=CODE, settings={"max_mails_per_connection": 1})


@contextlib.contextmanager
def small_disk(folder):
    """Have a folder on a file system of its own, which fits one file besides; return that."""
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k,mode=700", "tmpfs", str(folder)]
    mounted = subprocess.run(mount, capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"a small file system cannot be mounted here: {mounted.stderr.strip()}")
    try:
        yield folder / "ballast"
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(ballast):
    with contextlib.suppress(OSError), ballast.open("wb") as file:
        while True:
            file.write(bytes(4096))
            file.flush()


def test_a_token_that_cannot_be_stored_is_used_and_stored_later(open_folder, start):
    tokens = open_folder / "spool" / "tokens"
    tokens.mkdir(parents=True, mode=0o700)
    tokens.parent.chmod(0o700)
    with small_disk(tokens) as ballast, World(open_folder, JOE) as world:
        world.openid.set(lifetime=6)
        world.sign_in("joe")
        world.deliver("joe", "a@customer.example")
        fill(ballast)
        before = world.stored("joe")
        numbers = itertools.count()
        # Each mail has a token wanted, which is renewed some time.
        while "No space left on device" not in world.relay.log.read_text():
            world.deliver("joe", f"{next(numbers)}@customer.example")
        world.deliver("joe", "b@customer.example")
        assert world.stored("joe") == before
        ballast.unlink()
        until(lambda: world.stored("joe") != before, "it is stored")
        world.relay.stop()
        world.relay.start()
        world.deliver("joe", "c@customer.example")
        assert world.openid.denied() == []
        assert [file.name for file in tokens.iterdir()] == ["joe.json"]
