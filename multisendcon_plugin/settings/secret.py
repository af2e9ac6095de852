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
    :param slow: to read it takes a while, since a program is run: to be done in a thread, and only
        when the value is refused.
    """

    value: str = attrs.field(repr=False)
    read: Callable[[], str] = attrs.field(repr=False, eq=False)
    path: str | None = None
    slow: bool = False


Secret = str | StoredSecret
