"""Names of the DNS, in the one form in which this room compares and keeps them.  Pure."""

from __future__ import annotations

from .answer import DnsError
from .records import ROOT

_LONGEST_LABEL = 63
#: RFC 1035 section 2.3.4, without the octets of the first length and of the root.
_LONGEST_NAME = 253
#: What cannot be told from a separator, or is none of ours to ask for.
_UNFIT = frozenset('\\ "()$;@')


def normal(name: str) -> str:
    """Return a name in lower case, without the dot at its end; the root is ``"."``.

    :raise DnsError: for good: it can be no name.
    """
    if name == ROOT:
        return name
    bare = name.removesuffix(".")
    if len(bare) > _LONGEST_NAME:
        raise _unfit(name, f"longer than {_LONGEST_NAME} characters")
    if not bare.isascii():
        raise _unfit(name, "not in ASCII; it has to be written with A-labels (xn--...)")
    if not bare.isprintable() or _UNFIT.intersection(bare):
        raise _unfit(name, "with characters that no host has")
    lengths = list(map(len, bare.split(".")))
    if not all(lengths):
        raise _unfit(name, "with an empty label")
    if max(lengths) > _LONGEST_LABEL:
        raise _unfit(name, f"with a label of more than {_LONGEST_LABEL} characters")
    return bare.lower()


def _unfit(name: str, why: str) -> DnsError:
    shown = name if len(name) < 100 else f"{name[:100]}..."
    return DnsError(f"{shown!a} is no name of the DNS: it is {why}", temporary=False)
