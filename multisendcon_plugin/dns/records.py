"""What the DNS says, as plain values.

Names of hosts are in lower case, as A-labels, and without a dot at the end; the root is ``"."``.
Addresses and names of PTR are plain texts.  Pure.
"""

from __future__ import annotations

import attrs

ROOT = "."


@attrs.frozen(order=True)
class Mx:
    """A mail server of a domain (RFC 5321 section 5.1).

    :param preference: the lowest is asked first.
    :param host: ``"."`` as the only one, with the preference 0: the domain takes no mail
        (RFC 7505).
    """

    preference: int
    host: str


@attrs.frozen
class Tlsa:
    """What the certificate of a server has to match (RFC 6698 section 2.1), as it is in the DNS.

    Nothing has been checked: any field may have a number that means nothing.
    """

    usage: int
    selector: int
    matching: int
    data: bytes


@attrs.frozen
class Txt:
    """A text; its strings, of up to 255 octets each, have been put together.

    :param text: octets beyond ASCII are as in ISO 8859-1.
    """

    text: str


#: One value of an answer; a text is an address, or a name of PTR.
Record = Mx | Tlsa | Txt | str
