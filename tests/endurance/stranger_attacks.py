"""Attacks by those who are not in `allow`: before any login, and behind a proxy."""

from __future__ import annotations

import base64
import contextlib
import itertools
import socket
import time

from tests.endurance.scene import STRANGERS, Attack, threads
from tests.interop.programs import free_port

_PROXY = "127.0.0.9"
_PROXY_PORT = free_port(_PROXY)
_TLS_PORT = free_port("127.0.2.1")
_ANYWHERE = "users_from_anywhere = true"
_SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
#: Headers in which a proxy names no client (HAProxy's proxy-protocol.txt).
_NOBODY = {
    "UNKNOWN": b"PROXY UNKNOWN\r\n",
    "UNKNOWN with addresses": b"PROXY UNKNOWN 127.0.0.1 127.0.0.1 1 2\r\n",
    "LOCAL": _SIGNATURE + b"\x20\x00\x00\x00",
    "LOCAL with addresses": _SIGNATURE + b"\x20\x11\x00\x0c" + bytes([127, 0, 0, 1] * 2 + [0] * 4),
    "UNSPEC": _SIGNATURE + b"\x21\x00\x00\x00",
    "UNIX": _SIGNATURE + b"\x21\x31\x00\xd8" + bytes(216),
}
_MAIL = ("EHLO evil.example", "MAIL FROM:<evil@sales.example>", "RCPT TO:<evil@customer.example>")


def stranger(number):
    """Return one of many addresses that are in no list."""
    return f"{STRANGERS}.{number // 250}.{1 + number % 250}"


def forged_proxy_headers(scene):
    """A proxy that names nobody, and clients that pretend to be proxies."""
    address = (_PROXY, _PROXY_PORT)
    for name, header in _NOBODY.items():
        with scene.call(_PROXY, address=address, before=header) as caller:
            hello, reply = caller.ask(_MAIL[0]), caller.ask(_MAIL[1])
        if "AUTH" in hello or not reply.startswith("554 "):
            yield f"{name} was answered by {reply or hello!r}"
    forged = b"PROXY TCP4 127.0.0.1 127.0.0.9 500 2500\r\n"
    sources = [stranger(0), "127.0.0.1", "127.1.0.1"]
    greeted = 0
    for source in [*sources, *["127.1.0.1"] * 480]:
        with scene.call(source, address=address, before=forged) as caller:
            greeted += caller.greeting.startswith("220 ")
    if greeted:
        yield f"{greeted} clients that are no proxies were believed"
    # Where no proxy is expected, a header is what a client says, and not its address.
    with scene.call(stranger(1), before=forged) as caller:
        if caller.ask(*_MAIL).startswith("250 "):
            yield "a header was believed at a port without a proxy"


def flood_of_hellos(scene):
    """6.3 MB of EHLO from 100 strangers, each of whom reads the replies."""
    octets = b"EHLO a\r\n" * 8000
    callers = [scene.call(stranger(n)) for n in range(100)]
    with threads([lambda each=each: _pour(each, octets) for each in callers]):
        pass
    yield from ()


def _pour(caller, octets):
    with caller:
        caller.send(octets)
        while caller.reply():
            pass


def guessing_passwords(scene):
    """A hundred connections at a time, from twenty addresses, that guess passwords."""
    end = time.monotonic() + scene.options.seconds
    answered = dict.fromkeys(range(20), 0)

    def guess(number):
        while time.monotonic() < end:
            left = max(1.0, end - time.monotonic())
            with (
                contextlib.suppress(OSError),
                scene.call(stranger(number % 20), timeout=left) as it,
            ):
                answered[number % 20] += _guesses(it, end)

    with threads([lambda n=n: guess(n) for n in range(100)]):
        pass
    most = max(answered.values())
    print(f"    {sum(answered.values())} guesses were answered, {most} of one address")
    # Forty in a minute.
    if most > 40 * max(1.0, scene.options.seconds / 60):
        yield f"{most} guesses of one address were answered"


def _guesses(caller, end):
    """Return how many were answered: with 535, and nothing else."""
    caller.ask("EHLO evil.example")
    for count in itertools.count():
        guess = base64.b64encode(f"\0joe\0guess {count}".encode()).decode()
        if time.monotonic() > end or not caller.ask(f"AUTH PLAIN {guess}").startswith("535"):
            break
    return count


def silent_strangers(scene):
    """Five hundred connections from five addresses that are greeted, and say nothing."""
    with _crowd(scene.address, 500, lambda n: stranger(n % 5)):
        time.sleep(scene.options.seconds / 3)
        # Nor do they keep others out who are listed.
        for n in range(20):
            with scene.call(f"127.1.0.{1 + n}") as caller:
                if not caller.greeting.startswith("220 "):
                    yield f"a listed client was told {caller.greeting}"
                    break


def silence_before_tls(scene):
    """Strangers whom nobody lets in, at a port with TLS from the start, who say nothing."""
    address = (scene.address[0], _TLS_PORT)
    with _crowd(address, 500, stranger) as crowd:
        time.sleep(min(5.0, scene.options.seconds))
        left = sum(not _is_closed(each) for each in crowd)
    if left:
        yield f"{left} of 500 connections are still open"


def _is_closed(connection):
    connection.setblocking(False)
    try:
        while connection.recv(4096):
            pass
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


@contextlib.contextmanager
def _crowd(address, count, source):
    with contextlib.ExitStack() as opened:
        crowd = []
        for n in range(count):
            with contextlib.suppress(OSError):
                connection = socket.create_connection(address, 10, (source(n), 0))
                crowd.append(opened.enter_context(connection))
        yield crowd


ATTACKS = (
    Attack(
        forged_proxy_headers,
        told="your proxy has not said",
        listen=(f"haproxy:tcp:port={_PROXY_PORT}:interface={_PROXY}",),
        settings=f'proxies = ["{_PROXY}"]',
        allow=(_PROXY,),
    ),
    Attack(flood_of_hellos, told="commands that are not about mail", settings=_ANYWHERE),
    # A hash takes 16 MiB, and a tenth of a second.
    Attack(
        guessing_passwords,
        told="could not log in as joe",
        settings=_ANYWHERE,
        users=True,
        growth=80,
        share=1.5,
    ),
    Attack(silent_strangers, told="is used up", settings=_ANYWHERE),
    Attack(
        silence_before_tls,
        told="not in [master_relay] allow",
        listen=(f"ssl:port={_TLS_PORT}:interface=127.0.2.1:privateKey=relay.pem",),
    ),
)
