"""What is known of providers: how their servers are reached, and what they take.

A preset gives an account what it does not say itself: `of(name).keys`, as a configuration file
would have them.  The data is ``providers.toml``; it is read when it is first asked for.
"""

from __future__ import annotations

from .preset import KEYS, Figure, Preset
from .reading import UnknownPresetError, names, of

__all__ = ["KEYS", "Figure", "Preset", "UnknownPresetError", "names", "of"]
