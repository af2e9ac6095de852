"""A client that goes on sending mail, as good as it gets, while others do harm.

It has a process of its own, since Python lets one thread run at a time: its times are to be those
of the relay.
"""

from __future__ import annotations

import base64
import multiprocessing
import smtplib
import statistics
import time

from tests.interop.clients import CONTENT
from tests.interop.logins import PASSWORD, USERNAME
from tests.interop.programs import until

SENDER = "boss@sales.example"


class Honest:
    """See above; the block ends when its last mail is through.

    :param address: where the relay listens.
    :param name: of its recipients.
    :param source: its address.
    :param logs_in: it does so, in the clear, before each mail.
    :ivar taken: the recipients of its mails.
    :ivar times: seconds that each took, from connecting to the end of the session.
    :ivar refused: what it was told instead.
    """

    def __init__(self, address, name="client", source="127.0.0.1", *, logs_in=False):
        context = multiprocessing.get_context("spawn")
        self._ending = context.Event()
        self._told = context.SimpleQueue()
        self._process = context.Process(
            target=_go_on,
            args=(address, source, self._ending, self._told),
            kwargs={"name": name, "logs_in": logs_in},
        )
        self._attacked = 0
        self.name = name
        self.taken, self.times, self.refused = [], [], []

    def __enter__(self):
        self._process.start()
        return self

    def __exit__(self, *_):
        self._ending.set()
        while self._process.is_alive():
            self._hear()  # what nobody reads would stop it
            self._process.join(0.1)
        self._hear()

    def wait_for(self, count):
        """Wait until so many more mails are through, taken or refused."""
        goal = self._count() + count
        until(lambda: self._count() >= goal, "an honest client's mails are through")

    def is_attacked(self):
        """What comes from now on is during the attack."""
        self._hear()
        self._attacked = len(self.times)

    @property
    def later(self):
        """Seconds that its slowest mail took longer in the attack than mails do at rest."""
        return max(self.times[self._attacked :], default=0.0) - self._rest

    @property
    def _rest(self):
        return statistics.median(self.times[: self._attacked])

    def __str__(self):
        attacked = self.times[self._attacked :]
        median = statistics.median(attacked) if attacked else float("nan")
        return (
            f"an honest {self.name}'s {len(attacked)} mails took {median:.3f} s, at most"
            f" {max(attacked, default=float('nan')):.3f} s (at rest {self._rest:.3f} s);"
            f" {len(self.refused)} refused"
        )

    def _count(self):
        self._hear()
        return len(self.times) + len(self.refused)

    def _hear(self):
        while not self._told.empty():
            recipient, seconds, refusal = self._told.get()
            if refusal:
                self.refused.append(refusal)
            else:
                self.taken.append(recipient)
                self.times.append(seconds)


def _go_on(address, source, ending, told, *, name, logs_in):
    number = 0
    while not ending.wait(0.05):
        number += 1
        recipient = f"{name}-{number}@customer.example"
        begin = time.monotonic()
        refusal = ""
        try:
            with smtplib.SMTP(*address, timeout=60, source_address=(source, 0)) as client:
                if logs_in:
                    _log_in(client)
                client.sendmail(SENDER, [recipient], CONTENT.format(recipient))
        except (smtplib.SMTPException, OSError) as error:
            refusal = repr(error)
        told.put((recipient, time.monotonic() - begin, refusal))


def _log_in(client):
    client.ehlo()
    # That library knows passwords in ASCII only.
    credentials = base64.b64encode(f"\0{USERNAME}\0{PASSWORD}".encode()).decode()
    code, text = client.docmd("AUTH PLAIN", credentials)
    if code != 235:
        raise smtplib.SMTPAuthenticationError(code, text)
