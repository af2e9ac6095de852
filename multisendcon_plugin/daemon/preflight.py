"""Checks ports, certificates and the spool before twistd becomes a daemon.

It leaves nothing open: sockets and threads do not survive a fork.  The service checks again.
"""

from __future__ import annotations

import socket
import time

from ..configuration import Configuration
from ..edge.tls import ServerTLS, server_tls
from ..errors import ConfigurationError, ListenError
from ..settings.endpoints import Endpoint, parse_endpoint
from ..spool import check


def preflight(configuration: Configuration, *, spool: bool = True) -> None:
    """Look whether the relay could start now.

    :param spool: look at the spool too; not before user and group change, since files are made.
    :raise ConfigurationError: the certificate cannot be used.
    :raise ListenError: a port cannot be had.
    :raise SpoolError: the spool cannot be used.
    """
    settings = configuration.master_relay
    server_tls(settings, time.time)
    for description in settings.listen:
        _try_port(description)
    if spool:
        check(configuration.spool.path)


def _try_port(description: str) -> None:
    endpoint = parse_endpoint(description)
    if endpoint.prefix == "ssl":
        _try_certificate(description, endpoint)
    if endpoint.prefix not in ("tcp", "tcp6", "ssl") or endpoint.port is None:
        return
    family = socket.AF_INET6 if ":" in endpoint.interface else socket.AF_INET
    with socket.socket(family) as attempt:
        # As Twisted does: connections of the last run in TIME_WAIT are no fault.
        attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            attempt.bind((endpoint.interface, endpoint.port))
            attempt.listen()
        except OSError as error:
            raise ListenError(f"cannot listen on {description}: {error.strerror}") from error


def _try_certificate(description: str, endpoint: Endpoint) -> None:
    key = endpoint.parameters["privateKey"]
    try:
        ServerTLS(endpoint.parameters.get("certKey", key), key, time.time)
    except ConfigurationError as error:
        raise ListenError(f"cannot listen on {description}: {error}") from None
