"""A configuration file in memory, with all that edits it."""

from __future__ import annotations

import hashlib

from twisted.internet.defer import fail, maybeDeferred, succeed

from multisendcon_plugin.configuration import needing_restart, parse, summary
from multisendcon_plugin.editing import edits
from multisendcon_plugin.editing.difference import difference
from multisendcon_plugin.editing.secrets import MASK, masked, unmasked
from multisendcon_plugin.errors import ConfigurationError, FileChangedError
from multisendcon_plugin.interfaces.configuring import CheckedText, StoredText
from multisendcon_plugin.routing.registry import AccountRegistry

TEXT = """\
# Ours.
[master_relay]
hostname = "relay.example"  # its name

[[client]]
addresses = ["192.0.2.0/24"]

# Who sells.
[[account]]
name = "Sales"
server = "mail.sales.example"
senders = ["*@sales.example"]
username = "sales"
password = "s3cret"  # never told

[[account]]
name = "Lab"
server = "mail.lab.example"
senders = ["*@lab.example"]

[[account]]
name = "All"
server = "mail.example"
"""


class Paper:
    """The file, and the relay that goes by it.

    :ivar text: of the file.
    :ivar held: the text that runs.
    :ivar written: all that was written.
    :ivar refuses: why the relay goes on with nothing else; ``None``: it does.
    :ivar meanwhile: is called once after the text was checked.
    """

    path = "/etc/multisendcon.toml"
    mask = MASK
    editing = edits
    masked = staticmethod(masked)
    unmasked = staticmethod(unmasked)
    difference = staticmethod(difference)

    def __init__(self, text=TEXT):
        self.text = self.held = text
        self.written = []
        self.refuses = None
        self.meanwhile = None

    @property
    def hash(self):
        return hashlib.sha256(self.text.encode()).hexdigest()

    def running(self):
        return self.held

    def read(self):
        return StoredText(text=self.text, hash=self.hash)

    def write(self, text, seen):
        if seen != self.hash:
            raise FileChangedError("it has been changed meanwhile")
        self.text = text
        self.written.append(text)
        return self.hash

    def check(self, text):
        before, after = parse(self.held), parse(text, self.path)
        if faults := needing_restart(before, after):
            raise ConfigurationError(faults)
        changes = summary(before, after, ["mind this"])
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile:
            meanwhile()
        return CheckedText(
            running=self.held,
            before=AccountRegistry(before.accounts),
            after=AccountRegistry(after.accounts),
            added=changes.added,
            removed=changes.removed,
            changed=changes.changed,
            tables=changes.tables,
            warnings=changes.warnings,
            hold=lambda: self._hold(text),
        )

    def _hold(self, text):
        if self.refuses is not None:
            return fail(self.refuses)
        self.held = text
        return succeed(None)


def with_paper(paper=None):
    """Return what a desk needs that has a file before it."""
    return {"file": paper or Paper(), "in_thread": maybeDeferred}
