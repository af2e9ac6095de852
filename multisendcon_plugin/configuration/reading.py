"""From a TOML document to a `Configuration`, with all faults of the file at once.

Knows no disk: what the document only names is asked of its `Surroundings`.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from ..errors import ConfigurationError
from ..presets import UnknownPresetError
from ..routing.account import DIRECT_CONNECTIONS, REPORTS_ACCOUNT, Account, AccountType
from ..routing.hop import Tls
from ..settings import names
from ..settings.surroundings import Surroundings
from ..settings.words import InvalidValueError, shown, shown_key
from .configuration import Configuration
from .direct_rules import is_direct
from .faults import Fault, sentence, sentences
from .from_preset import given_by, preset_of
from .quota_rules import share_quotas
from .rules import broken_rules
from .section import Section, unknown
from .tables import TABLES, Table

#: What logins by token need, of the extra "oauth".
_FOR_TOKENS = ("oauthlib", "jwt")
#: What the page needs, of the extra "web".
_FOR_THE_PAGE = ("jinja2", "tomlkit")
_PLACE = re.compile(r" *\(at (?:line (\d+), column \d+|end of document)\)")


def parse(text: str, origin: str, surroundings: Surroundings) -> Configuration:
    """Read a configuration from its text.

    :param origin: stands at the start of each fault.
    :raise ConfigurationError: with every fault of the text.
    """
    try:
        document = tomllib.loads(text)
    except RecursionError:
        fault = Fault(reason="is not TOML: the values are nested too deeply")
        raise ConfigurationError([sentence(origin, fault)]) from None
    except ValueError as error:
        # A number with thousands of digits is a ValueError without a place.
        place = _PLACE.search(str(error))
        line = place and int(place[1] or text.rstrip().count("\n") + 1)
        fault = Fault(reason=f"is not TOML: {_PLACE.sub('', str(error))}")
        raise ConfigurationError([sentence(origin, fault, line)]) from None
    return read(document, text, origin, surroundings)


def read(
    document: Mapping[str, object], text: str, origin: str, surroundings: Surroundings
) -> Configuration:
    """Read a configuration from a document of ``tomllib``.

    :param text: what the document was read from; the lines of faults are found in it.
    :param origin: stands at the start of each fault.
    :raise ConfigurationError: with every fault of the document.
    """
    surroundings.conceal(_variables(document))
    faults = [_unknown_table(name, value) for name, value in document.items() if name not in TABLES]
    singles, arrays = _sections(document, surroundings, faults)
    if document.get("account", []) == []:
        faults.append(Fault(reason="there is no account; write at least one [[account]]"))
    master_relay, ndr = singles["master_relay"], singles["ndr"]
    clients, accounts = arrays["client"], arrays["account"]
    _name_this_machine(master_relay, surroundings)
    _check_certificate(master_relay, "tls_certificate", "tls_key", surroundings)
    _check_folders(singles["spool"], surroundings)
    if "metrics" in document:
        faults += _missing_module("metrics", "prometheus_client", surroundings)
    if "web" in document:
        for module in _FOR_THE_PAGE:
            faults += _missing_module("web", module, surroundings)
    for section in (*accounts, ndr):
        _check_way(section, surroundings)
    faults += broken_rules(master_relay, ndr, accounts)
    if faults:
        raise ConfigurationError(sentences(faults, origin, text))
    # An environment variable or a file is a table; and "" is no password.
    logins = [*accounts, ndr]
    passwords = [
        *(section.given.get("password") for section in logins),
        *(each.given.get("client_secret") for login in logins for each in login.nested.values()),
    ]
    _complete(master_relay, clients, ndr, accounts)
    reports_account = _reports_account(ndr)
    return Configuration(
        **{name: _built(name, section, document) for name, section in singles.items()},
        clients=tuple(client.build() for client in clients),
        destinations=tuple(each.build() for each in arrays["destination"]),
        accounts=tuple(account.build() for account in accounts),
        reports_account=reports_account,
        has_secrets=any(isinstance(each, str) and each for each in passwords),
    )


def _sections(
    document: Mapping[str, object], surroundings: Surroundings, faults: list[Fault]
) -> tuple[dict[str, Section], dict[str, list[Section]]]:
    """Read the tables by themselves, with their presets: the single ones, and the repeated ones."""
    singles = {}
    arrays = {}
    for name, table in TABLES.items():
        if table.repeated:
            arrays[name] = _array(name, table, document.get(name, []), faults)
        else:
            singles[name] = _single(name, table, document.get(name, {}), faults)
    for account in arrays["account"]:
        _demand_server(account)
        if not is_direct(account):
            _take_preset(account)
    for name in TABLES:
        for section in [singles[name]] if name in singles else arrays[name]:
            section.read(surroundings)
    return singles, arrays


def _variables(value: object) -> Iterator[str]:
    """Yield the environment variables that a document names for secrets."""
    match value:
        case {"env": str(name), **others} if not others:
            yield name
        case dict():
            for each in value.values():
                yield from _variables(each)
        case list():
            for each in value:
                yield from _variables(each)


def _built(name: str, section: Section, document: Mapping[str, object]) -> Any:
    """Return the value of a table; ``None``: it is not there, and nothing stands for it."""
    return section.build() if name in document or not section.table.optional else None


def _unknown_table(name: str, value: object) -> Fault:
    what = "table" if isinstance(value, dict | list) else "key outside of any table"
    where = f"[{shown_key(name)}]" if isinstance(value, dict) else shown_key(name)
    return Fault(path=(name,), where=where, reason=unknown(what, name, TABLES))


def _single(name: str, table: Table, given: object, faults: list[Fault]) -> Section:
    title = f"[{name}]"
    if not isinstance(given, dict):
        reason = f"is not a table; write {title}"
        faults.append(Fault(path=(name,), where=name, reason=reason))
        given = {}
    return Section(table=table, path=(name,), title=title, given=given, faults=faults)


def _array(name: str, table: Table, given: object, faults: list[Fault]) -> list[Section]:
    if not isinstance(given, list) or not all(isinstance(each, dict) for each in given):
        reason = f"is not an array of tables; write [[{name}]] above each {name}"
        faults.append(Fault(path=(name,), where=name, reason=reason))
        return []
    sections = []
    for index, each in enumerate(given):
        own = each.get("name") if "name" in table.keys else None
        title = f"[[{name}]] {shown(own) if isinstance(own, str) else f'number {index + 1}'}"
        path = (name, index)
        sections.append(Section(table=table, path=path, title=title, given=each, faults=faults))
    return sections


def _demand_server(account: Section) -> None:
    """Have an account name its server, unless it is one that finds servers in the DNS."""
    if account.given.get("type", AccountType.SMTP.value) == AccountType.SMTP.value:
        account.demands["server"] = (
            'every account needs it, but one of type = "direct", which finds servers in the DNS'
        )


def _take_preset(account: Section) -> None:
    """Have the preset of an account, if it names one, stand for what is not written."""
    try:
        preset = preset_of(account.given)
    except UnknownPresetError as unknown_preset:
        account.faults.append(account.fault("preset", str(unknown_preset)))
        # Whatever else is missing may be there as soon as the name is right.
        account.demands.pop("server", None)
        return
    if preset:
        account.preset.update(given_by(preset, account.given))
        for key, words in preset.required.items():
            account.demands[key] = f"write {words}"


def _name_this_machine(master_relay: Section, surroundings: Surroundings) -> None:
    """Set the host name where the file has none."""
    if "hostname" in master_relay.given:
        return
    hostname = surroundings.hostname()
    try:
        master_relay.values["hostname"] = names.domain(hostname)
    except InvalidValueError:
        reason = (
            f"is missing, and the name of this machine, {shown(hostname)}, is not a domain;"
            ' write for example "relay.example.com"'
        )
        master_relay.faults.append(master_relay.fault("hostname", reason))


def _check_certificate(
    section: Section, certificate: str, key: str, surroundings: Surroundings
) -> None:
    """Look whether a certificate and its key are good together; both are keys of a table."""
    if section.value(certificate) and section.valid(certificate, key):
        with section.finding(certificate):
            surroundings.check_certificate(section.value(certificate), section.value(key))


def _check_way(section: Section, surroundings: Surroundings) -> None:
    """Look at what the way to the servers of an account needs of this machine."""
    if is_direct(section):
        with section.finding("type"):
            surroundings.check_module("dns", "direct", "dnspython")
    else:
        _check_certificate(section, "tls_client_certificate", "tls_client_key", surroundings)
        _check_tokens(section, surroundings)


def _check_tokens(section: Section, surroundings: Surroundings) -> None:
    """Look at what a login by token needs of this machine."""
    token = section.nested.get("oauth2")
    if token is None:
        return
    with section.finding("oauth2"):
        for module in _FOR_TOKENS:
            surroundings.check_module(module, "oauth")
    if token.value("client_certificate") and token.valid("client_certificate", "client_key"):
        with token.finding("client_certificate"):
            surroundings.check_signer(token.value("client_certificate"), token.value("client_key"))


def _check_folders(spool: Section, surroundings: Surroundings) -> None:
    """Look at the folders in which mail waits, also where the file leaves them as they are."""
    if spool.valid("path"):
        path = spool.value("path")
        with spool.finding("path"):
            for folder in (path, f"{path}/content"):
                surroundings.check_folder(folder)


def _missing_module(table: str, name: str, surroundings: Surroundings) -> Iterator[Fault]:
    """Look whether what a table needs is installed; it is an extra of the same name."""
    try:
        surroundings.check_module(name, table)
    except InvalidValueError as invalid:
        for reason in invalid.args:
            yield Fault(path=(table,), where=f"[{table}]", reason=reason)


def _complete(
    master_relay: Section, clients: list[Section], ndr: Section, accounts: list[Section]
) -> None:
    """Set the defaults that follow from other settings."""
    for client in clients:
        client.values.setdefault("submission_help", master_relay.value("submission_help"))
    hostname = master_relay.value("hostname")
    ndr.values.setdefault("sender", f"mailer-daemon@{hostname}")
    for section in (*accounts, ndr):
        section.values.setdefault("helo_domain", hostname)
    for account in filter(is_direct, accounts):
        account.values.setdefault("max_connections", DIRECT_CONNECTIONS)
    share_quotas(accounts)


def _reports_account(ndr: Section) -> Account | None:
    """Make one value of the keys that describe the way to the server of the reports."""
    values = {key: ndr.values.pop(key) for key in ndr.table.borrowed if key in ndr.values}
    if "server" not in values:
        return None
    account = Account(name=REPORTS_ACCOUNT, **values)
    if not (account.hop.tls_required or any(key.startswith("tls") for key in ndr.given)):
        # A mail server in the same house often has a certificate that nobody else trusts.
        account = attrs.evolve(account, tls=Tls.OPPORTUNISTIC)
    return account
