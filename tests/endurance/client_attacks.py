"""Attacks by those who may send: listed clients, and a user whose password is known."""

from __future__ import annotations

import base64
import collections
import contextlib
import email
import email.policy
import re
import time

from tests.endurance.hostile import refusing_server
from tests.endurance.scene import MIB, Attack, threads
from tests.interop.logins import PASSWORD, USERNAME
from tests.interop.programs import until
from tests.interop.relay import account

_SENDER = "boss@sales.example"
#: MiB that a login takes, and what there is besides.
_A_HASH = 48
_FIXED, _HIDDEN = "sales@example.com", "boss@hidden.example"
#: Files of the sink hold a mail as it came, below lines of the sink's own.
_ENVELOPE = re.compile(rb"^X-Rcpt-Args: <([^>]*)>", re.MULTILINE)


def _log_in(caller):
    credentials = base64.b64encode(f"\0{USERNAME}\0{PASSWORD}".encode()).decode()
    return caller.ask("EHLO evil.example", f"AUTH PLAIN {credentials}")


def sending_as_the_boss(scene):
    """A user who may send as two addresses names others: in the envelope, and in From:."""
    for sender, author, code in (
        ("ceo@sales.example", "ceo@sales.example", "550 5.7.1"),
        ("<>"[1:-1], "ceo@sales.example", "55"),
        ("joe@sales.example", "ceo@sales.example", "554 5.7.1"),
        ("joe@sales.example", "joe@sales.example, ceo@sales.example", "554 5.7.1"),
        ("joe@sales.example", "joe@sales.example", "250 "),
    ):
        with scene.call("127.1.0.1") as caller:
            _log_in(caller)
            reply = caller.mail(
                sender, ["joe@customer.example"], f"From: {author}\r\n\r\nhello".encode()
            )
        if not reply.startswith(code):
            yield f"MAIL FROM:<{sender}>, From: {author} was answered by {reply!r}"
        scene.taken.extend(["joe@customer.example"] * reply.startswith("250 "))


def a_mailing(scene):
    """A client and a user who send as many mails as they can."""
    for name, source in (("client", "127.1.0.9"), ("user", "127.1.0.1")):
        with scene.call(source) as caller:
            if name == "user":
                _log_in(caller)
            else:
                caller.ask("EHLO evil.example")
            replies = [
                caller.mail(
                    "joe@sales.example", [f"{name}@customer.example"], b"Subject: x\r\n\r\nx"
                )
                for _ in range(60)
            ]
        taken = sum(reply.startswith("250 ") for reply in replies)
        scene.taken.extend([f"{name}@customer.example"] * taken)
        print(f"    {taken} of 60 mails of a {name} were taken")
        others = {reply[:9] for reply in replies} - {"250 2.0.0"}
        if taken > 20 or others - {"451 4.7.1"}:
            yield f"{taken} mails of a {name} were taken, others got {others}"


def refused_recipients(scene):
    """Three sessions that name recipients whom nobody takes; meanwhile five wrong logins."""
    end = time.monotonic() + scene.options.seconds
    refused = []
    with threads([lambda: refused.append(_name_nobody(scene, end))] * 3):
        for _ in range(5):
            with scene.call("127.1.0.2") as guest:
                guess = base64.b64encode(b"\0eve\0guess").decode()
                guest.ask("EHLO evil.example", f"AUTH PLAIN {guess}")
    print(f"    {sum(refused)} recipients were refused")
    guesses = "could not log in as eve"
    until(lambda: scene.log().count(guesses) == 5, "all wrong logins are in the log", timeout=5)
    yield from ()


def _name_nobody(scene, end):
    """Go on until then; return how many recipients were refused."""
    commands = [f"RCPT TO:<{n}@nobody.example>" for n in range(1000)]
    refused = 0
    while (left := end - time.monotonic()) > 0:
        with contextlib.suppress(OSError), scene.call(timeout=max(left, 0.1)) as caller:
            caller.ask("EHLO evil.example", f"MAIL FROM:<{_SENDER}>")
            while replies := caller.pipeline(commands, end):
                refused += sum(reply.startswith("550") for reply in replies)
    return refused


def long_address_fields(scene):
    """Ten mails with 248 KB of addresses in From and Sender, and ten with the null sender."""
    field = b"a@b," * (124 * 256)
    content = b"From: " + field + b"\r\nSender: " + field + b"\r\n\r\nhello"
    replies = set()
    for sender in (_SENDER, ""):
        for _ in range(10):
            with scene.call() as caller:
                caller.ask("EHLO evil.example")
                replies.add(caller.mail(sender, ["evil@customer.example"], content)[:9])
    if replies != {"552 5.3.4"}:
        yield f"mails with such a From: were answered by {replies}"


def long_domains(scene):
    """Nine hundred recipients at one long international domain, and as many at long labels."""
    label = "".join(chr(0x4E00 + n) for n in range(15))
    one = ".".join([label] * 4)
    for domains in ([one] * 900, [f"{label * 100}{n}.example" for n in range(900)]):
        with scene.call() as caller:
            caller.ask("EHLO evil.example", f"MAIL FROM:<{_SENDER}> SMTPUTF8")
            replies = [caller.ask(f"RCPT TO:<evil@{domain}>")[:9] for domain in domains]
        print("   ", collections.Counter(replies))
    yield from ()


