"""The parts of the demonstration: three providers, and the accounts that lead to them.

One provider speaks TLS from the first octet and wants a login, one has STARTTLS, one is slow and
greylists.  Each has a loopback address of its own.  Three accounts are in trouble on purpose: one
has a wrong password, one a server that is not there, one a quota that is soon used up.
"""

from __future__ import annotations

import socket
from functools import partial
from pathlib import Path
from typing import Any

import attrs
from twisted.internet.error import CannotListenError

from ..configuration import Configuration, load
from ..mail.reply import Reply
from ..testing import Authority, Provider

#: Of the logins at the providers.
PASSWORD = "only for the demonstration"  # noqa: S105 -- of a provider that lives in this process


@attrs.frozen
class Stage:
    """The providers, listening, and the configuration of the relay, which is in a file."""

    providers: dict[str, Provider]
    configuration: Configuration


class Greylist:
    """Defers each recipient once, and for good one; refuses the local part "nobody"."""

    def __init__(self) -> None:
        self._seen: set[str] = set()

    def __call__(self, phase: str, about: str) -> Reply | None:
        """Answer a command: see `multisendcon_plugin.testing.Answer`."""
        if phase != "rcpt":
            return None
        if about.startswith("nobody@"):
            return Reply(550, "5.1.1", "no such user here")
        if about.endswith("@gmial.example"):
            return Reply(450, "4.1.2", "there is no domain gmial.example; is it misspelled?")
        if about not in self._seen:
            self._seen.add(about)
            return Reply(450, "4.7.1", "greylisted, come back in a moment")
        return None


def set_up(reactor: Any, folder: Path, port: int, received: Any) -> Stage:
    """Start the providers, and make the accounts that lead to them.

    :param folder: takes the spool, the authority's certificate, and the configuration, so that the
        command line finds the relay.
    :param port: where the relay is to listen.
    :param received: called with a provider's name and each `ReceivedMail`.
    """
    authority = Authority("Authority of the demonstration")
    tls = authority.server("127.0.1.1", "127.0.1.2")
    users = {"sales": PASSWORD, "support": PASSWORD}
    cast: tuple[tuple[str, str, int, dict[str, Any]], ...] = (
        ("secure", "127.0.1.1", 465, {"users": users, "tls": tls, "implicit_tls": True}),
        ("bulk", "127.0.1.2", 587, {"tls": tls}),
        ("slow", "127.0.1.3", 25, {"answer": Greylist(), "delay": 0.3}),
    )
    providers, ports = {}, {}
    for name, interface, usual_port, what in cast:
        host = f"mx.{name}.example"
        told = partial(received, host)
        providers[host] = Provider(reactor, hostname=host, received=told, **what)
        ports[name] = listen(providers[host], interface, usual_port)
    ca = authority.write(folder / "authority.pem")
    ports["nowhere"] = free_port("127.0.1.4")
    text = _CONFIGURATION.format(port=port, folder=folder, ca=ca, password=PASSWORD, **ports)
    file = folder / "multisendcon.toml"
    file.touch(mode=0o600)  # it has a password
    file.write_text(text, "utf-8")
    return Stage(providers, load(file))


def listen(provider: Provider, interface: str, port: int) -> int:
    """Listen on the usual port, or on a free one where that cannot be had; return it."""
    try:
        return provider.listen(interface, port)
    except CannotListenError:
        return provider.listen(interface)


def free_port(interface: str, wanted: int = 0) -> int:
    """Return a port on which nobody listens: the wanted one, unless it is taken."""
    for port in (wanted, 0):
        with socket.socket() as attempt:
            attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                attempt.bind((interface, port))
                attempt.listen()
            except OSError:
                continue
            return int(attempt.getsockname()[1])
    raise OSError(f"there is no free port on {interface}")


_CONFIGURATION = """\
[master_relay]
listen = ["tcp:port={port}:interface=127.0.0.1"]
hostname = "relay.example.com"

[spool]
path = "{folder}/spool"

[delivery]
retry = ["3s", "1m", "10m"]

[[account]]
name = "Partner"
server = "127.0.1.2"
port = {bulk}
tls_ca = "{ca}"
local_address = "127.0.0.12"
helo_domain = "partner.example.com"
senders = "*"
recipients = "*@partner.example"

[[account]]
name = "Sales"
server = "127.0.1.1"
port = {secure}
tls = "implicit"
tls_ca = "{ca}"
username = "sales"
password = "{password}"
local_address = "127.0.0.11"
helo_domain = "mail.sales.example.com"
senders = "*@sales.example.com"
fixed_sender = "sales@example.com"
fixed_sender_unless_private = true

[[account]]
name = "Newsletter"
server = "127.0.1.2"
port = {bulk}
tls_ca = "{ca}"
local_address = "127.0.0.13"
helo_domain = "news.example.com"
minimum_wait = 1.5
senders = "news@example.com"

# The password is wrong: mend it on the page, under Accounts.
[[account]]
name = "Support"
server = "127.0.1.1"
port = {secure}
tls = "implicit"
tls_ca = "{ca}"
username = "support"
password = "a wrong one"
senders = "*@help.example.com"

# Nobody listens there: the account rests, and its mail waits.
[[account]]
name = "Branch office"
server = "127.0.1.4"
port = {nowhere}
senders = "*@branch.example.com"

[[account]]
name = "Shop"
server = "127.0.1.2"
port = {bulk}
tls_ca = "{ca}"
quota = ["3 mails/1h"]
senders = "*@shop.example.com"

[[account]]
name = "All others"
server = "127.0.1.3"
port = {slow}
local_address = "127.0.0.14"
helo_domain = "mail.example.com"
senders = "*"
"""
