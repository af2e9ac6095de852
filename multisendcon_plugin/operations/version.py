"""Which version of the program this is."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version


def own_version() -> str:
    """Return the version that is installed."""
    try:
        return version("multisendcon")
    except PackageNotFoundError:  # it runs from where it lies
        return "unknown"
