"""Facts as the rooms publish them, made by the real rules."""

from __future__ import annotations

from multisendcon_plugin.events import AttemptEnded, MailAccepted
from multisendcon_plugin.mail.envelope import Client, Envelope
from multisendcon_plugin.mail.message import Delivery, Message, Recipient
from multisendcon_plugin.outcome.judgement import judge
from multisendcon_plugin.settings.values import DeliverySettings
from tests.queues import NOW, attempt

CLIENT = Client("192.0.2.7", "joe", "pc.example", "TLSv1.3")
SETTINGS = DeliverySettings()


def message(number=1, recipients=("r@b.example",), sender="s@a.example", arrived=NOW, **envelope):
    """Return a message that a client has handed in."""
    return Message(
        number=number,
        envelope=Envelope(
            reverse_path=sender, recipients=tuple(recipients), client=CLIENT, **envelope
        ),
        size=110,
        header_size=20,
        arrived=arrived,
        dots=10,
    )


def delivery(of=None, account="A", recipients=None, n=0, reason="test", **more):
    """Return a delivery of a message; by default it has all of its recipients."""
    of = of or message()
    recipients = of.envelope.recipients if recipients is None else recipients
    return Delivery(
        number=of.number * 65_536 + n,
        message=of,
        account=account,
        recipients=tuple(Recipient(address=each, reason=reason) for each in recipients),
        due=of.arrived,
        **more,
    )


def accepted(*deliveries):
    return MailAccepted(deliveries)


def tried(tried, *verdicts, at=NOW + 1, fallback=None, policy="", **more):
    """Return the end of an attempt, and what follows from it."""
    made = attempt(tried, *verdicts, session="mx.example, TLSv1.3", policy=policy, **more)
    judgement = judge(
        tried, made, now=at, started=NOW, settings=SETTINGS, jitter=0.5, fallback=fallback
    )
    return AttemptEnded(tried, made, judgement, at)
