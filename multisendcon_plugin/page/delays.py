"""How long somebody has to wait who has signed in with a wrong password.

By the address, so that nobody keeps others out.  Pure.
"""

from __future__ import annotations

from collections import OrderedDict

import attrs

from .addresses import address_of

#: Wrong passwords that cost nothing; then a second, twice as long each time.
FREE = 3
LONGEST = 300.0
#: Seconds after which the wrong passwords of an address are forgotten.
FORGOTTEN = 3600.0
#: Addresses that are remembered; the oldest is forgotten first.
MOST = 10_000


@attrs.define
class _Failures:
    count: int = 0
    opens_at: float = 0.0


class Delays:
    """The delays of all addresses."""

    def __init__(self) -> None:
        self._failures: OrderedDict[str, _Failures] = OrderedDict()

    def left(self, address: str, now: float) -> float:
        """Return for how many seconds an address has to wait."""
        failures = self._failures.get(network_of(address))
        return max(failures.opens_at - now, 0.0) if failures else 0.0

    def failed(self, address: str, now: float) -> None:
        """A password was wrong."""
        network = network_of(address)
        failures = self._failures.pop(network, None)
        if failures is None or now >= failures.opens_at + FORGOTTEN:
            failures = _Failures()
        failures.count += 1
        beyond = failures.count - FREE
        failures.opens_at = now + (min(2.0**beyond, LONGEST) if beyond >= 0 else 0.0)
        self._failures[network] = failures
        if len(self._failures) > MOST:
            self._failures.popitem(last=False)

    def succeeded(self, address: str) -> None:
        """A password was right."""
        self._failures.pop(network_of(address), None)


def network_of(address: str) -> str:
    """Return an address, or the /64 network of one of IPv6: one client has as many as it likes."""
    found = address_of(address)
    if found is None:
        return address
    return str(found) if found.version == 4 else found.exploded[:19]
