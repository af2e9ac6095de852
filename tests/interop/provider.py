"""Providers of `multisendcon_plugin.testing` in a process of their own.

Run as a program, it is one provider: the settings are JSON in its argument, each mail that it gets
is a line of JSON on its output.  `watched` is another such program.
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
from pathlib import Path

import attrs

from multisendcon_plugin.testing import Authority, Provider, ReceivedMail
from tests.interop.programs import ROOT


class ProviderProcess:
    """A provider.

    :param settings: those of `multisendcon_plugin.testing.Provider`, of types that JSON knows;
        `tls` is true or false.
    :ivar ca: the file with the authority that signed its certificate.
    """

    program = "tests.interop.provider"

    def __init__(self, folder, address, **settings):
        self.address = address
        self.ca = Path(folder) / f"{address}.pem"
        self._settings = {**settings, "address": address, "ca": str(self.ca)}
        self._lines = queue.Queue()

    def command(self):
        return [sys.executable, "-m", self.program, json.dumps(self._settings)]

    def __enter__(self):
        self._begin()
        self.port = self._lines.get(timeout=30)["port"]
        return self

    def _begin(self, **how):
        """Start the program, and read what it says."""
        self._process = subprocess.Popen(
            self.command(),
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            **how,
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def __exit__(self, *_):
        self._process.kill()
        self._process.wait()
        self._reader.join()
        self._process.stdin.close()
        self._process.stdout.close()

    def _read(self):
        for line in self._process.stdout:
            self._take(json.loads(line))

    def _take(self, fields):
        self._lines.put(fields)

    def mail(self, timeout=30):
        """Wait for the next mail, and return it."""
        fields = self._lines.get(timeout=timeout)
        return ReceivedMail(
            **{
                **fields,
                "recipients": tuple(fields["recipients"]),
                "content": fields["content"].encode("latin-1"),
            }
        )

    def no_mail(self):
        """Tell whether no mail has come since the last one that was asked for."""
        return self._lines.empty()

    def forget(self):
        """Forget the mails that nobody has asked for."""
        while not self._lines.empty():
            self._lines.get()


def say(**fields):
    """Tell the test something."""
    print(json.dumps(fields), flush=True)


def _received(mail):
    fields = attrs.asdict(mail)
    say(**{**fields, "content": mail.content.decode("latin-1")})


def main(provider_class, **more):
    """Be a provider, until the test ends it."""
    from twisted.internet import reactor

    settings = json.loads(sys.argv[1])
    address, ca = settings.pop("address"), settings.pop("ca")
    authority = Authority()
    authority.write(Path(ca))
    if settings.get("tls"):
        settings["tls"] = authority.server(address)
    else:
        settings.pop("tls", None)
    provider = provider_class(reactor, **settings, **more)
    say(port=provider.listen(address))
    reactor.run()


if __name__ == "__main__":
    main(Provider, received=_received)
