"""The control socket of a relay that runs in a process of its own."""

from __future__ import annotations

import socket
import stat

import pytest

from multisendcon_plugin import RelayService, parse
from multisendcon_plugin.errors import ListenError
from tests.benchmarks.growth import ended, fill
from tests.interop.programs import until
from tests.interop.relay import Relay, account
from tests.live_relay import LiveRelayTestCase
from tests.web.live import Control

#: Refuses connections: what waits for it goes on waiting.
NOWHERE = account("A0", "127.0.0.9", 9)


@pytest.fixture
def relay(tmp_path):
    with ended(Relay(tmp_path, NOWHERE, settings="own_process = false\n")) as relay:
        yield relay


def started(relay):
    relay.start()
    until((relay.spool / "control.sock").exists, "the control socket is there")


def test_it_is_there_for_its_owner_as_long_as_the_relay_runs(relay):
    started(relay)
    file = (relay.spool / "control.sock").lstat()
    assert stat.S_ISSOCK(file.st_mode)
    assert stat.S_IMODE(file.st_mode) == 0o600
    status, answer = Control(relay.spool).json("GET", "status")
    assert status == 200
    assert [each["name"] for each in answer["accounts"]] == ["A0"]
    relay.stop()
    assert not (relay.spool / "control.sock").exists()


def test_what_a_killed_relay_has_left_is_replaced(relay):
    started(relay)
    relay.kill()
    with pytest.raises(ConnectionRefusedError):
        Control(relay.spool).connect()
    started(relay)
    until(lambda: listens(relay), "the new one listens")
    assert Control(relay.spool).json("GET", "status")[0] == 200


def listens(relay):
    try:
        Control(relay.spool).connect()
    except ConnectionRefusedError:
        return False
    return True


def test_clients_that_are_idle_or_do_not_read_keep_nobody_from_stopping_it(relay):
    fill(relay.spool, 2000, 1)
    started(relay)
    idle, listing, events = Control(relay.spool), Control(relay.spool), Control(relay.spool)
    idle.connect()
    assert listing.ask("GET", "queue").status == 200
    assert events.ask("GET", "events").status == 200
    relay.stop()
    for client in (idle, listing, events):
        client.close()


def test_a_long_list_waits_for_its_client_and_mail_does_not(relay):
    fill(relay.spool, 3000, 1)
    started(relay)
    with Control(relay.spool).ask("GET", "queue") as slow:
        assert slow.readline()
        with socket.create_connection((relay.address, relay.port), 30) as client:
            assert client.recv(512).startswith(b"220 ")
        rows = Control(relay.spool).lines("queue?limit=3")
        assert [row["sender"] for row in rows] == ["boss@0.example"] * 3
        assert len(slow.read().splitlines()) == 2999


def test_mail_is_held_and_deleted_on_disk(relay):
    fill(relay.spool, 30, 1)
    started(relay)
    control = Control(relay.spool)
    rows = control.lines("queue?limit=10")
    asked = {"ids": [row["id"] for row in rows]}
    status, answer = control.json("POST", "queue/hold", asked)
    assert (status, answer["changed"]) == (200, 10)
    assert relay.value("SELECT sum(held) FROM delivery") == 10
    status, answer = control.json("POST", "queue/delete", {"filter": {"state": "held"}})
    assert (status, answer["changed"]) == (200, 10)
    assert relay.value("SELECT count(*) FROM delivery") == 20
    assert control.json("GET", f"queue/{rows[0]['id']}")[0] == 404


class Embedded(LiveRelayTestCase):
    """The relay in an application."""

    async def start(self, **more):
        text = f"""
            [master_relay]
            listen = ["tcp:port=0:interface=127.0.0.1"]
            hostname = "relay.example"
            [spool]
            path = "{self.folder}/spool"
        """
        relay = RelayService(parse(text + NOWHERE), self.reactor, **more)
        relay.privilegedStartService()
        try:
            relay.startService()
        except ListenError:
            await relay.stopService()
            raise
        there = (self.folder / "spool" / "control.sock").exists()
        status = await relay.operations.status()
        await relay.stopService()
        assert not (self.folder / "spool" / "control.sock").exists()
        assert [each.name for each in status.accounts] == ["A0"]
        return there

    async def test_the_socket_is_there_if_the_application_wants_it(self):
        assert await self.start(control=True)
        assert not await self.start()

    async def test_what_is_in_its_place_keeps_the_relay_from_starting(self):
        await self.start()
        (self.folder / "spool" / "control.sock").write_text("mine")
        with pytest.raises(ListenError, match="it is there, and is no socket; move it away"):
            await self.start(control=True)
