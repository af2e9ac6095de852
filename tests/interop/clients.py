"""Clients that send many mails at once, and note which of them the relay has answered for."""

from __future__ import annotations

import itertools
import smtplib
import threading

CONTENT = "From: boss@sales.example\r\nSubject: {0}\r\n\r\n" + "All work and no play.\r\n" * 180


class Clients:
    """Threads that send one mail to each recipient; a mail whose session breaks is not repeated.

    They come back when the relay does, and end with their recipients, or with the block.

    :param recipients: left out: as many as there is time for.
    :param sender_of: returns the sender of the mail to a recipient.
    :ivar acknowledged: recipients whose mail got its 250.
    :ivar doubtful: recipients whose mail may have been taken: the session broke.
    :ivar refused: connections that the relay has not taken.
    """

    def __init__(
        self, relay, recipients=None, sessions=10, sender_of=lambda _: "boss@sales.example"
    ):
        if recipients is None:
            recipients = (f"{number}@customer.example" for number in itertools.count())
        self.acknowledged = set()
        self.doubtful = set()
        self.refused = 0
        self._relay = (relay.address, relay.port)
        self._recipients = iter(recipients)
        self._sender_of = sender_of
        self._changed = threading.Condition()
        self._ending = threading.Event()
        self._threads = [threading.Thread(target=self._send_all) for _ in range(sessions)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._ending.set()
        self.join()

    def join(self):
        for thread in self._threads:
            thread.join()

    def wait_for(self, count, timeout=60):
        """Wait until so many mails have got their 250."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self.acknowledged) >= count, timeout):
                raise TimeoutError(f"only {len(self.acknowledged)} mails were taken")

    def _send_all(self):
        session = None
        while not self._ending.is_set():
            if session is None:
                session = self._connect()
                continue
            recipient = self._next()
            if recipient is None:
                break
            try:
                sender = self._sender_of(recipient)
                session.sendmail(sender, [recipient], CONTENT.format(recipient))
            except (smtplib.SMTPException, OSError):
                session.close()
                session = None
                self._note(self.doubtful, recipient)
            else:
                self._note(self.acknowledged, recipient)
        if session is not None:
            session.close()

    def _next(self):
        with self._changed:
            return next(self._recipients, None)

    def _connect(self):
        try:
            return smtplib.SMTP(*self._relay, timeout=30)
        except (smtplib.SMTPException, OSError):
            with self._changed:
                self.refused += 1
            self._ending.wait(0.05)
            return None

    def _note(self, group, recipient):
        with self._changed:
            group.add(recipient)
            self._changed.notify_all()
