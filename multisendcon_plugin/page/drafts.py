"""What somebody has changed in a form of keys, and has not saved yet.

A form has each text twice: as it is, and as it was when the form was loaded (``KEY.was``).  So only
what they have changed is changed, whatever others did meanwhile.  A secret that was written is kept
here until it is saved, and goes to the browser as a number.  Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import attrs

from ..editing.secrets import MASK
from .fields import Field, Shape
from .forms import Typed, read
from .kept import Kept

#: A form, each field with all its values.
Form = Mapping[str, Sequence[str]]


@attrs.frozen(kw_only=True)
class Entry:
    """A field as it is shown.

    :param field: as it is typed.
    :param was: the same as it is written, as are `source_was` and `place_was`.
    :param written: of a secret: there is one in the file.
    :param kept: the number of a secret that was typed; ``""``: none was.
    :param removed: a secret is to be removed.
    """

    field: Field
    was: str
    source_was: str
    place_was: str
    written: bool
    kept: str
    removed: bool


@attrs.frozen(kw_only=True)
class Draft:
    """Changes that are not saved.

    :param typed: the values of the keys, and the fields.
    """

    typed: Typed
    _before: tuple[Field, ...]
    _form: Mapping[str, list[str]] = attrs.field(repr=False)
    _kept: Kept

    def entries(self, faults: Mapping[str, Sequence[str]]) -> Iterator[Entry]:
        """Yield the fields of the form with what was typed.

        :param faults: by the name of the field, beside those that were found when it was read.
        """
        for field, before in zip(self.typed.fields, self._before, strict=True):
            found = (*field.faults, *faults.get(field.name, ()))
            secret = field.shape is Shape.SECRET
            new = secret and field.text != before.text and not field.source
            there = before.text or before.source
            yield Entry(
                field=attrs.evolve(field, faults=found, text="" if secret else field.text),
                was="" if secret else before.text,
                source_was=before.source,
                place_was=before.place,
                written=bool(secret and there),
                kept=self._kept.keep(field.text) if new and field.text else "",
                removed=bool(secret and there and not field.text and not field.source),
            )

    def hidden(self) -> Iterator[tuple[str, str]]:
        """Yield the fields of a form that only confirms the changes."""
        secrets = {each.name for each in self._before if each.shape is Shape.SECRET}
        for name, values in self._form.items():
            text = values[-1]
            if name not in secrets:
                yield name, text
            elif text:
                yield f"{name}.kept", self._kept.keep(text)
            else:
                yield f"{name}.remove", "yes"


def draft_of(form: Form, fields: Iterable[Field], kept: Kept) -> Draft:
    """Return what a form changes.

    :param fields: as they are written now.
    """
    before = tuple(fields)
    changed: dict[str, list[str]] = {}
    for field in before:
        if field.shape is Shape.SECRET:
            changed |= _secret(form, field.name, kept)
        elif field.name in form:
            text, was = _one(form, field.name), _one(form, f"{field.name}.was")
            if _plain(text) != _plain(was):
                changed |= {field.name: [text], f"{field.name}.was": [was]}
    return Draft(typed=read(before, changed), before=before, form=changed, kept=kept)


def _secret(form: Form, name: str, kept: Kept) -> dict[str, list[str]]:
    """Return what a form changes of a secret: nothing typed means that it stays."""
    source, place = (_one(form, f"{name}.{each}") for each in ("source", "place"))
    elsewhere = {f"{name}.source": [source], f"{name}.place": [place]}
    was = [_one(form, f"{name}.{each}.was") for each in ("source", "place")]
    text = _one(form, name) or kept.find(_one(form, f"{name}.kept"))
    if _one(form, f"{name}.remove"):
        return {name: [""], f"{name}.source": [""]}
    if text and text != MASK:
        return {name: [text], f"{name}.source": [""]}
    return elsewhere if source and place.strip() and [source, place] != was else {}


def _one(form: Form, name: str) -> str:
    return form[name][-1] if form.get(name) else ""


def _plain(text: str) -> str:
    # Browsers end each line by CRLF.
    return text.replace("\r\n", "\n").strip()
