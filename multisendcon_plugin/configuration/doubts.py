"""What is no fault of a configuration, but should not stay as it is.

Looks at the files that the configuration names: see ``file``.
"""

from __future__ import annotations

import stat
from pathlib import Path

from ..errors import ConfigurationError
from .file import load_certificate
from .values import Configuration


def doubts(configuration: Configuration, now: float) -> list[str]:
    """Return a sentence for each.

    :param now: seconds since the epoch.
    """
    settings = configuration.master_relay
    found = []
    secrets = [settings.tls_key or settings.tls_certificate]
    if settings.users:
        secrets.append(settings.users.path)
    found += [
        f"{path}: everybody on this machine can read it; chmod o= it"
        for path in secrets
        if path and _everybody_reads(path)
    ]
    if settings.tls_certificate:
        try:
            certificate = load_certificate(settings.tls_certificate, settings.tls_key)
        except ConfigurationError as error:
            found += error.faults
        else:
            doubt = certificate.doubt(now)
            found += [f"{settings.tls_certificate}: {doubt}"] if doubt else []
    return found


def _everybody_reads(path: str) -> bool:
    try:
        return bool(Path(path).stat().st_mode & stat.S_IROTH)
    except OSError:
        return False
