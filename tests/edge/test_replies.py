"""Each reply that the edge can give is given to some client here; its enhanced code fits."""

from __future__ import annotations

import ast
import re
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest
from twisted.cred.credentials import UsernamePassword
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs

from multisendcon_plugin import edge as room
from multisendcon_plugin.edge import replies
from multisendcon_plugin.edge.deadlines import LOGIN_WITHIN
from multisendcon_plugin.edge.delivery import MOST_PASSES
from multisendcon_plugin.edge.memory import MOST_OCTETS_OF_ONE
from multisendcon_plugin.edge.tarpit import MOST_OTHER_COMMANDS, MOST_REFUSALS, MOST_WRONG_LOGINS
from multisendcon_plugin.edge.users import MOST_WAITING, UserChecker
from multisendcon_plugin.errors import SpoolError, SpoolFullError
from multisendcon_plugin.mail.reply import Reply
from multisendcon_plugin.settings.password import PasswordHash
from multisendcon_plugin.settings.users import Users
from multisendcon_plugin.settings.values import ClientSettings
from tests.edge.clients import MAIL, Client, Edge, account, chunk, offer_security

SENDER = b"MAIL FROM:<a@x.example>"
RECIPIENT = b"RCPT TO:<b@y.example>"
ENVELOPE = (SENDER, RECIPIENT)
LOGIN = b"AUTH PLAIN AGpvZQBzZWNyZXQ="
WRONG_LOGIN = b"AUTH PLAIN AGpvZQBubw=="


def ask(*lines, before=lambda edge: None, **settings):
    """Return what a client hears that sends these lines, one after the other."""
    edge = Edge(account(recipients=["!no@y.example"]), **settings)
    before(edge)
    client = edge.client()
    return [reply for line in lines for reply in client.ask(line)]


def ask_early(*lines):
    client = Edge().client(hello=None)
    return client.greeting + [reply for line in lines for reply in client.ask(line)]


def ask_secured(*segments, checker=None):
    client = Edge().client()
    offer_security(client, checker)
    return [reply for segment in segments for reply in client.ask(segment)]


def send(content, **settings):
    return ask(*ENVELOPE, b"DATA", content + b".", **settings)


def wait(seconds, *lines, **settings):
    edge = Edge(**settings)
    client = edge.client()
    client.ask(*lines)
    edge.clock.advance(seconds)
    return client.replies()


def connect_twice(**settings):
    edge = Edge(**settings)
    edge.client()
    return edge.client().greeting


def use_all_memory(edge):
    for number in range(4):
        edge.factory.memory.take(ip_address(number), MOST_OCTETS_OF_ONE)


def stop():
    client = Edge().client()
    client.session.stop()
    return client.replies()


def failing(fault):
    def before(edge):
        edge.intake.fault = fault

    return send(MAIL, before=before)


def ask_for_login():
    client = Edge().client()
    client.session.deliveryFactory = None
    return client.ask(SENDER)


def ask_too_often():
    own = ClientSettings(addresses=(ip_network("127.0.0.1"),), max_mails_per_minute=1)
    return ask(SENDER, b"RSET", SENDER, clients=[own])


def ask_unnamed():
    factory = Edge().factory
    factory.buildProtocol = lambda peer: factory.session_behind(peer, None)
    return Client(factory).ask(SENDER)


def ask_for_tls():
    client = Edge().client()
    offer_security(client)
    client.allow_login_in_clear(False)
    return client.ask(LOGIN)


def refuse_often():
    client = Edge().client()
    client.session.dialogue.talk.tarpit.refusals = MOST_REFUSALS - 1
    return client.ask(b"MAIL FROM:<a")


def log_in_together():
    users = Users("", {"joe": PasswordHash(salt=b"", digest=b"")})
    hashing = Deferred()  # one for all, and held, so that nobody's login is collected
    checker = UserChecker(users, Clock(), lambda *_: hashing)
    for n in range(MOST_WAITING):
        checker.at(n).requestAvatarId(UsernamePassword(b"joe", b"secret"))
    return ask_secured(LOGIN, checker=checker.at("elsewhere"))


