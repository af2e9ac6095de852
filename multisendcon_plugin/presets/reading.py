"""Reads ``providers.toml``, once, and never before somebody asks.

The first lines of that file say how it is written.  Whatever is not written so is an error: the
file is a part of the program, and the tests read it.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Collection, Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from ..errors import MultisendconError
from ..settings.words import shown
from .preset import Figure, Login, Preset

#: What a table of figures has beside them.
_OF_ALL = ("source", "as_of", "not_applied")
#: Characters of a name that is looked for among others, and how many of these are told.
_LONGEST = 100
_MOST = 3


class UnknownPresetError(MultisendconError, LookupError):
    """No preset has this name.

    :ivar nearest: the names that were probably meant, the best one first.
    """

    def __init__(self, name: str, nearest: list[str]) -> None:
        meant = f"did you mean {' or '.join(nearest)}? " if nearest else ""
        super().__init__(
            f'no preset is called {shown(name)}; {meant}"multisendcon preset list" has them all'
        )
        self.nearest = nearest


def names() -> list[str]:
    """Return the names of all presets, in their order."""
    return list(_presets())


def of(name: str) -> Preset:
    """Return what is known of a provider.

    :raise UnknownPresetError: nothing is.
    """
    presets = _presets()
    if name not in presets:
        raise UnknownPresetError(name, _nearest(name, presets.values()))
    return presets[name]


def _nearest(name: str, presets: Collection[Preset]) -> list[str]:
    """Return the names of those that are also called so, and the names that are like this one."""
    word = name[:_LONGEST].casefold()
    called = [each.name for each in presets if word and word in _called(each)]
    close = difflib.get_close_matches(word, [each.name for each in presets], n=_MOST)
    return list(dict.fromkeys([*called, *close]))[:_MOST]


def _called(preset: Preset) -> str:
    return f"{preset.name} {preset.title} {preset.keys.get('server')}".casefold()


@cache
def _presets() -> dict[str, Preset]:
    return parse(files(__package__).joinpath("providers.toml").read_text("utf-8"))


def parse(text: str) -> dict[str, Preset]:
    """Return the presets of a file, by name, sorted.

    :raise ValueError: the text is not written as such a file is.
    """
    return {name: _preset(name, table) for name, table in sorted(tomllib.loads(text).items())}


def _preset(name: str, table: dict[str, Any]) -> Preset:
    try:
        return Preset(
            name=name,
            login=tuple(map(Login, table.pop("login"))),
            notes=tuple(table.pop("notes", ())),
            figures=tuple(each for group in table.pop("figures") for each in _figures(group)),
            **table,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{name}: {error}") from error


def _figures(group: Mapping[str, Any]) -> Iterator[Figure]:
    of_all = {key: group[key] for key in _OF_ALL if key in group}
    for key, value in group.items():
        if key not in _OF_ALL:
            yield Figure(key=key, value=value, **of_all)
