"""A secret of the settings: itself, or kept in a place where it may change.  Pure."""

from __future__ import annotations

from collections.abc import Callable

import attrs


@attrs.frozen
class StoredSecret:
    """A secret that is kept outside of the configuration file.

    :param value: as it was when the configuration was read.
    :param read: reads it as it is now; raises `ConfigurationError`, which tells nothing of it.
    :param path: the file that it is in; ``None``: it is in none.
    """

    value: str = attrs.field(repr=False)
    read: Callable[[], str] = attrs.field(repr=False, eq=False)
    path: str | None = None


Secret = str | StoredSecret
