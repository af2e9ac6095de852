"""What the demonstration prints: the accounts, each mail as it arrives, how to send one's own.

What the relay decided it learns from the relay's events; what it warns of, from the log.
"""

from __future__ import annotations

import re
from textwrap import dedent
from typing import TextIO

from twisted.logger import ILogObserver, LogEvent, LogLevel, formatEvent
from zope.interface import implementer

from ..configuration import Configuration
from ..daemon.log_lines import what_next
from ..events import AttemptEnded, MailAccepted, Publisher, ReportQueued
from ..mail.message import Delivery
from ..outcome.attempt import Verdict
from ..routing.account import Account
from ..testing import ReceivedMail
from .day import CLIENT
from .scene import PASSWORD

_QUEUE_ID = re.compile(rb"\tby \S+ (?:with \S+ )?id (\w+);")

_TITLE = """
    multisendcon: the smarthost that chooses the way out by the sender
    ==================================================================

    A demonstration.  The relay listens on 127.0.0.1 port {port}; it has seven accounts, most of
    them at three providers, which run in this program as well.  No mail leaves this machine, and no
    file stays.

    The accounts in order of priority; the first one that matches sender and recipient is used:
"""
_INVITATION = """
    That was the dozen.  {page}

    The relay keeps running: send mails of your own from another terminal, from any sender you like,
    and see here what happens to them.

      python3 -c "import smtplib; smtplib.SMTP('127.0.0.1', {port}).sendmail(
        'you@sales.example.com', 'me@anywhere.example', 'Subject: My own\\n\\nHello')"

    Or point a mail program at 127.0.0.1 port {port}.  Ask the relay what it does, and why:

      {command} status
      {command} log
      {command} explain boss@sales.example.com anna@customer.example
      {command} account test Sales

    Stop an account, send your mail once more, and see it wait until the account goes on:

      {command} account pause Sales
      {command} queue list
      {command} account resume Sales

    Ctrl-C ends the demonstration.
"""


_PAGE = """See the relay at work in a browser (no sign-in, from this machine only):

      {url}

    From now on there mails go by as on any day.  Three accounts need somebody, and so do two mails:
    find out why.  (The password that Support should have: {password})"""
_NO_PAGE = "The page of the relay comes with: pip install 'multisendcon[web]'"


