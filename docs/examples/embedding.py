"""A shop that confirms orders by mail, with a relay of its own inside.

Say ``python embedding.py CONFIGURATION CUSTOMER``; Ctrl-C ends it.
"""

from __future__ import annotations

import sys
from typing import Any

from twisted.application.service import MultiService
from twisted.internet.defer import Deferred
from twisted.internet.task import react

from multisendcon_plugin import Envelope, RelayService, load

CONFIRMATION = """\
From: The Shop <orders@shop.example>
To: <{customer}>
Subject: Your order

Thank you, it is on its way.
"""


class Shop(MultiService):
    """The application: its relay is a child service, beside whatever else it has."""

    def __init__(self, relay: RelayService) -> None:
        super().__init__()
        self.relay = relay
        relay.setServiceParent(self)

    async def confirm(self, customer: str) -> str:
        """Hand in a confirmation; when the queue id is here, the relay answers for the mail."""
        return await self.relay.submit(
            Envelope(reverse_path="orders@shop.example", recipients=(customer,)),
            CONFIRMATION.format(customer=customer).encode(),
        )


async def main(reactor: Any, configuration: str, customer: str) -> None:
    """Run the shop until it is stopped."""
    shop = Shop(RelayService(load(configuration), reactor))
    # Mails that are on their way may finish, and the spool is closed in good order.
    reactor.addSystemEventTrigger("before", "shutdown", shop.stopService)
    shop.privilegedStartService()
    shop.startService()
    print(f"queued as {await shop.confirm(customer)}", flush=True)
    await Deferred()


if __name__ == "__main__":
    react(main, sys.argv[1:])
