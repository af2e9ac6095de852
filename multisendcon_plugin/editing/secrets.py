"""Secrets of the configuration's text: hidden from all who see it, and put back when it returns.

Which keys are secret, their declarations say.  The place where a secret is kept is none.  Pure.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from ..errors import EditRefusedError
from ..settings.kinds import SOURCES
from .blocks import Path, blocks_of, names_of
from .patches import Patch, patched
from .scan import Keys
from .secret_places import COMMENT, secret_part, secrets_of

#: What stands for a secret.
MASK = "********"
_MASKS = {f'"{MASK}"', f"'{MASK}'"}


def masked(text: str) -> str:
    """Return a text without its secrets; each is `MASK`, also in a text that is not TOML."""
    return covered(text, lambda _: f'"{MASK}"')


def covered(text: str, cover: Callable[[str], str]) -> str:
    """Return a text with something else in the place of each secret.

    :param cover: is given the secret as it is written, with quotes.
    """
    places = [each.place for each in secrets_of(text, blocks_of(text, lenient=True))]
    return patched(text, [Patch(*each, cover(text[each.start : each.end])) for each in places])


def masked_document(document: Any, names: Keys = ()) -> Any:
    """Return what ``tomllib`` has read, or a table of it, without its secrets.

    :param names: of the table.
    """
    if secret_part(names[-1:]):
        return document if _is_no_secret(document) else MASK
    if isinstance(document, dict):
        return {key: masked_document(each, (*names, key)) for key, each in document.items()}
    if isinstance(document, list):
        return [masked_document(each, names) for each in document]
    return document


def _is_no_secret(value: Any) -> bool:
    return value == "" or (isinstance(value, dict) and len(value) == 1 and value.keys() <= SOURCES)


def unmasked(text: str, original: str) -> str:
    """Return a text in which each `MASK` is again what it stood for.

    An account is known by its name, or by its place if it has another name now.

    :param original: the text that was masked.
    :raise EditRefusedError: a mask stands where no secret was.
    """
    blocks = blocks_of(text, lenient=True)
    masks = [each for each in secrets_of(text, blocks) if text[slice(*each.place)] in _MASKS]
    if not masks:
        return text
    before = blocks_of(original, lenient=True)
    known = {path: original[slice(*place)] for path, place in secrets_of(original, before)}
    names = names_of(text, blocks, "account")
    numbers = _numbers_before(names, names_of(original, before, "account"))
    patches = []
    for path, place in masks:
        match path:
            case ("account", int(number), *rest):
                was: Path = ("account", numbers.get(number, -1), *rest)
            case (str(mark), "account", int(number), *rest) if mark == COMMENT:
                was = (COMMENT, "account", numbers.get(number, -1), *rest)
            case _:
                was = path
        if was in known:
            patches.append(Patch(*place, known[was]))
        else:
            raise EditRefusedError(
                f'{_title(path, names)} is "{MASK}", which stands for a secret that is in the file,'
                " but there is none; write the secret itself"
            )
    return patched(text, patches)


def _numbers_before(names: Sequence[str | None], before: Sequence[str | None]) -> dict[int, int]:
    """Map the numbers of accounts to those that they had before; who was not there has none."""
    places: dict[str | None, deque[int]] = {}
    for number, name in enumerate(before):
        places.setdefault(name, deque()).append(number)
    still = set(names)
    numbers = {}
    for number, name in enumerate(names):
        if name in places:
            # Two of one name, which is a fault, are told apart by their order.
            alike = places[name]
            numbers[number] = alike.popleft() if len(alike) > 1 else alike[0]
        elif len(names) == len(before) and before[number] not in still:
            numbers[number] = number
    return numbers


def _title(path: Path, names: Sequence[str | None]) -> str:
    if path[0] == COMMENT:
        return f'a comment with "{str(path[-2]).strip()}"'
    if path[0] == "account" and isinstance(path[1], int):
        return f'account "{names[path[1]] or path[1] + 1}", {".".join(map(str, path[2:]))}'
    return f"[{path[0]}], {'.'.join(map(str, path[1:]))}"
