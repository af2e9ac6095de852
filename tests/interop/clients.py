"""Clients that send many mails at once, and note which of them the relay has answered for."""

from __future__ import annotations

import smtplib
import threading

CONTENT = "From: boss@sales.example\r\nSubject: {0}\r\n\r\n" + "All work and no play.\r\n" * 180


class Clients:
    """Threads that send one mail to each recipient; a mail whose session breaks is not repeated.

    :param sender_of: returns the sender of the mail to a recipient.
    :ivar acknowledged: recipients whose mail got its 250.
    :ivar doubtful: recipients whose mail may have been taken: the session broke.
    """

    def __init__(self, relay, recipients, sessions=10, sender_of=lambda _: "boss@sales.example"):
        self.acknowledged = set()
        self.doubtful = set()
        self._relay = (relay.address, relay.port)
        self._recipients = iter(recipients)
        self._sender_of = sender_of
        self._changed = threading.Condition()
        self._threads = [threading.Thread(target=self._send_all) for _ in range(sessions)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        with self._changed:
            self._recipients = iter(())
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
        while recipient := self._next():
            while session is None:
                session = self._connect()
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
            threading.Event().wait(0.05)
            return None

    def _note(self, group, recipient):
        with self._changed:
            group.add(recipient)
            self._changed.notify_all()
