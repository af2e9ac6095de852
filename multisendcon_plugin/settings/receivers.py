"""What big receivers of mail take from one sender: what holds for their domains in direct delivery.

What ``[[destination]]`` says comes before it, key by key.  Facts, each with its source.  Pure.
"""

from __future__ import annotations

import attrs

#: The rules for traffic shaping that KumoMTA is shipped with, and those of its users, both as read
#: in November 2026.
_RULES = "KumoMTA, assets/policy-extras/shaping.toml"
_COMMUNITY = "KumoMTA, assets/community/shaping.toml"


@attrs.frozen(kw_only=True)
class Receiver:
    """What one receiver takes from one sender, in each of its domains.

    :param title: what people call it.
    :param domains: exact names, and ``*.example`` for all subdomains; in lower case.
    :param max_connections: at the same time; ``None``: not known.
    :param max_mails_per_connection: the same for the mails over one connection.
    :param source: where that was read.
    """

    title: str
    domains: tuple[str, ...]
    max_connections: int | None = None
    max_mails_per_connection: int | None = None
    source: str


RECEIVERS = (
    Receiver(
        title="Gmail",
        domains=("gmail.com", "googlemail.com"),
        max_connections=5,
        max_mails_per_connection=50,
        source=_RULES,
    ),
    Receiver(
        title="Outlook.com",
        domains=(
            *("outlook.com", "outlook.de", "outlook.fr", "outlook.es", "outlook.it"),
            *("hotmail.com", "hotmail.co.uk", "hotmail.de", "hotmail.fr", "hotmail.it"),
            *("hotmail.es", "live.com", "live.co.uk", "live.de", "live.fr", "live.it", "live.nl"),
            "msn.com",
        ),
        max_connections=5,
        max_mails_per_connection=50,
        source=_RULES,
    ),
    Receiver(
        title="Yahoo",
        domains=(
            *("yahoo.com", "yahoo.co.uk", "yahoo.de", "yahoo.fr", "yahoo.it", "yahoo.es"),
            *("yahoo.ca", "yahoo.co.in", "yahoo.in", "yahoo.com.br", "yahoo.com.mx"),
            *("ymail.com", "rocketmail.com", "aol.com", "aol.de", "aim.com"),
        ),
        max_mails_per_connection=20,
        source=f"{_RULES}, which has it from Yahoo",
    ),
    Receiver(
        title="Yahoo Japan",
        domains=("yahoo.co.jp",),
        max_connections=2,
        max_mails_per_connection=20,
        source=_COMMUNITY,
    ),
    Receiver(
        title="iCloud",
        domains=("icloud.com", "me.com", "mac.com"),
        max_connections=10,
        max_mails_per_connection=5,
        source=_RULES,
    ),
    Receiver(
        title="Comcast",
        domains=("comcast.net",),
        max_connections=25,
        max_mails_per_connection=1000,
        source=f"{_RULES}, which has it from Comcast",
    ),
    Receiver(
        title="Orange",
        domains=("orange.fr", "wanadoo.fr"),
        max_connections=2,
        max_mails_per_connection=100,
        source="Orange's page for postmasters, as KumoMTA's documentation has it",
    ),
    Receiver(
        title="GMX and WEB.DE",
        domains=("gmx.de", "gmx.net", "gmx.at", "gmx.ch", "web.de"),
        max_connections=4,
        max_mails_per_connection=20,
        source=_COMMUNITY,
    ),
    Receiver(
        title="QQ",
        domains=("qq.com", "*.qq.com", "foxmail.com"),
        max_connections=4,
        max_mails_per_connection=8,
        source=_COMMUNITY,
    ),
    Receiver(
        title="NetEase",
        domains=("163.com", "126.com", "yeah.net"),
        max_connections=4,
        max_mails_per_connection=7,
        source=_COMMUNITY,
    ),
)
