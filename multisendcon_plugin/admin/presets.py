"""`multisendcon preset`: what is known of providers.  It needs no relay, and no configuration."""

from __future__ import annotations

import argparse
import json
from typing import Any

from .. import presets
from ..operations.errors import NotFoundError
from ..presets import Figure, Preset
from ..settings import quantities
from . import arguments
from .arguments import Commands
from .table import Column
from .terminal import put, say, show

_COLUMNS = (
    Column("PRESET"),
    Column("PROVIDER", shrinks=True),
    Column("SERVER", shrinks=True),
    Column("PORT", right=True),
    Column("LOGIN", shrinks=True),
    Column("QUOTA", shrinks=True),
    Column("AS OF"),
)
_FIGURES = (
    Column("FIGURE"),
    Column("VALUE", shrinks=True),
    Column("AS OF"),
    Column("SOURCE", shrinks=True),
    Column("NOTE", below=True),
)


def add_to(commands: Commands) -> None:
    """Add the commands."""
    family = arguments.group(commands, "preset", "look at what is known of providers")
    listing = arguments.command(family, "list", _list, "list the presets that an account may name")
    arguments.add_json(listing)
    showing = arguments.command(
        family, "show", _show, "show a preset: what an account gets, and where it was read"
    )
    showing.add_argument("name", metavar="NAME", help="of the preset")
    arguments.add_json(showing)


def _list(options: argparse.Namespace) -> int:
    known = [presets.of(name) for name in presets.names()]
    if options.json:
        for preset in known:
            put(_row(preset))
    else:
        show(_COLUMNS, map(_cells, known))
    return 0


def _cells(preset: Preset) -> tuple[str, ...]:
    keys = preset.keys
    return (
        preset.name,
        preset.title,
        keys.get("server", "-"),
        str(keys.get("port", "-")),
        ", ".join(each.value for each in preset.login),
        ", ".join(keys.get("quota", ())),
        preset.as_of.isoformat(),
    )


def _show(options: argparse.Namespace) -> int:
    try:
        preset = presets.of(options.name)
    except presets.UnknownPresetError as error:
        raise NotFoundError(str(error)) from None
    if options.json:
        put(_row(preset))
    else:
        _tell(preset)
    return 0


def _tell(preset: Preset) -> None:
    say(f"{preset.name}: {preset.title}")
    say(f"  login by {', '.join(_login(preset))}")
    say(f"  From: {preset.sender}")
    for note in preset.notes:
        say(f"  {note}")
    say()
    show(_FIGURES, map(_figure_cells, preset.figures))
    say()
    for line in _toml(preset):
        say(line)


def _login(preset: Preset) -> list[str]:
    provider = {"oauth2": f"oauth2 ({preset.oauth2})"}
    return [provider.get(each.value, each.value) for each in preset.login]


def _figure_cells(figure: Figure) -> tuple[str, ...]:
    return (
        figure.key,
        ", ".join(figure.value) if isinstance(figure.value, list) else str(figure.value),
        figure.as_of.isoformat(),
        figure.source,
        f"not applied: {figure.not_applied}" if figure.not_applied else "",
    )


def _toml(preset: Preset) -> list[str]:
    """Return lines for a configuration: what the preset stands for, and what it leaves open."""
    lines = [f'# What preset = "{preset.name}" stands for; what an account has itself wins.']
    lines += [f"# {key} = {words}" for key, words in preset.required.items()]
    # What presets have is written in TOML as it is in JSON.
    lines += [f"{key} = {json.dumps(value)}" for key, value in preset.keys.items()]
    if preset.oauth2:
        lines += ["# [account.oauth2]", f'# provider = "{preset.oauth2}"']
    return lines


def _row(preset: Preset) -> dict[str, Any]:
    """Return all that is known, as JSON; nothing that is not applied, except in `figures`."""
    applied = {each.key: each.value for each in preset.figures if each.applied}
    size = applied.get("size")
    return {
        "name": preset.name,
        "title": preset.title,
        "login": [each.value for each in preset.login],
        "oauth2": preset.oauth2,
        **{key: applied.get(key) for key in presets.KEYS},
        "quota": applied.get("quota", []),
        "size": size and quantities.size(size),
        "spf": applied.get("spf"),
        "sender": preset.sender,
        "required": dict(preset.required),
        "note": preset.note,
        "source": preset.source,
        "as_of": preset.as_of.isoformat(),
        "figures": [
            {
                "key": each.key,
                "value": each.value,
                "source": each.source,
                "as_of": each.as_of.isoformat(),
                "applied": each.applied,
                "not_applied": each.not_applied,
            }
            for each in preset.figures
        ],
        "toml": "\n".join(_toml(preset)),
    }
