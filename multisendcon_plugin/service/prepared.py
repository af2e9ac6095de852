"""What stands ready for another configuration, when all that can fail of it has been done."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
from twisted.internet.defer import Deferred

from ..edge.listening import NewPorts


@attrs.frozen
class Prepared:
    """What stands ready.

    :param serve: has clients served by it.
    :param metrics: the ports where they will be.
    :param web: likewise the page.
    """

    serve: Callable[[], Deferred[Any]]
    metrics: NewPorts
    web: NewPorts
