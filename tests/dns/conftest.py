from __future__ import annotations

import pytest

from tests.dns.network import Network


@pytest.fixture
def network():
    network = Network()
    yield network
    network.close()
