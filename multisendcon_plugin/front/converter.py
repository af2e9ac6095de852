"""Values as JSON, and back: one converter for all that crosses the channel but mail.

cattrs does it by the annotations of the classes; here is only what has a text of its own.  With
each mail it would cost twice the time of what `frames` writes by hand (13 microseconds instead of
7, of which the front process spends 5 instead of 3).
"""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_network

from cattrs.preconf.json import JsonConverter, make_converter

from ..mail.masks import EVERYONE, Masks
from ..settings.names import Network
from ..settings.password import PasswordHash


def _converter() -> JsonConverter:
    converter = make_converter(forbid_extra_keys=True)
    for network in (IPv4Network, IPv6Network):
        converter.register_unstructure_hook(network, str)
    converter.register_structure_hook(Network, lambda text, _: ip_network(text))
    converter.register_unstructure_hook(Masks, lambda masks: masks.texts)
    # Thousands of accounts may have no masks of their own, and share these.
    converter.register_structure_hook(
        Masks, lambda texts, _: Masks.parse(texts) if texts else EVERYONE
    )
    converter.register_unstructure_hook(PasswordHash, PasswordHash.text)
    converter.register_structure_hook(PasswordHash, lambda text, _: PasswordHash.parse(text))
    return converter


CONVERTER = _converter()
