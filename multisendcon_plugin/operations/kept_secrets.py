"""Secrets that a change keeps are sent nowhere else by it.

Who may configure never reads a secret; so they must not have one sent to a server of their own
either.  Secrets that are kept elsewhere, as in a file, are not looked at, nor is ``webhook``, which
is its own address.  Pure.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import attrs

from ..routing.account import Account
from ..settings.keys import keys_of
from ..settings.oauth2 import OAuth2
from .errors import RefusedError

#: Keys of an account, or of ``[ndr]``, that say where it logs in, and who can listen there.
_WHERE = (
    "type",
    "preset",
    "server",
    "port",
    "tls",
    "tls_verify",
    "tls_ca",
    "tls_name",
    "tls_fingerprint",
    "tls_ciphers",
)
#: Likewise of its table ``oauth2``: from where its tokens come.  Another tenant is of the same
#: provider, who hears the secret before.
_TOKENS_FROM = ("provider", "cloud", "token_url", "authorize_url", "device_url")
_SECRETS = (("password",), ("oauth2", "client_secret"))


@attrs.frozen
class Secret:
    """A secret of a text.

    :param table: ``account`` or ``ndr``.
    :param number: which of them.
    :param name: of the account; ``""`` it has none.
    :param keys: of the secret, from the outside in.
    :param where: what says where it is sent, by key.
    """

    table: str
    number: int
    name: str
    keys: tuple[str, ...]
    value: str = attrs.field(repr=False)
    where: Mapping[str, str]


#: Tells whether a secret was written, and not only kept.
Written = Callable[[Secret], bool]


def check_kept(before: Mapping[str, Any], after: Mapping[str, Any], written: Written) -> None:
    """See that no secret is sent elsewhere that nobody has written.

    :param before: what the text had.
    :param after: what it has, with its secrets.
    :raise RefusedError: one would be.
    """
    known = list(_secrets(before))
    for secret in _secrets(after):
        alike = [each for each in known if each.value == secret.value]
        # A secret may be that of several accounts.
        if any(each.where == secret.where for each in alike) or written(secret):
            continue
        of_it = [each for each in alike if each.name == secret.name] or alike
        changed = {
            key
            for each in of_it[:1]
            for key, value in secret.where.items()
            if each.where.get(key) != value
        }
        title = "[ndr]" if secret.table == "ndr" else f'account "{secret.name}"'
        raise RefusedError(
            f"{title}, {'.'.join(secret.keys)}: with another {' and '.join(sorted(changed))} it"
            " would be sent elsewhere than before; write it again, as it is kept only for where it"
            " is sent now"
        )


def written_in_text(asked: Mapping[str, Any], mask: str) -> Written:
    """Tell what somebody has written who has written the whole text.

    :param asked: what it has, where a mask stands for what is kept.
    """

    def written(secret: Secret) -> bool:
        tables = _tables(asked).get(secret.table, ())
        table = tables[secret.number] if secret.number < len(tables) else {}
        return _value(table, secret.keys) not in (None, mask)

    return written


def written_in_keys(table: str, name: str, values: Mapping[str, Any], mask: str) -> Written:
    """Tell what somebody has written who has written keys of one table."""
    return lambda secret: (
        (secret.table, secret.name) == (table, name)
        and _value(values, secret.keys) not in (None, mask)
    )


def nothing_written(_: Secret) -> bool:
    """Tell what somebody has written who has written none."""
    return False


def _secrets(document: Mapping[str, Any]) -> Iterator[Secret]:
    for kind, tables in _tables(document).items():
        for number, table in enumerate(tables):
            for keys in _SECRETS:
                value = _value(table, keys)
                if isinstance(value, str) and value:
                    name = str(table.get("name", "")) if kind == "account" else ""
                    where = {key: _written(table, key, Account) for key in _WHERE}
                    if len(keys) > 1:
                        inside = table[keys[0]]
                        where |= {key: _written(inside, key, OAuth2) for key in _TOKENS_FROM}
                    yield Secret(kind, number, name, keys, value, where)


def _written(table: Mapping[str, Any], key: str, settings: type[attrs.AttrsInstance]) -> str:
    """Return a value so that two can be compared; the default one, if there is none."""
    default = keys_of(settings)[key].default
    return repr(table.get(key, default.value if isinstance(default, enum.Enum) else default))


def _tables(document: Mapping[str, Any]) -> dict[str, list[Any]]:
    accounts, reports = document.get("account"), document.get("ndr")
    return {
        "account": accounts if isinstance(accounts, list) else [],
        "ndr": [reports] if isinstance(reports, dict) else [],
    }


def _value(table: Any, keys: tuple[str, ...]) -> Any:
    for key in keys:
        table = table.get(key) if isinstance(table, Mapping) else None
    return table