#: By the name of each constant: what a client hears.
SCENES = {
    "SENDER_OK": lambda: ask(SENDER),
    "RECIPIENT_OK": lambda: ask(*ENVELOPE),
    "RESET": lambda: ask(b"RSET"),
    "NOTHING_DONE": lambda: ask(b"NOOP"),
    "NOT_VERIFIED": lambda: ask(b"VRFY joe"),
    "HELP": lambda: ask(b"HELP"),
    "GOOD_BYE": lambda: ask(b"QUIT"),
    "CHUNK_TAKEN": lambda: ask(*ENVELOPE, b"BDAT 2", b""),
    "SEND_CONTENT": lambda: ask(*ENVELOPE, b"DATA"),
    "BEGIN_TLS": lambda: ask_secured(b"STARTTLS"),
    "AUTHENTICATED": lambda: ask_secured(LOGIN),
    "IDLE_TOO_LONG": lambda: wait(1, idle_timeout=1),
    "MAIL_TOO_SLOW": lambda: wait(1, SENDER, transaction_timeout=1),
    "TOO_MANY_ERRORS": lambda: ask(b"FOO", max_errors=1),
    "TOO_MANY_COMMANDS": lambda: ask(*[b"NOOP"] * (MOST_OTHER_COMMANDS + 1)),
    "TOO_MANY_REFUSALS": refuse_often,
    "NOT_THE_WEB": lambda: ask(b"GET / HTTP/1.1"),
    "TOO_MANY_CONNECTIONS": lambda: connect_twice(max_connections=1),
    "TOO_MANY_FROM_THERE": lambda: connect_twice(max_connections_per_address=1),
    "TOO_MANY_LOGINS": lambda: ask_secured(*[WRONG_LOGIN] * MOST_WRONG_LOGINS),
    "NO_LOGIN": lambda: wait(LOGIN_WITHIN, allow=["192.0.2.0/24"], users_from_anywhere=True),
    "SHUTTING_DOWN": stop,
    "LOCAL_ERROR": lambda: failing(SpoolError("the disk is broken")),
    "SPOOL_FULL": lambda: failing(SpoolFullError("the disk is full")),
    "TOO_MANY_LOGINS_AT_ONCE": log_in_together,
    "MEMORY_FULL": lambda: send(b"a: b\r\n" * 20_000, before=use_all_memory),
    "TOO_MANY_RECIPIENTS": lambda: ask(*ENVELOPE, RECIPIENT, max_recipients=1),
    "LINE_TOO_LONG": lambda: ask(b"x" * 2000, max_command_line=1000),
    "BARE_LINE_END": lambda: ask(b"NOOP\nNOOP"),
    "UNKNOWN_COMMAND": lambda: ask(b"FOO"),
    "NOT_OFFERED": lambda: ask(b"STARTTLS"),
    "ARGUMENT_MISSING": lambda: ask(b"EHLO"),
    "NO_ARGUMENT": lambda: ask(b"RSET now"),
    "MAIL_SYNTAX": lambda: ask(b"MAIL"),
    "RCPT_SYNTAX": lambda: ask(SENDER, b"RCPT"),
    "BDAT_SYNTAX": lambda: ask(*ENVELOPE, b"BDAT 2 or so", b""),
    "CHUNK_UNKNOWN": lambda: ask(b"BDAT"),
    "AUTHENTICATION_ABORTED": lambda: ask_secured(b"AUTH PLAIN", b"*"),
    "AUTHENTICATION_SYNTAX": lambda: ask_secured(b"AUTH PLAIN", b"-"),
    "HELO_FIRST": lambda: ask_early(SENDER),
    "MAIL_TWICE": lambda: ask(SENDER, SENDER),
    "MAIL_FIRST": lambda: ask(RECIPIENT),
    "RCPT_FIRST": lambda: ask(SENDER, b"DATA"),
    "ONLY_CHUNKS": lambda: ask(*ENVELOPE, b"BDAT 2", b"", b"DATA"),
    "NOT_DURING_MAIL": lambda: ask_secured(SENDER, LOGIN),
    "TLS_ALREADY": lambda: ask_secured(b"STARTTLS", b"STARTTLS"),
    "TLS_NOT_ALONE": lambda: ask_secured(b"STARTTLS\r\nNOOP"),
    "AUTHENTICATED_ALREADY": lambda: ask_secured(LOGIN, LOGIN),
    "MECHANISM_UNKNOWN": lambda: ask_secured(b"AUTH GSSAPI"),
    "LOGIN_FIRST": ask_for_login,
    "WRONG_CREDENTIALS": lambda: ask_secured(WRONG_LOGIN),
    "TLS_FIRST": ask_for_tls,
    "NOT_ALLOWED": lambda: Edge(allow=["192.0.2.0/24"]).client().greeting,
    "NO_CLIENT": ask_unnamed,
    "NEEDS_UTF8": lambda: ask("MAIL FROM:<ä@x.example>".encode()),
    "TOO_LARGE": lambda: ask(SENDER + b" SIZE=101", max_message_size=100),
    "HEADER_TOO_LARGE": lambda: send(b"a: b\r\n" * 1000, max_header_size=1000),
    "TOO_MANY_AUTHORS": lambda: send(b"From: " + b"a@b," * 501 + b"\r\n"),
    "BAD_LINE_ENDS": lambda: send(b"a\rb\r\n"),
    "LOOP": lambda: send(b"Received: x\r\n" * 200),
    "LOOP_HERE": lambda: send(b"Received: by relay.example\r\n" * MOST_PASSES),
}

