"""``python -m multisendcon_plugin.front``: started by twistd, for nobody else's use."""

from twisted.internet import reactor

from .program import run

run(reactor)
