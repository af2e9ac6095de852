"""A relay with its page, and with mail of all kinds that strangers have written.

Accounts: one that works, one that nobody can reach, one with a wrong password, one over its quota,
and one with a name and a provider that are hostile.
"""

from __future__ import annotations

import json
import smtplib
from email.message import EmailMessage
from email.policy import SMTP

from multisendcon_plugin.settings.admins import Role
from multisendcon_plugin.settings.password import PasswordHash
from tests.interop.operators import NOWHERE, Operator
from tests.interop.page import hostile
from tests.interop.page.evil_provider import EvilProvider
from tests.interop.programs import free_port, until
from tests.interop.provider import ProviderProcess
from tests.interop.relay import Relay, account

PASSWORD = "correct horse battery staple"
_HASH = PasswordHash.of(PASSWORD.encode(), bytes(16)).text()
#: Names of users by their role.
USERS = {Role.VIEW: "victor", Role.OPERATE: "olga", Role.CONFIGURE: "carl"}
#: The account with a hostile name.
EVIL = f"Evil {hostile.IMAGE}"


class World:
    """The relay, its page, and its providers.

    :ivar url: of the page.
    """

    def __init__(self, folder, start, *, web=""):
        self.folder = folder
        good = start(ProviderProcess(folder, "127.0.3.1"))
        self.evil = start(EvilProvider(folder, "127.0.3.2"))
        strict = start(ProviderProcess(folder, "127.0.3.3", users={"sales": "right"}))
        self.users = folder / "admins"
        self.write_users()
        self.web_port = free_port(Relay.address)
        self.url = f"http://{Relay.address}:{self.web_port}"
        self.accounts = [
            account("Sales", good.address, good.port, senders='"*@sales.example"'),
            account("Resting", *NOWHERE, senders='"*@rest.example"'),
            account(
                "Wrong password",
                strict.address,
                strict.port,
                senders='"*@wrong.example"',
                username='"sales"',
                password='"wrong-s3cret-password"',
                tls='"none"',
            ),
            account(
                "Newsletter",
                good.address,
                good.port,
                senders='"*@news.example"',
                quota='["2 mails/1d"]',
            ),
            account("@", self.evil.address, self.evil.port).replace('"@"', json.dumps(EVIL)),
        ]
        self.relay = Relay(folder, self.configuration(web))
        self.operator = Operator(self.relay)

    def configuration(self, web=""):
        table = f"""
            [web]
            listen = ["tcp:port={self.web_port}:interface={Relay.address}"]
            users = "{self.users}"
            {web}

            [delivery]
            retry = ["1h"]
        """
        return "\n".join([table, *self.accounts])

    def write_users(self, **more):
        """Write who may use the page: the usual ones, and more with their roles by name."""
        users = {name: role for role, name in USERS.items()} | more
        lines = [f"{name}:{_HASH}:{role.value}" for name, role in users.items()]
        self.users.write_text("\n".join([*lines, ""]))
        self.users.chmod(0o600)

    def send(self, sender, *recipients, subject="A subject", helo="client.example.com", header=()):
        """Hand a mail in."""
        message = EmailMessage()
        message["From"] = "somebody@anywhere.example"
        message["Subject"] = subject
        message.set_content("Hello")
        text = "".join(f"{line}\r\n" for line in header).encode() + message.as_bytes(policy=SMTP)
        with smtplib.SMTP(self.relay.address, self.relay.port, helo) as client:
            client.sendmail(sender, recipients, text)

    def fill(self):
        """Send a bit of everything, and wait until it is where it stays."""
        for number in range(3):
            self.send("boss@sales.example", f"customer{number}@customer.example")
            self.send("news@news.example", f"reader{number}@list.example")
        for number in range(12):
            self.send(f"clerk{number}@rest.example", "later@customer.example")
        self.send("boss@wrong.example", "customer@customer.example")
        for text in hostile.ALL:
            local = text.replace("\\", "").replace('"', '\\"')
            sender = f'"{local}"@hostile.example' if local.isascii() else "turned@hostile.example"
            header = [f'Message-ID: <"{local}"@hostile.example>']
            for recipient in ("taken", "refused", "later"):
                self.send(
                    sender,
                    f"{recipient}@customer.example",
                    subject=text,
                    helo=text if text.isascii() else "client.example.com",
                    header=header if text.isascii() else (),
                )
        settled = {"waiting": 12 + 1 + 1 + len(hostile.ALL)}
        until(
            lambda: all(each["attempts"] for each in self.waiting("hostile.example")),
            "the hostile provider has answered",
        )
        until(lambda: self.is_settled(settled), "mail is where it stays")

    def wait_at_rest(self, *names):
        """Send mails that wait for good, and return the ID of each sender's."""
        for name in names:
            self.send(f"{name}@rest.example", "later@customer.example", subject=f"Of {name}")
        senders = [f"{name}@rest.example" for name in names]
        ids = {each["sender"]: each["id"] for each in self.waiting("rest.example")}
        return [ids[each] for each in senders]

    def state(self, number):
        """Return the state of a mail that waits; ``None``: none of it does."""
        states = {each["id"]: each["state"] for each in self.operator.rows()}
        return states.get(number)

    def waiting(self, domain):
        """Return what waits of senders at a domain."""
        return [each for each in self.operator.rows() if each["sender"].endswith(f"@{domain}")]

    def is_settled(self, expected):
        rows = self.operator.rows()
        states = {each["account"]: each["state"] for each in rows}
        return (
            states.get("Resting") == "resting"
            and states.get("Newsletter") == "quota"
            and len(rows) >= expected["waiting"]
        )
