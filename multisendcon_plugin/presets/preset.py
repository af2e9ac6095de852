"""One provider, as the data file has it, and what of that an account gets.

Every figure has its source and its date.  Weak ones have a reason why they are not applied: they
are kept to be looked at, and no account gets them.  Values are those of TOML; what they mean is
said by the keys of an account.
"""

from __future__ import annotations

import datetime
import enum
from collections.abc import Iterator, Mapping
from typing import Any

import attrs
from attrs.validators import deep_iterable, in_, instance_of, matches_re, min_len, optional

#: Figures that are no keys of an account: the size of a mail, as a size of a configuration; what an
#: SPF record includes (RFC 7208 section 5.2).
FACTS = frozenset({"size", "spf"})
#: Keys of an account that a preset may have.
KEYS = (
    "server",
    "port",
    "tls",
    "username",
    "auth",
    "max_recipients",
    "quota",
    "max_connections",
    "max_mails_per_connection",
    "null_sender",
)

_text = matches_re(r"\S.*\S")


def _is_day(_instance: object, attribute: attrs.Attribute[datetime.date], value: object) -> None:
    if type(value) is not datetime.date:  # a moment is one, too
        raise TypeError(f"{attribute.name} is not a date: {value!r}")


class Login(enum.Enum):
    """A way to log in that a provider takes."""

    PASSWORD = "password"  # noqa: S105 -- no password
    """That of the mailbox."""
    APP_PASSWORD = "app password"  # noqa: S105
    """One that is made for a program, often only with two-step verification."""
    KEY = "key"
    """A password that is made for SMTP, and belongs to no mailbox."""
    OAUTH2 = "oauth2"
    ADDRESS = "address"
    """None: the provider knows the IP address."""


@attrs.frozen(kw_only=True)
class Figure:
    """One thing that is known of a provider.

    :param key: one of `KEYS`, or of `FACTS`.
    :param value: as TOML has it.
    :param source: where it was read, in words.
    :param as_of: the day to which the source belongs.
    :param not_applied: why no account gets it; empty: it is applied.
    """

    key: str = attrs.field(validator=in_({*KEYS, *FACTS}))
    value: Any
    source: str = attrs.field(validator=_text)
    as_of: datetime.date = attrs.field(validator=_is_day)
    not_applied: str = attrs.field(default="", validator=instance_of(str))

    @property
    def applied(self) -> bool:
        """An account gets it."""
        return not self.not_applied


@attrs.frozen(kw_only=True)
class Preset:
    """What is known of one provider.

    :param name: as configurations have it.
    :param title: what people call it.
    :param login: the ways to log in, the best one first.
    :param oauth2: the ``provider`` of ``[account.oauth2]``, if there is one.
    :param sender: which address may be in ``From:``, in words.
    :param required: what an account has to say itself, by key, in words.
    :param notes: sentences for admins.
    """

    name: str = attrs.field(validator=matches_re(r"[a-z0-9](?:-?[a-z0-9]+)*"))
    title: str = attrs.field(validator=_text)
    login: tuple[Login, ...] = attrs.field(validator=min_len(1))
    oauth2: str | None = attrs.field(default=None, validator=optional(_text))
    sender: str = attrs.field(validator=_text)
    required: Mapping[str, str] = attrs.field(factory=dict)
    notes: tuple[str, ...] = attrs.field(default=(), validator=deep_iterable(_text))
    figures: tuple[Figure, ...] = attrs.field(validator=min_len(1))

    @property
    def keys(self) -> dict[str, Any]:
        """What an account gets, by key, as its table would have it."""
        given = {each.key: each.value for each in self._applied}
        return {key: given[key] for key in KEYS if key in given}

    @property
    def note(self) -> str:
        """What admins should know, as one text."""
        return " ".join(self.notes)

    @property
    def source(self) -> str:
        """Where the figures that are applied were read, in words."""
        return "; ".join(dict.fromkeys(each.source for each in self._applied))

    @property
    def as_of(self) -> datetime.date:
        """The day to which the oldest of the figures belongs that are applied."""
        return min(each.as_of for each in self._applied)

    @property
    def _applied(self) -> Iterator[Figure]:
        return (each for each in self.figures if each.applied)
