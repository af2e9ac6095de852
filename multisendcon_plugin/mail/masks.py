"""Masks: patterns of addresses, for senders and recipients.

``user@domain``, ``*@domain``, ``*@*.domain`` (any subdomain, not the domain itself), ``*`` and
``?`` as wildcards elsewhere, ``*`` alone for every address, ``!mask`` to exclude, ``<>`` for the
null reverse-path.  Masks are compared with the matching form of an address (see ``address``).

Plain addresses, domains and subdomains are looked up by key, whatever their number; other
wildcards are tried one by one.  Pure: no Twisted, no clock, no disk.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable
from functools import lru_cache

import attrs

from ..errors import AddressError, MaskError
from .address import matching_form, parse_mailbox, split

#: The mask that admits every address, and the key under which it is found.
ANY = "*"
#: The mask of the null reverse-path, and its key.
NULL = "<>"

_WILDCARD = re.compile(r"[*?]")


# Asked four times for a mail to one recipient, 0.6 us each without the cache.
@lru_cache(maxsize=64)
def lookup_keys(address: str) -> tuple[str, ...]:
    """Return the keys of all masks that may admit an address, the most specific first.

    :param address: in matching form; ``""`` when it is not known.
    """
    _, at, domain = address.rpartition("@")
    if not at:
        return address, ANY
    keys = [address, f"*@{domain}"]
    dot = domain.find(".") + 1
    while dot:
        keys.append(f"*@*.{domain[dot:]}")
        dot = domain.find(".", dot) + 1
    return *keys, ANY


@attrs.frozen
class _Mask:
    """One mask without its ``!``; two that differ in case only are equal."""

    form: str
    text: str = attrs.field(eq=False)

    @classmethod
    def parse(cls, text: str) -> _Mask:
        """Read a mask.

        :raise MaskError: says what would be right.
        """
        # Not `*@*`: it is the one mask that takes mail whose sender is not known.
        if text == ANY:
            return cls(ANY, text)
        try:
            # Wildcards stand for characters that an address may have.
            parse_mailbox(_WILDCARD.sub("1", text))
        except AddressError as error:
            raise MaskError(f'"{text}" is not a mask: {_advice(text) or error}') from None
        form = matching_form(text)
        _, domain = split(form)
        if any(_WILDCARD.search(label) and not label.isascii() for label in domain.split(".")):
            raise MaskError(
                f'"{text}" is not a mask: a wildcard cannot be part of an international label,'
                " write the whole label or a wildcard instead of it"
            )
        return cls(form, text)

    @property
    def key(self) -> str:
        """The one key that `lookup_keys` gives for every address that the mask admits."""
        if not _WILDCARD.search(self.form):
            return self.form
        _, domain = split(self.form)
        if domain and not _WILDCARD.search(domain.removeprefix("*.")):
            return f"*@{domain}"
        return ANY


class _Catalogue:
    """Masks, ready to be asked for an address."""

    __slots__ = ("_by_key", "_patterns")

    def __init__(self, masks: Iterable[_Mask]) -> None:
        self._by_key: dict[str, str] = {}
        # Wildcards that a key does not express: of the local part, and of the domain.
        self._patterns: list[tuple[re.Pattern[str], re.Pattern[str], str]] = []
        for mask in masks:
            if mask.form == mask.key:
                self._by_key.setdefault(mask.form, mask.text)
            else:
                of_local, of_domain = map(_expression, split(mask.form))
                self._patterns.append((of_local, of_domain, mask.text))

    def find(self, address: str) -> str | None:
        """Return the text of a mask that admits the address, by preference the most specific."""
        if self._by_key:
            for key in lookup_keys(address):
                if key in self._by_key:
                    return self._by_key[key]
        if self._patterns:
            local, domain = split(address)
            for of_local, of_domain, text in self._patterns:
                if domain and of_local.match(local) and of_domain.match(domain):
                    return text
        return None


# Fallbacks are looked up by the masks of an account: 16 us for a hundred masks without the cache.
@attrs.frozen(kw_only=True, cache_hash=True)
class Masks:
    """The senders or recipients that an account takes; made by `parse`.

    Equal when the same masks are meant, in whatever order and case they are written.

    :ivar texts: the masks as they were written.
    :ivar admits_null: the null reverse-path has a mask of its own.
    :ivar keys: for each address that `match` admits, `lookup_keys` gives at least one of these.
    """

    texts: tuple[str, ...] = attrs.field(eq=False)
    admits_null: bool
    _admitted: tuple[_Mask, ...] = attrs.field(eq=frozenset, repr=False)
    _excluded: tuple[_Mask, ...] = attrs.field(eq=frozenset, repr=False)
    keys: frozenset[str] = attrs.field(eq=False, repr=False)
    _admits: _Catalogue = attrs.field(eq=False, repr=False)
    _excludes: _Catalogue = attrs.field(eq=False, repr=False)

    @classmethod
    def parse(cls, texts: Iterable[str]) -> Masks:
        """Read a list of masks.

        An empty list admits everyone, one of nothing but exclusions everyone else.

        :raise MaskError: says which mask cannot be read, and what would be right.
        """
        texts = tuple(text.strip() for text in texts)
        admitted = []
        excluded = []
        for text in texts:
            mask = text.removeprefix("!").lstrip()
            if mask != text:
                excluded.append(_Mask.parse(mask))
            elif text != NULL:
                admitted.append(_Mask.parse(text))
        admits_null = NULL in texts
        # Whoever writes exclusions only means all others.
        if not admitted and not admits_null:
            admitted = [_Mask(ANY, ANY)]
        keys = frozenset(mask.key for mask in admitted)
        return cls(
            texts=texts,
            admits_null=admits_null,
            admitted=tuple(admitted),
            excluded=tuple(excluded),
            keys=frozenset([ANY]) if ANY in keys else keys,
            admits=_Catalogue(admitted),
            excludes=_Catalogue(excluded),
        )

    def match(self, address: str) -> str | None:
        """Return the text of the mask that admits an address, ``None`` when none does.

        :param address: in matching form; ``""``, an unknown one, is admitted by ``*`` only.
        """
        text = self._admits.find(address)
        if text is not None and self._excluded and self._excludes.find(address) is not None:
            return None
        return text

    def excluded_by(self, address: str) -> str | None:
        """Return the text of the mask that excludes an address, ``None`` when none does.

        :param address: in matching form.
        """
        text = self._excludes.find(address)
        return None if text is None else f"!{text}"


def _expression(glob: str) -> re.Pattern[str]:
    # fnmatch knows sets in brackets, masks do not.  It finds each piece between two stars
    # once, in an atomic group: no backtracking.
    return re.compile(fnmatch.translate(glob.replace("[", "[[]")))


def _advice(text: str) -> str:
    """Return what was probably meant by a text that is not a mask, ``""`` when unclear."""
    if not text:
        return "it is empty, leave it out"
    if text == NULL:
        return "it cannot be excluded, it is only taken where it is named"
    if text.startswith("<") and text.endswith(">"):
        return f'write "{text[1:-1]}", without brackets'
    if text.startswith("@"):
        return f'write "*{text}" for everyone in that domain'
    if "@" in text:
        return ""
    if text.startswith("."):
        return f'write "*@*{text}" for everyone in its subdomains'
    if "." in text:
        return f'write "*@{text}" for everyone in that domain'
    return f'write "{text}@example.com" for a user, "*@{text}" for everyone in a domain'


#: What an account takes that has no masks: every address.
EVERYONE = Masks.parse(())
