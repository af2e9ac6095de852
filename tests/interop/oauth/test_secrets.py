"""No secret of a token is anywhere but where it is kept: in no log, answer, history, or spool."""

from __future__ import annotations

import base64
import contextlib
import json

import pytest

from tests.interop.oauth.world import (
    BY_PERSON,
    CERTIFICATE,
    CODE,
    DEVICE,
    NEEDED,
    SECRET,
    SERVICE,
    Way,
    World,
)
from tests.interop.processes import PROC
from tests.interop.programs import until
from tests.web.live import Control

pytestmark = NEEDED

GRANTS = (SECRET, CERTIFICATE, SERVICE, DEVICE, CODE)
#: Letters of base64 at either end of a text that depend on what stands beside it.
_BLURRED = 4
PATHS = ("status", "accounts", "queue", "history", "configuration", "configuration/accounts")


def forms(secret):
    """Return a secret as it is, and as base64 shows it, whatever stands before it."""
    octets = secret.encode()
    yield octets
    for before in range(3):
        yield base64.b64encode(bytes(before) + octets)[_BLURRED:-_BLURRED]


def found_in(octets, secrets):
    return [secret[:6] for secret in secrets for form in forms(secret) if form in octets]


@pytest.fixture
def world(open_folder, start):
    ways = [Way(name=grant.replace("_", "-"), by=grant) for grant in GRANTS]
    return start(World(open_folder, *ways))


def tokens(world):
    """Return all secrets that are on the disk for accounts, where they are to be."""
    kept = [world.stored(name) for name in world.ways]
    return {
        secret
        for token in kept
        for key in ("access_token", "refresh_token")
        if (secret := token[key])
    }


def keys(world):
    lines = [
        *world.openid.key.read_text().splitlines()[2:-2],
        *json.loads(world.openid.service_account_key.read_text())["private_key"].splitlines()[2:-2],
    ]
    return {world.openid.client_secret, *lines}


def test_nothing_tells_a_secret(world):
    said = ""
    for name, way in world.ways.items():
        if way.by in BY_PERSON:
            said += world.sign_in(name)
        world.deliver(name, f"first@{name}.example")
    secrets = keys(world) | tokens(world)
    # The server is told of tokens that it refuses, and says so.
    world.openid.revoke("access")
    for name in world.ways:
        world.deliver(name, f"second@{name}.example")
    # Nobody gets any more.
    secrets |= tokens(world)
    world.openid.revoke("access")
    world.openid.revoke("refresh")
    for name in world.ways:
        world.hand_in((name, f"third@{name}.example"))
    until(
        lambda: all(world.state(name)["state"] in ("login", "ok") for name in world.ways),
        "all have found out",
    )
    assert len(secrets) > 50

    kept = world.relay.spool / "tokens" / f"{CODE.replace('_', '-')}.json"
    assert found_in(kept.read_bytes(), secrets)
    assert found_in(
        base64.b64encode(b"user=x\1auth=Bearer " + max(tokens(world)).encode()), secrets
    )
    for place, octets in places(world, said):
        assert found_in(octets, secrets) == [], place


def places(world, said):
    """Yield all that somebody else may read, with its name."""
    yield "what the commands say", said.encode()
    yield "log", world.relay.log.read_bytes()
    for file in world.relay.spool.rglob("*"):
        if file.is_file() and file.parent.name != "tokens":
            yield str(file), file.read_bytes()
    for path in PATHS:
        with contextlib.closing(Control(world.relay.spool)) as control:
            yield path, control.ask("GET", path).read()
    for name in world.ways:
        yield name, json.dumps(world.state(name)).encode()
    for pid in (world.relay.process.pid, *world.relay.children()):
        for what in ("environ", "cmdline"):
            yield f"{pid} {what}", (PROC / str(pid) / what).read_bytes()
