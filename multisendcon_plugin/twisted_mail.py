"""Imports `twisted.mail.smtp` without a question to the DNS.

That module asks for the full name of this machine when it is imported, for defaults that the relay
does not use.  With a dead DNS, each process would start ten seconds late.  So it has to be imported
here first, before any other module of the package imports it.
"""

from __future__ import annotations

import socket

from .settings.hostname import own_hostname


def _ascii_hostname() -> str:
    name = own_hostname()
    return name if name.isascii() else "localhost"


_getfqdn = socket.getfqdn
socket.getfqdn = _ascii_hostname  # type: ignore[assignment]
try:
    import twisted.mail.smtp  # noqa: F401
finally:
    socket.getfqdn = _getfqdn