def memory_of_sessions(scene):
    """Ninety sessions of one address, each with a thousand long recipients."""
    name = "x" * 1000
    with contextlib.ExitStack() as opened:
        for n in range(90):
            caller = opened.enter_context(scene.call("127.1.0.1"))
            caller.ask("EHLO evil.example", f"MAIL FROM:<{_SENDER}>")
            replies = caller.pipeline(f"RCPT TO:<{m}{name}@customer.example>" for m in range(1000))
            if not replies[-1].startswith("250 "):
                print(f"    session {n} was told {replies[-1]!r}")
                return
    yield "ninety sessions may hold all of it"


def hidden_sender(scene):
    """Mails whose author wants to be seen in spite of a fixed sender."""
    word = "=?utf-8?b?" + base64.b64encode(_HIDDEN.encode()).decode() + "?="
    for number, field in enumerate(
        (
            f"From: {word} <{_HIDDEN}>",
            f'From: "{word}" <{_HIDDEN}>',
            f"From: Boss ({_HIDDEN}) <{_HIDDEN}>",
            f'From: ""x" <{_HIDDEN}>"<{_FIXED}>',
            f"From: {_FIXED}\r\n:\r\nFrom: {_HIDDEN}",
            f"From: {_FIXED}\r\nAuthor: {_HIDDEN}",
            f"From: {_FIXED}\r\nErrors-To: {_HIDDEN}\r\nX-Sender: {_HIDDEN}",
            f"From : {_HIDDEN}\r\nFrom: {_FIXED}",
            "From: =?utf-7?q?boss+AEA-hidden.example?= <boss@hidden.example>",
            "From: \uff42oss\uff20hidden.example <boss@hidden.example>",
        )
    ):
        recipient = f"hidden-{number}@customer.example"
        with scene.call() as caller:
            caller.ask("EHLO evil.example")
            reply = caller.mail(_HIDDEN, [recipient], field.encode() + b"\r\n\r\nbody")
        if not reply.startswith("250 "):
            continue
        scene.taken.append(recipient)
        content = until(lambda to=recipient: _content(scene, to), "the mail is here").lstrip()
        shown = email.message_from_bytes(content, policy=email.policy.default)
        for name in ("From", "Sender", "Author", "Errors-To", "X-Sender"):
            if any(_HIDDEN in str(each).lower() for each in shown.get_all(name, [])):
                yield f"{field!r} left with the hidden sender in {name}:"
    print(f"    {len(scene.taken)} of the mails were taken")


def _content(scene, recipient):
    """Return a mail in the sink, when it is here."""
    for file in scene.sink.mails.iterdir():
        octets = file.read_bytes()
        if recipient.encode() in _ENVELOPE.findall(octets):
            _, name, rest = octets.partition(b"\nReceived:")
            return name + rest
    return b""


def reports_to_a_victim(scene):
    """Mail with a forged sender: a thousand recipients who are refused, and sixty such mails."""
    victim = "victim@elsewhere.example"
    sent = 0
    with scene.call(timeout=60) as caller:
        caller.ask("EHLO evil.example")
        recipients = [f"{n}@refused.example" for n in range(1000)]
        for count in (1000, *[1] * 60):
            caller.ask(f"MAIL FROM:<{victim}>")
            caller.pipeline(f"RCPT TO:<{each}>" for each in recipients[:count])
            caller.ask("DATA")
            caller.send(b"Subject: x\r\n\r\nhello\r\n.\r\n")
            if not caller.reply().startswith("250 "):
                yield "a mail was not taken"
            sent += 40 * (count + 2)
        caller.ask(f"MAIL FROM:<{victim}>", "RCPT TO:<s@customer.example> NOTIFY=SUCCESS", "DATA")
        caller.send(b"Subject: x\r\n\r\nhello\r\n.\r\n")
        scene.taken.extend(["s@customer.example"] * caller.reply().startswith("250 "))
    relay_is_idle = 3.0
    size, count = _reports(scene, victim), 0
    while size[1] != count:
        count = size[1]
        time.sleep(relay_is_idle)
        size = _reports(scene, victim)
    scene.taken.extend([victim] * count)
    print(f"    {sent / 1024:.0f} KiB made {count} reports of {size[0] / 1024:.0f} KiB")
    if count > 50:
        yield f"the victim got {count} reports"
    if size[0] > MIB:
        yield f"the victim got {size[0] / MIB:.1f} MiB"


def _reports(scene, victim):
    files = [file.read_bytes() for file in scene.sink.mails.iterdir()]
    reports = [octets for octets in files if victim.encode() in _ENVELOPE.findall(octets)]
    return sum(map(len, reports)), len(reports)


@contextlib.contextmanager
def _refuses(_folder):
    with refusing_server(b"550 5.1.1 " + b"no such user " * 30) as (address, port):
        yield account("Refused", address, port, recipients='"*@refused.example"', max_connections=5)


ATTACKS = (
    Attack(
        sending_as_the_boss,
        told="may not send as",
        settings='header_from = "match"',
        growth=_A_HASH,
        masks="joe@sales.example, joe@customer.example",
    ),
    Attack(
        a_mailing,
        told="max_mails_per_minute",
        growth=_A_HASH,
        settings="max_mails_per_minute_per_user = 20",
        clients='[[client]]\naddresses = ["127.1.0.9"]\nmax_mails_per_minute = 20\n',
    ),
    Attack(
        refused_recipients,
        told="could not log in as eve",
        growth=_A_HASH,
        recipients="!*@nobody.example",
    ),
    Attack(long_address_fields, told="16 KiB", fixed_sender=_FIXED),
    Attack(long_domains),
    Attack(memory_of_sessions, growth=110),
    Attack(hidden_sender, fixed_sender=_FIXED),
    Attack(reports_to_a_victim, told="max_per_hour", world=_refuses),
)
