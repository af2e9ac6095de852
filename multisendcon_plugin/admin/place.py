"""Where the relay is that a command is about: the folder of its spool, as the configuration says.

Looks for nothing else in the configuration.  Other parts of it may have faults, or name secrets
that only the relay can read: a command for a relay that runs does not need them.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import tomllib
from pathlib import Path

from ..errors import ConfigurationError
from ..settings import files
from ..settings.values import SpoolSettings
from ..settings.words import shown
from .errors import UnreachableError
from .owner import run_as_owner

DEFAULT = "/etc/multisendcon/multisendcon.toml"
VARIABLE = "MULTISENDCON_CONFIG"

_NAME_IT = f"name the configuration of the relay with --config=FILE or ${VARIABLE}"
#: The table [spool], up to the next table.
_SPOOL = re.compile(r"^\s*\[\s*spool\s*\].*?(?=^\s*\[|\Z)", re.MULTILINE | re.DOTALL)


def config(options: argparse.Namespace) -> str:
    """Return the path of the configuration file."""
    return options.config or os.environ.get(VARIABLE) or DEFAULT


def spool_folder(options: argparse.Namespace) -> Path:
    """Return the absolute path of the folder in which the relay keeps its spool.

    :raise ConfigurationError: the file is not there, or does not say it.
    :raise UnreachableError: there is no right to read it.
    """
    origin = config(options)
    path = _table(origin).get("path", SpoolSettings().path)
    if not isinstance(path, str) or not path:
        reason = f"{shown(path)} is not the path of a folder; write it in quotes"
        raise ConfigurationError([f"{origin}: [spool], path: {reason}"])
    return Path(origin).absolute().parent / path


def _table(origin: str) -> dict[str, object]:
    """Return what the file says in the table ``[spool]``."""
    text = _text(origin)
    document: dict[str, object] | None
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        document = _only_spool(text)
        if document is None:
            raise ConfigurationError([f"{origin}: is not TOML: {error}"]) from None
        print(
            f"multisendcon: warning: {origin}: is not TOML: {error};"
            " only [spool] was read from it (see multisendcon check)",
            file=sys.stderr,
        )
    table = document.get("spool", {})
    if not isinstance(table, dict):
        raise ConfigurationError([f"{origin}: spool: is not a table; write [spool]"])
    return table


def _text(origin: str) -> str:
    try:
        return Path(origin).read_text("utf-8-sig", "surrogateescape")
    except PermissionError:
        raise UnreachableError(
            f"{origin}: there is no right to read it; {run_as_owner(Path(origin))}"
        ) from None
    except FileNotFoundError as error:
        raise ConfigurationError(
            [f"{origin}: cannot be read: {files.reason(error)}; {_NAME_IT}"]
        ) from None
    except (OSError, ValueError) as error:
        raise ConfigurationError([f"{origin}: cannot be read: {files.reason(error)}"]) from None


def _only_spool(text: str) -> dict[str, object] | None:
    """Return the document that the table alone is; ``None``: that cannot be read either."""
    found = _SPOOL.search(text)
    try:
        return tomllib.loads(found[0]) if found else None
    except ValueError:
        return None
