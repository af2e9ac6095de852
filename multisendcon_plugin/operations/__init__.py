"""What an admin can ask and do: typed values in, typed values out; knows no HTTP."""

from .operations import Operations

__all__ = ["Operations"]
