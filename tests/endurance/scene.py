"""What an attack is, and what it finds when it is played."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable

import attrs

from tests.endurance.caller import Caller

MIB = 1024 * 1024
#: Whom the relay lets in: an honest client, and a network of clients that mean harm.
ALLOWED = ("127.0.0.1", "127.1.0.0/16")
#: Whom it does not: addresses of these networks.
STRANGERS = "127.66"


@attrs.frozen(kw_only=True)
class Scene:
    """A relay that is attacked.

    :param address: its address and port.
    :param folder: where it runs.
    :param options: those of the run.
    :param sink: takes the mail that leaves.
    :ivar taken: recipients of those mails of the attack that were taken, and are to arrive.
    """

    address: tuple[str, int]
    folder: object
    options: object
    sink: object
    taken: list[str] = attrs.field(factory=list)

    def call(self, source="127.1.0.1", *, address=None, **settings):
        """Connect from an address; return the `Caller`, the greeting read."""
        return Caller(address or self.address, source, **settings)

    def log(self):
        """Return what the relay's log says so far."""
        return (self.folder / "relay.log").read_bytes().decode()


@contextlib.contextmanager
def threads(jobs):
    """Let functions run beside a block, which ends when they have."""
    running = [threading.Thread(target=job) for job in jobs]
    for each in running:
        each.start()
    yield
    for each in running:
        each.join()


@contextlib.contextmanager
def _nothing(_folder):
    yield ""


@attrs.frozen(kw_only=True)
class Attack:
    """An attack.

    :param play: is given a `Scene`, yields what went wrong.
    :param told: what a line of the log says of it; None: nothing has to be said.
    :param settings: further keys of `[master_relay]`.
    :param allow: addresses that may connect, too.
    :param listen: where the relay listens besides.
    :param world: is given a folder; runs what else there is, and gives tables of the
        configuration, whose accounts come before that of the sink.
    :param clients: a table `[[client]]`.
    :param masks: of the senders of the user who may log in.
    :param recipients: of the sink's account, as a mask.
    :param users: an honest stranger logs in meanwhile.
    :param fixed_sender: of the sink's account.
    :param growth: MiB that it may take, when those are not what the run's options say.
    :param share: of a CPU, likewise.
    """

    play: Callable = attrs.field(kw_only=False)
    told: str | None = None
    settings: str = ""
    allow: tuple[str, ...] = ()
    listen: tuple[str, ...] = ()
    world: Callable = _nothing
    clients: str = ""
    masks: str = ""
    recipients: str = "*"
    users: bool = False
    fixed_sender: str = ""
    growth: float | None = None
    share: float | None = None

    @property
    def name(self):
        return self.play.__name__