#: Replies whose text is not the same each time, and who hears them.
OTHERS = [
    ("220", ask_early),
    ("250", lambda: ask(b"HELO client.example")),
    ("250 2.0.0", lambda: send(MAIL)),
    ("250 2.0.0", lambda: ask(*ENVELOPE, chunk(MAIL, last=True) + b"NOOP")),
    ("334", lambda: ask_secured(b"AUTH PLAIN")),
    ("451 4.7.1", ask_too_often),
    ("501 5.1.3", lambda: ask(SENDER, b"RCPT TO:<>")),
    ("501 5.1.7", lambda: ask(b"MAIL FROM:<a")),
    ("501 5.5.4", lambda: ask(SENDER + b" SIZE=x")),
    ("501 5.5.4", lambda: ask(SENDER + b" BODY=BINARYMIME")),
    ("501 5.5.4", lambda: ask(SENDER + b" SMTPUTF8=yes")),
    ("501 5.5.4", lambda: ask(SENDER + b" RET=ALL")),
    ("501 5.5.4", lambda: ask(SENDER + b" ENVID=+00")),
    ("501 5.5.4", lambda: ask(SENDER + b" SIZE=1 SIZE=1")),
    ("501 5.5.4", lambda: ask(SENDER + b" ?")),
    ("501 5.5.4", lambda: ask_secured(SENDER + b" AUTH")),
    ("501 5.5.4", lambda: ask(SENDER, RECIPIENT + b" NOTIFY=NEVER,DELAY")),
    ("501 5.5.4", lambda: ask(SENDER, RECIPIENT + b" ORCPT=b")),
    ("501 5.5.4", lambda: ask(SENDER, RECIPIENT + b" ORCPT=utf-8;\xff")),
    ("550 5.7.1", lambda: ask(SENDER, b"RCPT TO:<no@y.example>")),
    ("555 5.5.4", lambda: ask(SENDER + b" AUTH=<>")),
    ("555 5.5.4", lambda: ask(SENDER, RECIPIENT + b" SIZE=1")),
]

CONSTANTS = {name: reply for name, reply in vars(replies).items() if isinstance(reply, Reply)}


@pytest.mark.parametrize("name", CONSTANTS)
def test_reply_is_given(name):
    with capturedLogs():
        heard = SCENES[name]()
    assert str(CONSTANTS[name]) in heard


def test_no_scene_is_out_of_date():
    assert set(SCENES) == set(CONSTANTS)


@pytest.mark.parametrize(("code", "scene"), OTHERS)
def test_other_reply_is_given(code, scene):
    assert any(re.match(re.escape(code) + r"(?= |$)", line) for line in scene())


def test_every_code_in_the_source_is_given():
    given = {code for code, _ in OTHERS}
    given |= {f"{reply.code} {reply.enhanced}".rstrip() for reply in CONSTANTS.values()}
    written = set()
    for path in Path(room.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            match node:
                case ast.Call(
                    func=ast.Name("Reply"),
                    args=[ast.Constant(code), ast.Constant(enhanced), *_],
                ):
                    written.add(f"{code} {enhanced}".rstrip())
    assert len(written) > 25
    assert written <= given


@pytest.mark.parametrize("reply", CONSTANTS.values(), ids=CONSTANTS)
def test_enhanced_code_fits(reply):
    """RFC 2034 section 3; the length is of RFC 5321 section 4.5.3.1.5."""
    if reply.code == 354:
        assert not reply.enhanced
    else:
        assert re.fullmatch(r"[245]\.[0-7]\.\d{1,3}", reply.enhanced)
        assert reply.enhanced[0] == str(reply.code)[0]
    assert len(reply.wire) <= 512
    assert reply.text.isascii()
    assert reply.text.isprintable()


LAST = [
    name
    for name, reply in CONSTANTS.items()
    if reply.code in (221, 421) or reply.text.endswith("closing")
]


@pytest.mark.parametrize("name", LAST)
def test_nothing_follows_a_last_reply(name):
    heard = SCENES[name]()
    assert heard[-1] == str(CONSTANTS[name])
