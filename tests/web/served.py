"""A program that serves the API of a desk on a port of loopback, and says on which."""

from __future__ import annotations

import time

from twisted.internet import reactor
from twisted.internet.defer import succeed

from multisendcon_plugin.configuration.changes import ReloadSummary
from multisendcon_plugin.logins import Logins
from multisendcon_plugin.operations.account_tests import AccountTests
from multisendcon_plugin.operations.explanation import explain
from multisendcon_plugin.relay import Relays
from multisendcon_plugin.settings.values import MasterRelay
from multisendcon_plugin.web.root import make_root
from multisendcon_plugin.web.site import ApiSite
from tests.operations.desk import Desk
from tests.operations.paper import with_paper
from tests.operations.test_history import FakeHistory


def main():
    history = FakeHistory(30)
    logins = Logins(reactor)
    relays = Relays(reactor, 5, logins.of)
    tests = AccountTests(relays, lambda: 1000, time.time)
    settings = MasterRelay(hostname="relay.example")
    desk = Desk(
        history=lambda: history,
        reload=lambda: succeed(ReloadSummary(added=("A",))),
        explain=lambda question: explain(settings, desk.registry, question, time.time()),
        tests=tests,
        sign_ins=logins,
        **with_paper(),
    )
    for n in range(300):
        (mail,) = desk.mail((("Sales", "Lab")[n % 2], "one@far.example"))
        if n % 3:
            desk.put(mail, held=True, attempts=n, last_reply="451 later")
    site = ApiSite(make_root(desk.operations, reactor), reactor)
    port = reactor.listenTCP(0, site, interface="127.0.0.1")
    print(port.getHost().port, flush=True)
    reactor.run()


if __name__ == "__main__":
    main()
