"""Debian's name servers: Knot has the zones, and signs them; Unbound asks it, and verifies.

Both run in a folder of the test, on free ports of loopback addresses, and ask nobody else: Knot
has the root, too.  They need only have been unpacked from their packages.
"""

from __future__ import annotations

import contextlib
import re

import dns.flags
import dns.message
import dns.query
import dns.rcode

from tests.interop.dns.zones import Zone
from tests.interop.programs import Program, free_port, needs, program, run, until

#: What a rig of name servers needs.
NEEDED = needs("knotd", "keymgr", "unbound")

_KNOT = """
server:
    rundir: {folder}/knot
    listen: {address}@{port}
database:
    storage: {folder}/knot
log:
  - target: stderr
    any: info
policy:
  - id: signed
    algorithm: ecdsap256sha256
    single-type-signing: on
template:
  - id: default
    storage: {folder}/zones
    zonefile-load: difference-no-serial
    zonefile-sync: -1
    journal-content: all
  - id: signed
    storage: {folder}/zones
    zonefile-load: difference-no-serial
    zonefile-sync: -1
    journal-content: all
    dnssec-signing: on
    dnssec-policy: signed
zone:
"""
_UNBOUND = """
server:
    interface: {address}
    port: {port}
    directory: "{folder}"
    chroot: ""
    username: ""
    pidfile: ""
    use-syslog: no
    logfile: ""
    verbosity: 1
    access-control: 127.0.0.0/8 allow
    # The servers that it asks, and the addresses that they name, are here.
    do-not-query-localhost: no
    local-zone: "test." nodefault
    local-zone: "127.in-addr.arpa." nodefault
    module-config: "validator iterator"
    # All zones are at one server, which is asked at once for what is wanted.
    qname-minimisation: no
    # The order of addresses is that of their numbers, which Knot has put them in.
    rrset-roundrobin: no
    root-hints: ""
    msg-cache-size: 64m
    rrset-cache-size: 64m
    so-reuseport: no
    {anchors}
remote-control:
    control-enable: no
{stubs}
"""
_STUB = """
stub-zone:
    name: "{name}."
    stub-addr: {address}@{port}
"""


class Knot(Program):
    """The server that has the zones.

    :param zones: the root is added.
    """

    def __init__(self, folder, zones, address="127.0.2.8"):
        super().__init__("knot", folder)
        self.address, self.port = address, free_port(address)
        self._zones = {}
        for name in ("knot", "zones"):
            (self.folder / name).mkdir()
        for zone in [Zone(""), *zones]:
            self._write(zone, serial=1)
        self._serial = 1
        self._configuration = self.folder / "knot.conf"
        self._configuration.write_text(self._text())

    def _text(self):
        head = _KNOT.format(folder=self.folder, address=self.address, port=self.port)
        return head + "".join(
            f'  - domain: "{zone.name}."\n    template: {"signed" if zone.has_key else "default"}\n'
            f"    file: {_file_of(zone)}\n"
            for zone in self._zones.values()
        )

    def _write(self, zone, serial):
        self._zones[zone.name] = zone
        (self.folder / "zones" / _file_of(zone)).write_text(zone.text(serial))

    def command(self):
        return [program("knotd"), "-c", str(self._configuration)]

    def start(self):
        for zone in self._zones.values():
            if zone.has_key:
                self._keys("generate", zone, "algorithm=ecdsap256sha256", "ksk=yes", "zsk=yes")
        super().start()
        self.listens_at((self.address, self.port))
        for zone in self._zones.values():
            until(lambda zone=zone: self._serves(zone), f"{zone.name} is served")

    def _keys(self, what, zone, *more):
        done = run("keymgr", "-c", self._configuration, f"{zone.name}.", what, *more)
        if done.returncode:
            raise RuntimeError(f"keymgr: {done.stdout}")
        return done.stdout

    def _serves(self, zone):
        """Tell whether a zone is there, and signed if it has to be."""
        reply = ask(self, zone.name or ".", "SOA", dnssec=True)
        types = {rrset.rdtype.name for rrset in reply.answer}
        return types >= ({"SOA", "RRSIG"} if zone.has_key else {"SOA"})

    def anchors(self):
        """Return the keys by which those who verify know the zones: DS records, as texts."""
        anchors = []
        for zone in self._zones.values():
            if zone.has_key:
                said = self._keys("ds", zone)
                (anchor,) = re.findall(r"^(\S+ DS \d+ 13 2 [0-9a-f]{64})$", said, re.MULTILINE)
                anchors.append(anchor if zone.signed else f"{anchor[:-64]}{'5' * 64}")
        return anchors

    def change(self, zone):
        """Have another content of a zone from now on."""
        self._serial += 1
        before = self._zones[zone.name]
        if zone.has_key != before.has_key:
            raise ValueError(f"{zone.name} was signed or not, and stays so")
        self._write(zone, self._serial)
        serial = _serial(ask(self, zone.name or ".", "SOA"))
        self.signal_reload()
        until(lambda: _serial(ask(self, zone.name or ".", "SOA")) != serial, f"{zone.name} changes")

    def signal_reload(self):
        """Have it read its files anew."""
        done = run("knotc", "-c", self._configuration, "zone-reload")
        if done.returncode:
            raise RuntimeError(f"knotc: {done.stdout}")


