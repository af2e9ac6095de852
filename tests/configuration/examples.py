"""What the tests of the configuration share: small documents, and surroundings without a disk."""

from __future__ import annotations

import attrs

from multisendcon_plugin.configuration import Configuration, parse
from multisendcon_plugin.configuration.tables import TABLES, Table
from multisendcon_plugin.errors import ConfigurationError
from multisendcon_plugin.settings.keys import Nested
from multisendcon_plugin.settings.surroundings import Surroundings
from multisendcon_plugin.settings.words import InvalidValueError

#: Of the password "secret".
HASH = "$scrypt$ln=14,r=8,p=1$MDEyMzQ1Njc4OWFiY2RlZg$41uBuEIHgVau41v1q9BTZzisnSi/olB0DbA83e36fiY"
ORIGIN = "multisendcon.toml"
PASSWORD = "c4nary-Pa55"
ACCOUNT = {"name": '"Sales"', "server": '"smtp.example.com"'}
#: What tables that may be repeated need, beside that of an account.
REPEATED = {
    "client": {"addresses": '["192.0.2.0/24"]'},
    "destination": {"domains": '["example.net"]'},
}


def _with_nested():
    for name, table in TABLES.items():
        yield name, table
        for key, declared in table.keys.items():
            if isinstance(declared.kind, Nested) and key not in table.borrowed:
                yield f"{name}.{key}", Table(declared.kind.type)


#: By name, each followed by the tables inside of it, as ``account.oauth2``.
ALL_TABLES = dict(_with_nested())


@attrs.frozen
class Paper(Surroundings):
    """Surroundings that hold a password under the name ``known``, and nothing else."""

    name: str = "relay.example.com"
    secret: str = PASSWORD

    def hostname(self):
        return self.name

    def path(self, path):
        return f"/base/{path}"

    real_folder = path

    def readable(self, path):
        self._ask(path)
        return self.path(path)

    def text(self, path):
        self._ask(path)
        return f"joe:{HASH}"

    def is_file(self, path):
        return True

    def check_certificate(self, certificate, key):
        pass

    check_signer = check_certificate

    def check_module(self, name, extra, library=""):
        pass

    def secret_file(self, path):
        return self._ask(path)

    secret_variable = secret_credential = secret_file

    def secret_command(self, arguments):
        return self._ask(arguments[0])

    def _ask(self, place):
        if place != "known":
            raise InvalidValueError(f"{place} cannot be read")
        return self.secret


def document(table: str = "account", **keys: str) -> str:
    """Write a document with some keys, as TOML, in one table; the rest is as small as it gets."""
    account = ACCOUNT | (keys if table == "account" else {})
    tables = [("[[account]]", account)]
    if table in REPEATED:
        tables.append((f"[[{table}]]", REPEATED[table] | keys))
    elif table != "account":
        tables.append((f"[{table}]", keys))
    lines = []
    for header, items in tables:
        lines.append(header)
        lines += [f"{key} = {value}" for key, value in items.items() if value]
    return "\n".join(lines)


def bound(text: str) -> str:
    """Let each account of a document say whose mail it takes, so that there is no warning of it."""
    return text.replace("[[account]]\n", '[[account]]\nsenders = "*"\n')


def read(text: str, surroundings: Surroundings | None = None) -> Configuration:
    return parse(text, ORIGIN, surroundings or Paper())


def faults(text: str, surroundings: Surroundings | None = None) -> list[str]:
    try:
        read(text, surroundings)
    except ConfigurationError as error:
        return error.faults
    return []
