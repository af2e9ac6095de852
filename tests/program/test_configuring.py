"""The configuration of a relay changed while it runs: the file, the relay, and mail."""

from __future__ import annotations

import stat
import sys

import pytest
from twisted.internet.defer import Deferred, DeferredList

from multisendcon_plugin import RelayService, load, parse
from multisendcon_plugin.errors import EditRefusedError
from multisendcon_plugin.operations.configured import AccountKeys, NewText, Seen
from multisendcon_plugin.operations.errors import RefusedError
from multisendcon_plugin.service.own_file import OwnFile
from tests.live_relay import SENDER, LiveRelayTestCase, account

NOWHERE = "127.0.0.9"


class Configuring(LiveRelayTestCase):
    """An admin, and a relay with a file."""

    front_process = False

    def text(self, *accounts, listen="tcp:port=0:interface=127.0.0.1"):
        return f"""\
[master_relay]
listen = ["{listen}"]  # one port
hostname = "relay.example"
[spool]
path = "{self.folder}/spool"
[delivery]
# Nothing yet.
""" + "".join(accounts)

    def begin(self, *accounts):
        self.file = self.folder / "relay.toml"
        self.write(self.text(*accounts))
        self.begin_with(load(self.file))

    def begin_with(self, configuration):
        self.service = RelayService(configuration, self.reactor, front_process=self.front_process)
        self.addCleanup(lambda: self.service.running and self.service.stopService())
        self.service.privilegedStartService()
        self.service.startService()
        self.configuring = self.service.operations.configuring

    def write(self, text):
        self.file.write_text(text)
        self.file.chmod(0o600)

    async def seen(self, *, dry_run=False):
        return Seen(hash=(await self.configuring.configuration()).hash, dry_run=dry_run)

    def save(self, seen, text):
        new = NewText(seen=seen, text=text)
        return Deferred.fromCoroutine(self.configuring.configure(new))

    async def test_a_change_holds_for_the_next_mail_and_is_in_the_file(self):
        first, second = self.provider(), self.provider()
        self.begin(account("A", first), account("B", second, senders=["b@b.example"]))
        await self.send()
        await first.wait_for(1)
        keys = {"values": {"senders": [SENDER]}}
        told = await self.configuring.configure_account(
            "B", AccountKeys(seen=await self.seen(dry_run=True), **keys)
        )
        assert told.changed == ("B",)
        # A comes first.
        assert (told.effects.looked_at, told.effects.changed) == (1, ())
        keys = {"values": {"senders": ["c@c.example"]}}
        seen = await self.seen()
        done = await self.configuring.configure_account("A", AccountKeys(seen=seen, **keys))
        (changed,) = done.effects.changed
        assert (changed.sender, changed.before, changed.after) == (SENDER, "A", None)
        done = await self.configuring.configure_account(
            "B", AccountKeys(seen=Seen(hash=done.hash), values={"senders": [SENDER]})
        )
        await self.send()
        assert len(await second.wait_for(1)) == 1
        assert "# one port" in self.file.read_text()
        assert stat.S_IMODE(self.file.stat().st_mode) == 0o600
        assert len(list(self.folder.glob("relay.toml.backup-*"))) == 2
        assert load(self.file) == self.service.configuration

    async def test_a_port_that_cannot_be_opened_is_not_left_in_the_file(self):
        self.begin(account("A", server=NOWHERE))
        before = self.file.read_text()
        text = self.text(account("B", server=NOWHERE), listen="tcp:port=0:interface=192.0.2.99")
        with pytest.raises(RefusedError, match="nothing has changed") as refused:
            await self.save(await self.seen(), text)
        assert refused.value.faults[0].startswith("cannot listen on")
        assert self.file.read_text() == before
        assert [each.name for each in self.service.registry] == ["A"]
        assert (await self.configuring.configuration()).differs_from_running == ""

    async def test_what_was_edited_by_hand_and_loaded_meanwhile_stays(self):
        self.begin(account("A", server=NOWHERE))
        seen = await self.seen()
        by_hand = self.text(account("A", server=NOWHERE), account("Hand", server=NOWHERE))
        self.write(by_hand)
        told = await self.configuring.configuration()
        assert '+name = "Hand"' in told.differs_from_running
        assert told.faults == ()
        await self.service.reload()
        assert (await self.configuring.configuration()).differs_from_running == ""
        with pytest.raises(RefusedError, match="has been changed since it was read"):
            await self.save(seen, self.text(account("B", server=NOWHERE)))
        assert self.file.read_text() == by_hand

    async def test_of_two_at_once_one_wins(self):
        self.begin(account("A", server=NOWHERE))
        seen = await self.seen()
        texts = [self.text(account(name, server=NOWHERE)) for name in ("B", "C")]
        saved = [self.save(seen, each) for each in texts]
        results = await DeferredList(saved, consumeErrors=True)
        assert sorted(good for good, _ in results) == [False, True]
        (won,) = [text for text, (good, _) in zip(texts, results, strict=True) if good]
        assert self.file.read_text() == won
        assert self.service.configuration.text == won

    async def test_a_reload_at_the_same_time_takes_nothing_away(self):
        self.begin(account("A", server=NOWHERE))
        text = self.text(account("B", server=NOWHERE))
        saving = self.save(await self.seen(), text)
        await DeferredList([saving, self.service.reload()], fireOnOneErrback=True)
        await self.service.reload()
        assert [each.name for each in self.service.registry] == ["B"]

    async def test_a_relay_that_is_stopped_meanwhile_has_what_is_in_its_file(self):
        self.begin(account("A", server=NOWHERE))
        saving = self.save(await self.seen(), self.text(account("B", server=NOWHERE)))
        await self.service.stopService()
        await saving
        assert self.service.configuration.text == self.file.read_text()
        with pytest.raises(RefusedError, match="the relay is being stopped"):
            await self.save(await self.seen(), self.text(account("C", server=NOWHERE)))


class ConfiguringWithAFrontProcess(Configuring):
    front_process = True


class WithoutWhatItNeeds(LiveRelayTestCase):
    async def test_without_a_file_that_is_said(self):
        self.relay(account("A", server=NOWHERE))
        with pytest.raises(RefusedError, match="was not started with a file"):
            await self.service.operations.configuring.configuration()


def test_without_the_extra_its_command_is_told(monkeypatch):
    from multisendcon_plugin import editing

    monkeypatch.delattr(editing, "edits", raising=False)
    monkeypatch.setitem(sys.modules, "multisendcon_plugin.editing.edits", None)
    own = OwnFile(lambda: None, lambda _: None, lambda: 0.0)
    with pytest.raises(EditRefusedError, match=r"run: pip install 'multisendcon\[web\]'"):
        _ = own.editing


def test_what_was_no_file_has_no_text():
    assert parse('[[account]]\nname = "A"\nserver = "a.example"\n').text is None
