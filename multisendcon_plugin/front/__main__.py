"""``python -m multisendcon_plugin.front``: started by twistd only."""

from twisted.internet import reactor

from .program import run

run(reactor)
