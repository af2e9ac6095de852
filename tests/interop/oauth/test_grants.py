"""Each grant gets a token from a real provider, with which a real server takes mail."""

from __future__ import annotations

import itertools

import pytest

from tests.interop.conftest import open_temporary_folder
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

pytestmark = NEEDED

MECHANISMS = ("xoauth2", "oauthbearer")
GRANTS = (SECRET, CERTIFICATE, SERVICE, DEVICE, CODE)


def name_of(grant, mechanism):
    return f"{grant}-{mechanism}".replace("_", "-")


@pytest.fixture(scope="module")
def world():
    ways = [
        Way(
            name=name_of(grant, mechanism),
            by=grant,
            number=MECHANISMS.index(mechanism),
            settings={"auth": f'"{mechanism}"'},
        )
        for grant, mechanism in itertools.product(GRANTS, MECHANISMS)
    ]
    with open_temporary_folder() as folder, World(folder, *ways) as world:
        yield world


@pytest.mark.parametrize("mechanism", MECHANISMS)
@pytest.mark.parametrize("grant", GRANTS)
def test_a_mail_leaves_by_a_token(world, grant, mechanism):
    name = name_of(grant, mechanism)
    recipient = f"{name}@customer.example"
    world.hand_in((name, recipient))
    if grant in BY_PERSON:
        # Beside the relay that runs, and has found out that nobody has signed in.
        world.sign_in(name, pastes=mechanism == "oauthbearer")
    world.arrived(recipient)
    assert world.server.logins()[-1] == (world.ways[name].mailbox, mechanism.upper())
    standing = world.state(name)
    assert standing["state"] == "ok"
    assert standing["login"]["kind"] == "token"
    assert (standing["login"]["unused_since"] is not None) == (grant in BY_PERSON)
