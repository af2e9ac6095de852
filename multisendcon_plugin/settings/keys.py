"""How a key of the configuration file is declared: on the class of its table, as an attribute.

The attribute's name is the key, its annotation the type; `key` adds the rest.  Pure.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar, overload

import attrs

from .surroundings import Surroundings

T = TypeVar("T")
Default = TypeVar("Default")
T_co = TypeVar("T_co", covariant=True)


@attrs.frozen
class Asking(Generic[T_co]):
    """A kind for values that name something outside of the file: it asks the surroundings.

    :param ask: converts a value, as other kinds do.
    """

    ask: Callable[[object, Surroundings], T_co]


@attrs.frozen
class Nested(Generic[T_co]):
    """A kind for a table inside of a table.

    :param type: the class of its value, which declares its keys.
    """

    type: Callable[..., T_co]


#: What converts the values of a key: takes one as ``tomllib`` gives it, and returns ours or raises
#: `InvalidValueError`.
Kind = Callable[[object], T_co] | Asking[T_co] | Nested[T_co]


@attrs.frozen(kw_only=True)
class Key:
    """What is declared of a key.

    :param default: ``attrs.NOTHING``: it has to be written.
    :param doc: one sentence for admins.
    :param connection: of an account, and of how a server is reached: ``[ndr]`` has it too.
    :param secret: what is written is shown to nobody, unless it only names the place of a secret.
    """

    kind: Kind[Any]
    default: Any
    doc: str
    connection: bool
    secret: bool

    @property
    def required(self) -> bool:
        """It has to be written."""
        return self.default is attrs.NOTHING

    def convert(self, value: object, surroundings: Surroundings) -> Any:
        """Return what a value of the file means.

        :raise InvalidValueError: it is not what the key needs.
        """
        if isinstance(self.kind, Asking):
            return self.kind.ask(value, surroundings)
        if isinstance(self.kind, Nested):
            raise TypeError("a table is read as one, see configuration.section")
        return self.kind(value)


@overload
def key(kind: Kind[T], *, doc: str, connection: bool = ...) -> T: ...
@overload
def key(
    kind: Kind[T], *, default: Default, doc: str, connection: bool = ..., secret: bool = ...
) -> T | Default: ...
def key(
    kind: Kind[Any],
    *,
    default: Any = attrs.NOTHING,
    doc: str,
    connection: bool = False,
    secret: bool = False,
) -> Any:
    """Declare a key.

    :param default: without one, the key has to be written.
    :param doc: see `Key`, as for `connection`.
    :param secret: see `Key`; ``repr`` of the settings does not show it either.
    """
    declared = Key(kind=kind, default=default, doc=doc, connection=connection, secret=secret)
    return attrs.field(default=default, repr=not secret, metadata={Key: declared})


def keys_of(settings: type[attrs.AttrsInstance]) -> dict[str, Key]:
    """Return the keys that a class of settings declares, in its order."""
    return {field.name: field.metadata[Key] for field in attrs.fields(settings)}
