"""What serves the page, from its start to its end."""

from __future__ import annotations

from twisted.internet.address import IPv4Address
from twisted.internet.testing import MemoryReactorClock

from multisendcon_plugin.page.live import EVERY
from multisendcon_plugin.page.server import WebServer
from tests.page.viewer import Viewer


def test_nothing_of_the_page_goes_on_after_its_end():
    viewer = Viewer()
    reactor = MemoryReactorClock()
    server = WebServer(viewer.settings, lambda: viewer.page, reactor)
    server.privilegedStartService()
    assert reactor.tcpServers[0][1].buildProtocol(IPv4Address("TCP", "127.0.0.1", 50000))
    page = viewer.open()
    viewer.desk.clock.advance(EVERY)
    page.connection.lose()
    server.stopService()
    assert viewer.desk.clock.getDelayedCalls() == []
