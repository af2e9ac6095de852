"""Warns of what ``[web]`` allows to others than its admins.  Pure."""

from __future__ import annotations

from collections.abc import Iterator

from ..settings.endpoints import address_of, parse_endpoint
from ..settings.web import WebSettings
from ..settings.words import shown


def web_warnings(web: WebSettings) -> Iterator[str]:
    """Yield a sentence for each."""
    if web.users is None:
        yield (
            "[web], users: is not set, so nobody can sign in; name a file with the lines that"
            " multisendcon user NAME --role configure prints, one for each admin"
        )
    for text in web.listen:
        endpoint = parse_endpoint(text)
        address = address_of(endpoint.interface)
        # Of a socket that systemd has made, nothing is known here.
        if endpoint.secure or address is None or address.is_loopback:
            continue
        yield (
            f"[web], listen: {shown(text)} is reached from other machines without TLS, so everyone"
            " on the way can read passwords, and browsers keep no session; write ssl: with"
            " privateKey and certKey, or listen on 127.0.0.1 behind a proxy that speaks TLS"
        )
    for network in web.proxies:
        if not network.prefixlen:
            yield (
                f'[web], proxies: "{network}" is everyone, so whoever can reach the page may say'
                f" in {web.user_header} who they are; list the addresses of the proxies only"
            )
