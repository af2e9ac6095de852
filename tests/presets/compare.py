"""Compares the servers of the presets with two lists that others maintain.

Once a release, by hand: ``python -m tests.presets.compare FOLDER [services.json]``, with a checkout
of https://github.com/thunderbird/autoconfig and nodemailer's ``lib/well-known/services.json``.
It prints what differs; somebody has to judge it, and to write the dates anew.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from pathlib import Path
from xml.etree import ElementTree

from multisendcon_plugin import presets

#: What the sources in providers.toml begin with, and what TLS is called in the lists.
AUTOCONFIG = "Thunderbird's autoconfig"
NODEMAILER = "Nodemailer's list"
TLS = {"SSL": "implicit", "STARTTLS": "starttls", True: "implicit", False: "starttls"}


def autoconfig(folder):
    """Return how servers are reached, by name: ports with their TLS."""
    known = defaultdict(set)
    for path in sorted(Path(folder).glob("ispdb/*.xml")):
        for server in ElementTree.parse(path).iter("outgoingServer"):
            tls = TLS.get(server.findtext("socketType"), "none")
            known[server.findtext("hostname")].add((int(server.findtext("port")), tls))
    return known


def nodemailer(path):
    """Return the same of the other list."""
    known = defaultdict(set)
    for each in json.loads(Path(path).read_text("utf-8")).values():
        if "host" in each:
            way = (int(each.get("port", 587)), TLS[each.get("secure", False)])
            known[each["host"]].add(way)
    return known


def differences(name, known):
    """Yield a line for each preset that a list has otherwise, or not any more."""
    for preset in map(presets.of, presets.names()):
        keys = preset.keys
        server = keys.get("server")
        source = next((f.source for f in preset.figures if f.key == "server" and f.applied), "")
        way = (keys.get("port"), keys.get("tls"))
        if server not in known:
            if source.startswith(name):
                yield f"{preset.name}: {server} is not in {name} any more"
        elif way not in known[server]:
            theirs = " or ".join(f"{port} {tls}" for port, tls in sorted(known[server]))
            yield f"{preset.name}: {server} has {way[0]} {way[1]}, and {theirs} in {name}"


def main(folder, services=None):
    """Print what differs; return how many lines these are."""
    found = list(differences(AUTOCONFIG, autoconfig(folder)))
    if services:
        found += differences(NODEMAILER, nodemailer(services))
    print(*found, sep="\n")
    return len(found)


if __name__ == "__main__":
    sys.exit(bool(main(*sys.argv[1:])))
