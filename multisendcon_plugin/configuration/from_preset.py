"""What an account that names a preset gets from it, as the file would have it.

What is written wins, and so does what follows from it: a preset never makes a fault of good keys.
Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .. import presets
from ..presets import Preset

_FROM_THE_START = 465
_SUBMISSION = 587
_TOKEN_MECHANISMS = ("xoauth2", "oauthbearer")


def given_by(preset: Preset, written: Mapping[str, object]) -> dict[str, Any]:
    """Return the keys that stand for those which are not written.

    :param written: what the file has of the account.
    """
    keys = preset.keys
    _fit_port(keys, written)
    _fit_null_sender(keys, written)
    by_token = "oauth2" in written
    if (keys.get("auth") in _TOKEN_MECHANISMS) != by_token:
        keys.pop("auth", None)
    if by_token and preset.oauth2:
        keys["oauth2"] = {"provider": preset.oauth2}
    return keys


def preset_of(written: Mapping[str, object]) -> Preset | None:
    """Return the preset that an account names; ``None``: it names none.

    :raise UnknownPresetError: there is no such preset.
    """
    name = written.get("preset")
    return presets.of(name) if isinstance(name, str) and name.strip() else None


def _fit_port(keys: dict[str, Any], written: Mapping[str, object]) -> None:
    """Let port and TLS agree where one of them is written: TLS starts at once at port 465 only.

    TLS that a preset demands is demanded at each port.
    """
    if "tls" in keys and "port" in written:
        keys["tls"] = "implicit" if written["port"] == _FROM_THE_START else "starttls"
    if "port" in keys and "tls" in written and written["tls"] != "auto":
        at_once = written["tls"] == "implicit"
        if at_once != (keys["port"] == _FROM_THE_START):
            keys["port"] = _FROM_THE_START if at_once else _SUBMISSION


def _fit_null_sender(keys: dict[str, Any], written: Mapping[str, object]) -> None:
    """Leave the null sender to what is written of senders."""
    null_sender = keys.get("null_sender")
    senders = written.get("senders")
    if null_sender == "replace" and "fixed_sender" not in written:
        keys["null_sender"] = "skip"
    if isinstance(senders, str | list) and "<>" in senders:
        keys.pop("null_sender", None)
