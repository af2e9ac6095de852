"""Display names: how they are written before an address, and what they show to people.

RFC 5322, section 3.2.5 (phrase), RFC 2047 and RFC 2231, section 5 (encoded words).  A name is
written as it was read, octet by octet, but for quotes; it is decoded only to look at it, as the
most lenient reader would.  Nothing here raises on any octets.
"""

from __future__ import annotations

import re
import unicodedata
from binascii import a2b_base64
from collections.abc import Iterable
from encodings import normalize_encoding
from encodings.aliases import aliases
from functools import lru_cache
from itertools import pairwise

import idna

from ..errors import AddressError
from .address import LONGEST_DOMAIN, ascii_domain, split
from .tokens import Token

_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")
_CONTROL_IN_QUOTES = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_QUOTED_PAIR = re.compile(rb"(?s)\\(.)")
_NEEDS_BACKSLASH = re.compile(rb'(["\\])')
#: What real programs leave in an encoded word though RFC 2047 section 5 (3) forbids it, since many
#: readers cut the word there.
_NOT_ENCODED = re.compile(rb"[ \t()\[\]:;@,]")


def phrase(text: bytes, name: list[Token]) -> bytes:
    """Return a display name as it may stand before an angle-addr, without its comments.

    As it is, or in quotes where it is no phrase.  An encoded word stays one, since in quotes it
    would be shown as it is written.

    :param text: what the tokens are of.
    """
    # A comment can say anything, also who the author is, and no reader needs it.
    words = [token for token in name if token.kind != "c"]
    gaps = [text[word.end : following.start] for word, following in pairwise(words)]
    parts: list[bytes] = []
    if all(gaps) and all(_is_word(text, word) for word in words):
        for gap, word in zip([b"", *gaps], words, strict=False):
            # A comment leaves a blank behind.
            parts += gap if gap.isspace() else gap and b" ", _word(text, word)
        return b"".join(parts)
    # RFC 5322 section 3.2.5 has no commas, colons or brackets in a phrase: outside of quotes, a
    # reader could take a part of such a name for another address.
    plain: list[bytes] = []
    for gap, word in zip([b"", *gaps], words, strict=False):
        if word.kind == "e":
            parts += _quoted(plain), _word(text, word)
            plain = []
        else:
            plain += gap and b" ", _content(text, word)
    parts.append(_quoted(plain))
    return b" ".join(filter(None, parts))


def _is_word(text: bytes, token: Token) -> bool:
    if token.kind == "q":
        return not _CONTROL_IN_QUOTES.search(text, token.start, token.end)
    if token.kind == "w":
        return not _CONTROL.search(text, token.start, token.end)
    return token.kind == "e"


def _word(text: bytes, token: Token) -> bytes:
    word = text[token.start : token.end]
    if token.kind == "e":
        return _NOT_ENCODED.sub(lambda found: b"=%02X" % ord(found[0]), word)
    return word


def _content(text: bytes, token: Token) -> bytes:
    if token.kind == "q":
        return _QUOTED_PAIR.sub(rb"\1", text[token.start + 1 : token.end - 1])
    return text[token.start : token.end]


def _quoted(plain: list[bytes]) -> bytes:
    content = b"".join(plain).replace(b"\r\n", b"").replace(b"\t", b" ")
    content = _CONTROL.sub(b"", content).strip()
    return b'"' + _NEEDS_BACKSLASH.sub(rb"\\\1", content) + b'"' if content else b""


# What a name shows.

#: With the language that RFC 2231 section 5 allows, and the blanks before the next one.
_ENCODED_WORD = re.compile(rb"=\?([^?*\s]*)(?:\*[^?\s]*)?\?([bBqQ])\?([^?]*)\?=\s*")
_Q_OCTET = re.compile(rb"=([0-9A-Fa-f]{2})")
_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/]")
_NOT_SEEN = frozenset({"Cc", "Cf", "Zl", "Zp", "Zs"})
_NOT_SAID = re.compile(r"[\"\\]")
#: Only these are asked for: Python remembers each name that it is asked for and does not know.
_CHARSETS = frozenset(aliases) | frozenset(aliases.values())


def shows(name: bytes, addresses: Iterable[str]) -> bool:
    """Tell whether a display name shows one of these addresses, to whatever reader.

    Encoded words count wherever they stand, also in quotes; characters that look alike by NFKC,
    case, blanks, quotes and what cannot be seen do not count.

    :param name: see `phrase`.
    :param addresses: addr-specs.
    """
    if b"@" not in name and b"=?" not in name and name.isascii():
        return False  # most names
    return any(
        form in seen
        for seen in _all_seen(name)
        for address in addresses
        for form in _forms(address)
    )


# The same people write again.
@lru_cache(maxsize=64)
def _all_seen(name: bytes) -> frozenset[str]:
    """Return what different readers see of a name, as far as it may be an address."""
    texts = {_decoded(name, joined=joined) for joined in (False, True)}
    return frozenset(seen for seen in map(_seen, texts) if "@" in seen)


def _decoded(name: bytes, *, joined: bool) -> str:
    """Return a name with its encoded words decoded.

    :param joined: neighbours of the same charset are decoded as one, as some readers do.
    """
    text: list[str] = []
    end = 0
    charset, octets = b"", b""
    for found in _ENCODED_WORD.finditer(name):
        if not joined or found.start() > end or found[1].lower() != charset:
            text.append(_text(octets, charset))
            octets = b""
        text.append(_text(name[end : found.start()], b"utf-8"))
        charset = found[1].lower()
        octets += _octets(found[2], found[3])
        end = found.end()
    return "".join((*text, _text(octets, charset), _text(name[end:], b"utf-8")))


def _octets(encoding: bytes, text: bytes) -> bytes:
    if encoding in b"qQ":
        spaced = text.replace(b"_", b" ")
        return _Q_OCTET.sub(lambda found: bytes.fromhex(found[1].decode()), spaced)
    digits = _NOT_BASE64.sub(b"", text)
    digits = digits[: len(digits) - (len(digits) % 4 == 1)]
    return a2b_base64(digits + b"=" * (-len(digits) % 4))


def _text(octets: bytes, charset: bytes) -> str:
    name = normalize_encoding(charset.decode("latin-1")).lower()
    try:
        return octets.decode(name if name in _CHARSETS else "latin-1", "ignore")
    except (LookupError, ValueError):  # no charset at all, such as "rot13"
        return octets.decode("latin-1")


def _seen(text: str) -> str:
    text = unicodedata.normalize("NFKC", text).casefold().replace("\u3002", ".")
    text = _NOT_SAID.sub("", text)
    if text.isascii() and text.isprintable():
        return text.replace(" ", "")
    return "".join(each for each in text if unicodedata.category(each) not in _NOT_SEEN)


def _forms(address: str) -> set[str]:
    """Return an address as people may see it, its domain in ASCII and as it was meant."""
    forms = {_seen(address)}
    local, domain = split(address)
    if len(domain) <= LONGEST_DOMAIN:
        try:
            if not domain.isascii():
                forms.add(_seen(ascii_domain(address)))
            elif "xn--" in domain.lower():
                forms.add(_seen(f"{local}@{idna.decode(domain)}"))
        except (AddressError, UnicodeError):
            pass  # no international domain has this other form
    return forms