@implementer(ILogObserver)
class Printer:
    """Prints for a terminal of 100 columns."""

    def __init__(self, output: TextIO) -> None:
        self._output = output
        self._deliveries: dict[str, tuple[Delivery, ...]] = {}
        self._last: dict[str, float] = {}
        self._invited = False
        self.arrivals = 0

    def say(self, text: str = "") -> None:
        """Print a text."""
        self._output.write(text + "\n")
        self._output.flush()

    def introduce(self, configuration: Configuration, port: int) -> None:
        """Say what there is to see."""
        self.say(dedent(_TITLE).format(port=port))
        for account in configuration.accounts:
            name = account.name
            for line in _account_lines(account):
                self.say(f"  {name:<13} {line}")
                name = ""
        self.say("\nA dozen mails are sent; this is how they arrive:\n")

    def invite(self, port: int, program: str, config: str, url: str) -> None:
        """Say where the page is, how to send one's own mail, and how to ask the relay.

        What goes wrong from now on is for the page to tell.

        :param program: the command line.
        :param config: the file of the configuration.
        :param url: of the page; ``""``: there is none.
        """
        command = f"{program} --config={config}"
        page = _PAGE.format(url=url, password=PASSWORD) if url else _NO_PAGE
        text = _INVITATION.format(port=port, command=command, page=page)
        self.say(dedent(text))
        self._invited = True

    def listen(self, events: Publisher) -> None:
        """Be told what the relay decides."""
        events.subscribe(MailAccepted, self._accepted)
        events.subscribe(ReportQueued, self._reported)
        events.subscribe(AttemptEnded, self._tried)

    def _accepted(self, event: MailAccepted) -> None:
        if not _of_the_day(event.deliveries[0]):
            self._deliveries[event.deliveries[0].message.id] = event.deliveries

    def _reported(self, event: ReportQueued) -> None:
        self._deliveries[event.report.message.id] = (event.report,)

    def _tried(self, event: AttemptEnded) -> None:
        if _of_the_day(event.delivery):
            return
        for result in event.results:
            if result.verdict is Verdict.DELIVERED or result.split:
                continue
            recipients = ", ".join(f"<{recipient}>" for recipient in result.recipients)
            account = event.delivery.account
            following = what_next(event) if result.waits else ""
            self.say(f" --  to {recipients} by {account}: {result.verdict}")
            self.say(f"     {result.reply}{following}\n")

    def __call__(self, event: LogEvent) -> None:
        """Print what an admin is warned of."""
        if event["log_level"] >= (LogLevel.critical if self._invited else LogLevel.warn):
            self.say(f" !!  {formatEvent(event)}\n")

    def arrived(self, provider: str, mail: ReceivedMail) -> None:
        """Tell of a mail that has arrived at a provider."""
        found = _QUEUE_ID.search(mail.content.partition(b"\r\n\r\n")[0])
        number = found[1].decode() if found else ""
        if number and number not in self._deliveries:
            return  # of the day
        self.arrivals += 1
        account, reason, sender = self._decision(number, mail)
        gap = _gap(self._last.get(account), mail.mail_from_at)
        self._last[account] = mail.received_at
        login = f", login {mail.username}" if mail.username else ""
        recipients = ", ".join(f"<{recipient}>" for recipient in mail.recipients)
        self.say(f"{self.arrivals:>3}  <{sender}> to {recipients}")
        if point := _field(mail.content, b"Comments") or _field(mail.content, b"Subject"):
            self.say(f"     ({point})")
        self.say(f"     account  {account}, {gap}; {reason}")
        tls = mail.tls or "no TLS"
        self.say(f"     session  {mail.peer} to {provider}, HELO {mail.helo}, {tls}{login}")
        header_from = _field(mail.content, b"From")
        self.say(f"     as       MAIL FROM:<{mail.reverse_path}>, From: {header_from}\n")

    def _decision(self, number: str, mail: ReceivedMail) -> tuple[str, str, str]:
        """Return the account, why it was chosen, and the sender before it was replaced.

        :param number: of the mail; ``""``: a report of the relay itself has no trace field.
        """
        deliveries = self._deliveries[number] if number else self._reports()
        for delivery in deliveries:
            for recipient in delivery.recipients:
                if recipient.address in mail.recipients:
                    sender = delivery.message.envelope.reverse_path
                    return delivery.account, recipient.reason, sender
        return "unknown", "it did not come through the relay", mail.reverse_path

    def _reports(self) -> list[Delivery]:
        return [
            delivery
            for deliveries in self._deliveries.values()
            for delivery in deliveries
            if not delivery.message.envelope.reverse_path
        ]


def _of_the_day(delivery: Delivery) -> bool:
    client = delivery.message.envelope.client
    return client is not None and client.helo == CLIENT


def _gap(last: float | None, now: float) -> str:
    if last is None:
        return "its first mail"
    return f"{now - last:.1f} s after its last" if now > last else "together with its last"


def _account_lines(account: Account) -> list[str]:
    tls = "TLS" if account.hop.implicit_tls else "STARTTLS if offered"
    login = f", login {account.sasl_user}" if account.logs_in else ""
    everyone = account.senders.texts == ("*",)
    senders = "any sender" if everyone else ", ".join(account.senders.texts)
    recipients = ", ".join(account.recipients.texts) or "any recipient"
    lines = [
        f"from {senders} to {recipients}",
        f"server {account.server} port {account.port}, {tls}{login}",
    ]
    if account.local_address:
        addresses = ", ".join(account.local_address)
        lines.append(f"local address {addresses}, HELO {account.helo_domain}")
    if account.fixed_sender:
        lines.append(f"fixed sender {account.fixed_sender}, unless the mail is private")
    if account.quota:
        lines.append(f"at most {', '.join(map(str, account.quota))}")
    if account.minimum_wait:
        lines.append(f"at least {account.minimum_wait} s between two mails")
    return lines


def _field(content: bytes, name: bytes) -> str:
    """Return a header field's text, unfolded."""
    header = content.partition(b"\r\n\r\n")[0].replace(b"\r\n ", b" ")
    for line in header.split(b"\r\n"):
        if line.startswith(name + b": "):
            return line[len(name) + 2 :].decode("utf-8", "replace")
    return ""