class Unbound(Program):
    """The server that is asked: it verifies, and keeps what it has heard.

    :param knot: has all zones.
    :param elsewhere: addresses and ports of other servers, by zone.
    :param port: a free one, unless one is given.
    """

    def __init__(self, folder, knot, elsewhere=(), address="127.0.2.9", port=None):
        super().__init__("unbound", folder)
        self.address, self.port = address, port or free_port(address)
        stubs = {"": (knot.address, knot.port), **dict(elsewhere)}
        self._configuration = self.folder / "unbound.conf"
        self._configuration.write_text(
            _UNBOUND.format(
                folder=self.folder,
                address=self.address,
                port=self.port,
                anchors="\n    ".join(f'trust-anchor: "{each}"' for each in knot.anchors()),
                stubs="".join(
                    _STUB.format(name=name, address=address, port=port)
                    for name, (address, port) in stubs.items()
                ),
            )
        )

    def command(self):
        return [program("unbound"), "-d", "-p", "-c", str(self._configuration)]

    def start(self):
        super().start()
        self.listens_at((self.address, self.port))


class NameServers:
    """Knot and Unbound, in a folder.

    :param zones: as `Knot` takes them.
    :param more: as `Unbound` takes it.
    """

    def __init__(self, folder, zones, **more):
        self._folder = folder
        self._zones = zones
        self._more = more
        self._running = contextlib.ExitStack()

    def __enter__(self):
        with contextlib.ExitStack() as entered:
            self.knot = entered.enter_context(Knot(self._folder, self._zones))
            self.unbound = entered.enter_context(Unbound(self._folder, self.knot, **self._more))
            self._running = entered.pop_all()
        return self

    def __exit__(self, *_):
        self._running.close()

    @property
    def endpoint(self):
        """Where to ask, as `[dns]` has it."""
        return f"{self.unbound.address}:{self.unbound.port}"


def ask(server, name, rdtype, *, dnssec=False):
    """Ask a server, and return its reply.

    :param server: has `address` and `port`.
    """
    query = dns.message.make_query(name, rdtype, want_dnssec=dnssec)
    query.flags |= dns.flags.AD
    reply, _ = dns.query.udp_with_fallback(query, server.address, 30, server.port)
    return reply


def _serial(reply):
    return next(rrset[0].serial for rrset in reply.answer if rrset.rdtype.name == "SOA")


def _file_of(zone):
    return f"{zone.name or 'root'}.zone"
