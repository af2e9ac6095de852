"""The kind of the key ``replies``: what a provider's replies mean, in rows of an account's own.

Pure.
"""

from __future__ import annotations

import re
from typing import Any

from ..outcome.failure import Meaning, Rule, own_rule
from ..settings.kinds import choice, listed, text
from ..settings.words import InvalidValueError, nearest, shown

#: A code that refuses; a dot stands for any digit.
_CODE = re.compile(r"[45][0-9.]{2}")
_KEYS = ("code", "text", "means")
_EXAMPLE = '{ code = "550", text = "sending limit", means = "quota" }'

_meaning = choice(Meaning)


def own_rules(value: object) -> tuple[Rule, ...]:
    """Convert a list of rows."""
    return listed(_row, empty=True)(value)


def _row(value: object) -> Rule:
    if not isinstance(value, dict):
        raise InvalidValueError(f"{shown(value)} is not a row; write for example {_EXAMPLE}")
    reasons = [_unknown(key) for key in value if key not in _KEYS]
    if not value.keys() & {"code", "text"}:
        reasons.append("a row needs code, text or both, to say which replies it is for")
    if "means" not in value:
        reasons.append(f"a row needs means; write for example {_EXAMPLE}")
    converted: dict[str, Any] = {}
    for key, kind in (("code", _code), ("text", text), ("means", _meaning)):
        try:
            if key in value:
                converted[key] = kind(value[key])
        except InvalidValueError as invalid:
            reasons += (f"{key}: {reason}" for reason in invalid.args)
    if reasons:
        raise InvalidValueError(*reasons)
    return own_rule(**converted)


def _code(value: object) -> str:
    if isinstance(value, str) and _CODE.fullmatch(value):
        return value
    raise InvalidValueError(
        f"{shown(value)} is not the code of a refusal; write three digits from 400 to 599, with a"
        ' dot for any digit, for example "550" or "55."'
    )


def _unknown(key: str) -> str:
    guess = nearest(key, _KEYS)
    right = f"did you mean {guess}?" if guess else f"a row has {', '.join(_KEYS)}"
    return f"unknown key {shown(key)} in a row; {right}"
