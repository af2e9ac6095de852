"""From the greeting to a session that can carry mail."""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools

import pytest
from twisted.internet.interfaces import ISSLTransport
from twisted.logger import formatEvent, globalLogPublisher

from multisendcon_plugin.mail.phase import Phase
from multisendcon_plugin.mail.reply import Reply
from multisendcon_plugin.outcome.attempt import Verdict
from multisendcon_plugin.outcome.failure import Action
from multisendcon_plugin.routing.hop import Tls
from tests.relays import BREAK_OFF, CLOSE, SILENT, Server, Way, ehlo, login, verdicts

EHLO = b"EHLO relay.example.com"
PLAIN = b"AUTH PLAIN " + base64.b64encode(b"\0sales\0s3cret")
OPTIONS = ("AUTH PLAIN LOGIN CRAM-MD5", "STARTTLS")


def offers(*lines):
    """Return what a session knows of a server that says this to EHLO."""
    way = Way(Server(*lines))
    assert verdicts(way.send()) == [Verdict.DELIVERED]
    return way.wire.session.offers


def fault_of(server, **account):
    """Return how the account fails, which must defer the mail and end the session."""
    way = Way(server, **account)
    attempt = way.send()
    assert verdicts(attempt) == [Verdict.DEFERRED]
    assert attempt.mail_ended is None
    assert attempt.outcomes[0].reply == attempt.fault.reply
    assert not any(line.startswith(b"MAIL") for line in server.lines)
    way.network.advance(5)
    assert way.wire.gone
    return attempt.fault


def dialogue(server, **account):
    """Return what is said before a mail."""
    assert verdicts(Way(server, **account).send()) == [Verdict.DELIVERED]
    return server.lines[: server.lines.index(b"MAIL FROM:<boss@a.example>")]


# Greeting and EHLO.


def test_the_offers_of_ehlo_are_read_line_by_line():
    assert offers("PIPELINING", "SIZE 35882577", "8BITMIME", "AUTH PLAIN LOGIN") == {
        "PIPELINING": "",
        "SIZE": "35882577",
        "8BITMIME": "",
        "AUTH": "PLAIN LOGIN",
    }


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (("pipelining", "size 1000"), {"PIPELINING": "", "SIZE": "1000"}),
        (("AUTH=LOGIN PLAIN",), {"AUTH": "LOGIN PLAIN"}),
        (("auth=login",), {"AUTH": "LOGIN"}),
        (("AUTH PLAIN", "AUTH=LOGIN"), {"AUTH": "PLAIN LOGIN"}),
        (("SIZE",), {"SIZE": ""}),
        ((" SIZE  5000 ",), {"SIZE": "5000"}),
        ((), {}),
    ],
)
def test_old_and_odd_ways_to_offer_are_understood(lines, expected):
    got = offers(*lines)
    assert {keyword: parameters.strip() for keyword, parameters in got.items()} == expected


def test_the_first_line_of_the_reply_to_ehlo_offers_nothing():
    assert offers() == {}
    way = Way(Server(EHLO="250 PIPELINING"))
    way.send()
    assert way.wire.session.offers == {}


@pytest.mark.parametrize(
    "advertisements",
    [
        ["X-SOMETHING " + "x" * 400] * 30,
        ["X-SOMETHING " + "x" * 3000] * 2,
        [f"X{n}" for n in range(97)],
        ["AUTH " + " ".join(f"X-{n}" for n in range(300)), "AUTH LOGIN"],
        ["x" * 4000] * 97,
    ],
)
def test_offers_behind_a_long_text_are_seen(advertisements):
    server = Server(*advertisements, "AUTH PLAIN", "SIZE 1000")
    way = Way(server, **login())
    assert verdicts(way.send()) == [Verdict.DELIVERED]
    assert way.wire.session.offers["SIZE"] == "1000"
    assert PLAIN in server.lines


@pytest.mark.parametrize("reply", ["550", "421"])
def test_a_long_refusal_of_ehlo_is_cut(reply):
    text = "\r\n".join([*[f"{reply}-{'x' * 400}"] * 30, f"{reply} no"])
    assert len(fault_of(Server(EHLO=text)).reply.text) == 2000


def test_a_greeting_of_several_lines_is_a_greeting():
    assert dialogue(Server(GREETING="220-mx\r\n220-no spam\r\n220 please")) == [EHLO]


@pytest.mark.parametrize("greeting", ["554 5.3.2 no service", "421 4.3.2 too busy", "250 what"])
def test_a_greeting_that_is_none_is_a_fault_of_the_account(greeting):
    server = Server(GREETING=greeting)
    fault = fault_of(server)
    assert str(fault) == f"greeting: {greeting}"
    assert server.lines == [b"QUIT"]


@pytest.mark.parametrize(
    "refusal",
    [
        "500 5.5.1 what",
        "501 5.5.4 syntax: HELO hostname",
        "502 5.5.1 no",
        "503 5.5.1 say HELO first",
        "504 5.5.4 bad name",
        "554 5.7.1 EHLO is not allowed",
    ],
)
def test_a_server_that_does_not_know_ehlo_gets_helo(refusal):
    assert dialogue(Server(EHLO=refusal)) == [EHLO, b"HELO relay.example.com"]


@pytest.mark.parametrize("account", [login(), {"tls": Tls.STARTTLS}])
def test_helo_is_no_way_to_a_login_or_to_tls(account):
    server = Server(EHLO="502 5.5.1 not known")
    assert fault_of(server, **account).phase is Phase.EHLO
    assert server.lines == [EHLO, b"QUIT"]


@pytest.mark.parametrize(
    "refusal", ["450 4.3.2 later", "421 4.3.2 busy", "550 5.7.1 blocked", "521 5.3.2 no mail here"]
)
def test_ehlo_refused_is_a_fault_of_the_account(refusal):
    server = Server(EHLO=refusal)
    assert str(fault_of(server)) == f"ehlo: {refusal}"
    assert server.lines == [EHLO, b"QUIT"]


@pytest.mark.parametrize("refusal", ["502 no", "554 5.7.1 go away"])
def test_helo_refused_is_a_fault_of_the_account(refusal):
    fault = fault_of(Server(EHLO=refusal, HELO="550 5.7.1 blocked"))
    assert fault.phase is Phase.EHLO
    assert fault.reply == Reply(550, "5.7.1", "blocked")


@pytest.mark.parametrize("account", [login(), {"tls": Tls.STARTTLS}])
@pytest.mark.parametrize("refusal", ["501 5.5.4 no", "554 5.7.1 no"])
def test_a_refused_ehlo_is_told_where_helo_would_not_do(account, refusal):
    server = Server(EHLO=refusal)
    assert str(fault_of(server, **account)) == f"ehlo: {refusal}"
    assert server.lines == [EHLO, b"QUIT"]


# TLS: when, and what may be said without it.

CASES = ("refused", "missing", "offered")
CLEAR, SECURE, NOTHING = "in the clear", "in tls", "nothing"
#: What happens when STARTTLS is refused, missing, offered.
EXPECTED = {
    (Tls.AUTO, False): (NOTHING, CLEAR, SECURE),
    (Tls.AUTO, True): (NOTHING, NOTHING, SECURE),
    (Tls.STARTTLS, False): (NOTHING, NOTHING, SECURE),
    (Tls.STARTTLS, True): (NOTHING, NOTHING, SECURE),
    (Tls.OPPORTUNISTIC, False): (CLEAR, CLEAR, SECURE),
    (Tls.OPPORTUNISTIC, True): (NOTHING, NOTHING, SECURE),
    (Tls.NONE, False): (CLEAR, CLEAR, CLEAR),
    (Tls.NONE, True): (CLEAR, CLEAR, CLEAR),
}


@pytest.mark.parametrize(
    ("tls", "with_login", "case", "expected"),
    [
        (tls, with_login, case, result)
        for (tls, with_login), results in EXPECTED.items()
        for case, result in zip(CASES, results, strict=True)
    ],
)
def test_mail_and_login_are_said_in_the_clear_only_where_they_may(tls, with_login, case, expected):
    names = OPTIONS[:1] if case == "missing" else OPTIONS
    refusal = {"STARTTLS": "454 4.7.0 not now"} if case == "refused" else {}
    server = Server(*names, **refusal)
    way = Way(server, **(login(tls=tls) if with_login else {"tls": tls}))
    attempt = way.send()
    said = b"\n".join(server.lines)
    assert (b"MAIL" in said) is (expected is not NOTHING)
    assert (b"AUTH" in said) is (with_login and expected is not NOTHING)
    assert ISSLTransport.providedBy(way.wire) is (expected is SECURE)
    assert (attempt.fault is None) is (expected is not NOTHING)
    if attempt.fault:
        assert attempt.fault.phase is Phase.TLS


@pytest.mark.parametrize(
    ("names", "account", "expected"),
    [
        (
            ("AUTH PLAIN",),
            login(tls=Tls.AUTO),
            "tls: 4.7.0 the server does not offer STARTTLS (the login is never sent in clear text)",
        ),
        (
            (),
            {"tls": Tls.STARTTLS},
            "tls: 4.7.0 the server does not offer STARTTLS (TLS is required)",
        ),
        (
            ("STARTTLS",),
            {"tls": Tls.STARTTLS},
            "tls: 454 4.7.0 not now (TLS is required)",
        ),
        (
            ("STARTTLS",),
            {},
            'tls: 454 4.7.0 not now (no mail is sent in clear text unless tls is "opportunistic")',
        ),
    ],
)
def test_the_fault_says_why_tls_is_needed(names, account, expected):
    assert str(fault_of(Server(*names, STARTTLS="454 4.7.0 not now"), **account)) == expected


@pytest.mark.parametrize(
    "refusal",
    [
        "454 4.7.0 TLS not available",
        "421 4.7.0 too many handshakes",
        "500 5.5.1 what",
        "501 5.5.4 no parameters allowed",
        "502 5.5.1 not implemented",
        "554 5.7.3 unable to initialize security subsystem",
        CLOSE,
    ],
)
def test_starttls_that_is_offered_and_refused_keeps_the_mail_from_the_clear(refusal):
    server = Server("STARTTLS", STARTTLS=refusal)
    assert fault_of(server).phase is Phase.TLS
    assert server.lines[:2] == [EHLO, b"STARTTLS"]


def test_after_starttls_all_that_was_said_before_is_forgotten():
    server = Server(EHLO=[ehlo("STARTTLS", "PIPELINING", "SIZE 9"), ehlo("8BITMIME")])
    way = Way(server)
    way.send()
    assert server.lines[:3] == [EHLO, b"STARTTLS", EHLO]
    assert way.wire.session.offers == {"8BITMIME": ""}


def test_ehlo_refused_after_starttls_is_a_fault_of_the_account():
    server = Server(EHLO=[ehlo("STARTTLS"), "550 5.7.1 no"])
    assert fault_of(server).phase is Phase.EHLO


INJECTED = b"250-mx\r\n250 AUTH PLAIN\r\n"


@pytest.mark.parametrize("injected", [INJECTED, INJECTED[:12], b"250-mx\r\n", b"2", b"\r"])
def test_replies_that_come_in_the_clear_with_that_to_starttls_are_refused(injected):
    server = Server("STARTTLS", STARTTLS=b"220 go ahead\r\n" + injected)
    way = Way(server, **login(tls=Tls.AUTO))
    attempt = way.send()
    assert attempt.fault.phase is Phase.TLS
    assert "between the reply to STARTTLS and the TLS handshake" in str(attempt.fault)
    assert not ISSLTransport.providedBy(way.wire)
    assert server.lines == [EHLO, b"STARTTLS", b"QUIT"]


def test_a_reply_sent_ahead_of_starttls_is_refused_too():
    server = Server(EHLO=ehlo("STARTTLS") + "\r\n220 go ahead\r\n250 AUTH PLAIN", STARTTLS=SILENT)
    way = Way(server, **login(tls=Tls.AUTO))
    assert way.send().fault.phase is Phase.TLS
    assert not ISSLTransport.providedBy(way.wire)


def test_a_handshake_that_never_ends_is_cut_off():
    server = Server("STARTTLS", HANDSHAKE="never", EHLO=[ehlo("STARTTLS"), SILENT])
    way = Way(server)
    results = way.begin()
    assert way.network.timers == [60]
    way.network.advance(60)
    assert str(results[0].fault) == "tls: 4.4.2 the server was not ready within 60 s"
    assert way.wire.aborted


def test_the_handshake_and_ehlo_after_it_have_one_time():
    server = Server("STARTTLS", HANDSHAKE="later", EHLO=[ehlo("STARTTLS"), SILENT])
    way = Way(server)
    results = way.begin()
    way.network.advance(40)
    way.wire.complete_handshake()
    way.network.advance(19)
    assert not results
    way.network.advance(1)
    assert str(results[0].fault) == "ehlo: 4.4.2 the server was not ready within 60 s"


def test_opportunistic_tls_that_fails_is_done_without():
    server = Server("STARTTLS", HANDSHAKE="never", EHLO=[ehlo("STARTTLS"), BREAK_OFF])
    second = Server("STARTTLS")
    way = Way(server, second, tls=Tls.OPPORTUNISTIC)
    assert verdicts(way.send()) == [Verdict.DELIVERED]
    assert b"STARTTLS" not in second.lines


@pytest.mark.parametrize("account", [login(tls=Tls.OPPORTUNISTIC), {"tls": Tls.AUTO}])
def test_other_tls_that_fails_is_a_fault_of_the_account(account):
    server = Server("STARTTLS", HANDSHAKE="never", EHLO=[ehlo("STARTTLS"), BREAK_OFF])
    second = Server("STARTTLS")
    way = Way(server, second, **account)
    assert str(way.send().fault) == "tls: 4.4.2 the connection was lost"
    assert second.lines == []


# Login.


def cram_md5(challenge, username=b"sales", password=b"s3cret"):
    digest = hmac.new(password, base64.b64decode(challenge), hashlib.md5).hexdigest()
    return base64.b64encode(username + b" " + digest.encode())


CHALLENGE = base64.b64encode(b"<1896.697170952@mx.provider.example>")


def test_login_by_plain():
    assert dialogue(Server("AUTH PLAIN"), **login()) == [EHLO, PLAIN]


def test_login_by_login():
    server = Server(
        "AUTH LOGIN", AUTH="334 VXNlcm5hbWU6", RESPONSE=["334 UGFzc3dvcmQ6", "235 2.7.0 welcome"]
    )
    expected = [EHLO, b"AUTH LOGIN", base64.b64encode(b"sales"), base64.b64encode(b"s3cret")]
    assert dialogue(server, **login()) == expected


def test_login_by_cram_md5():
    server = Server("AUTH CRAM-MD5", AUTH=f"334 {CHALLENGE.decode()}")
    assert dialogue(server, **login()) == [EHLO, b"AUTH CRAM-MD5", cram_md5(CHALLENGE)]


def test_a_challenge_that_looks_like_the_password_is_answered():
    server = Server("AUTH CRAM-MD5", AUTH="334 AAAA")
    said = dialogue(server, **login(password="AA"))
    assert said[2] == cram_md5(b"AAAA", password=b"AA")


def test_username_and_password_may_go_beyond_ascii():
    said = dialogue(Server("AUTH PLAIN"), **login(username="jürgen", password="geheimß"))
    assert base64.b64decode(said[1][11:]).decode() == "\0jürgen\0geheimß"


SECURE_ORDER = ("PLAIN", "LOGIN", "CRAM-MD5")
CLEAR_ORDER = ("CRAM-MD5", "PLAIN", "LOGIN")


@pytest.mark.parametrize(("tls", "order"), [(Tls.STARTTLS, SECURE_ORDER), (Tls.NONE, CLEAR_ORDER)])
@pytest.mark.parametrize("offered", list(itertools.permutations(SECURE_ORDER)))
def test_mechanisms_have_an_order_and_504_leads_to_the_next(tls, order, offered):
    server = Server(f"AUTH GSSAPI {' '.join(offered)}", "STARTTLS", AUTH="504 5.5.4 not that one")
    fault = fault_of(server, **login(tls=tls))
    tried = [line.split()[1].decode() for line in server.lines if line.startswith(b"AUTH")]
    assert tuple(tried) == order
    assert fault.phase is Phase.LOGIN
    assert fault.reply.code == 504
    assert fault.action is not Action.ALARM


def test_a_mechanism_that_is_not_offered_is_not_tried():
    server = Server("AUTH LOGIN GSSAPI", AUTH="504 5.5.4 not that one")
    fault_of(server, **login())
    assert server.lines == [EHLO, b"AUTH LOGIN", b"QUIT"]


@pytest.mark.parametrize(
    ("reply", "refused", "mechanisms"),
    [
        # It may be the password: one more mechanism, since each counts.
        ("535 5.7.8 bad username or password", True, 2),
        ("534 5.7.9 application-specific password required", True, 2),
        ("530 5.7.0 not allowed", True, 2),
        ("538 5.7.11 not by this mechanism", True, 2),
        ("550 5.7.1 account is closed", True, 2),
        ("553 authentication error", True, 2),
        # It is the server.
        ("454 4.7.0 directory not available", False, 1),
        ("432 4.7.12 password change needed", False, 1),
        ("421 4.7.0 too many logins", False, 1),
        ("250 2.0.0 what", False, 1),
        # It is the command.
        ("500 5.5.1 what", False, 3),
        ("501 5.5.2 cannot decode", False, 3),
        ("502 5.5.1 not implemented", False, 3),
        ("503 5.5.1 bad sequence", False, 3),
        ("504 5.5.4 not that one", False, 3),
    ],
)
def test_the_fault_of_a_login_says_whether_it_is_the_password(reply, refused, mechanisms):
    server = Server("AUTH PLAIN LOGIN CRAM-MD5", "STARTTLS", AUTH=reply)
    fault = fault_of(server, **login(tls=Tls.AUTO))
    assert str(fault) == f"login: {reply}"
    assert (fault.action is Action.ALARM) is refused
    tried = [PLAIN, b"AUTH LOGIN", b"AUTH CRAM-MD5"][:mechanisms]
    assert [line for line in server.lines if line.startswith(b"AUTH")] == tried


@pytest.mark.parametrize(
    ("names", "tls", "expected"),
    [
        ((), Tls.NONE, "the server offers no login (it may do so with TLS)"),
        (("STARTTLS",), Tls.STARTTLS, "the server offers no login"),
        (
            ("AUTH GSSAPI NTLM",),
            Tls.NONE,
            "no login mechanism that the relay supports, only GSSAPI, NTLM",
        ),
    ],
)
def test_without_a_login_on_offer_the_fault_says_so(names, tls, expected):
    fault = fault_of(Server(*names), **login(tls=tls))
    assert fault.phase is Phase.LOGIN
    assert str(fault).endswith(expected)
    assert fault.action is not Action.ALARM


@pytest.mark.parametrize(
    ("mechanism", "answers", "responses"),
    [
        ("CRAM-MD5", {"AUTH": "334 not base64!"}, 0),
        ("CRAM-MD5", {"AUTH": "334 caf\xe9"}, 0),
        ("LOGIN", {"AUTH": "334 ", "RESPONSE": ["334 ", "334 ", "501 cancelled"]}, 2),
        ("CRAM-MD5", {"AUTH": "334 AAAA", "RESPONSE": ["334 AAAA", "334 AAAA", "501 no"]}, 2),
        ("CRAM-MD5", {"AUTH": "334 AAAAA"}, 0),
        ("LOGIN", {"AUTH": "334 ?", "RESPONSE": ["334 ?", "334 ?", "501 cancelled"]}, 2),
        ("PLAIN", {"AUTH": "334 AAAA"}, 0),
        ("PLAIN", {"AUTH": "334 ", "RESPONSE": ["334 ", "334 ", "501 cancelled"]}, 2),
    ],
)
def test_a_server_that_challenges_without_sense_or_end_is_left(mechanism, answers, responses):
    server = Server(f"AUTH {mechanism}", **{"RESPONSE": "501 5.7.0 cancelled", **answers})
    fault = fault_of(server, **login())
    assert str(fault) == f"login: 4.7.0 the server breaks the protocol of AUTH {mechanism}"
    assert fault.action is not Action.ALARM
    assert len(server.lines) == 2 + responses + 2
    assert server.lines[-2:] == [b"*", b"QUIT"]


# Secrets.

USERNAME, PASSWORD = "canary-user", "c4n4ry-p4ssw0rd"
SECRETS = [
    PASSWORD,
    base64.b64encode(PASSWORD.encode()).decode(),
    base64.b64encode(f"\0{USERNAME}\0{PASSWORD}".encode()).decode(),
]


#: The response of CRAM-MD5 to the challenge below, by which passwords can be guessed.
DIGEST = hmac.new(PASSWORD.encode(), base64.b64decode("AAAA"), "md5").hexdigest()
SECRETS += [DIGEST, base64.b64encode(f"{USERNAME} {DIGEST}".encode()).decode()]


def echo(form):
    """Return an answer that repeats the line it answers."""
    return lambda line: form.format(line.decode())


@pytest.fixture
def logged():
    """Collect all that is logged, in every form."""
    events = []
    globalLogPublisher.addObserver(events.append)
    yield lambda: "\n".join(f"{formatEvent(event)} {event!r}" for event in events)
    globalLogPublisher.removeObserver(events.append)


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "CRAM-MD5"])
@pytest.mark.parametrize(
    "answer",
    [
        echo("535 5.7.8 bad: {}"),
        echo("535-5.7.8 bad: {}\r\n535 5.7.8 " + PASSWORD),
        echo("501 5.5.4 syntax error in {}"),
        echo("421 4.7.0 too often: {}"),
        echo("what is {}?"),
        echo("{}"),
        lambda line: "535 5.7.8 unknown command: " + line.decode().upper(),
        lambda line: f"535 5.7.8 {decoded(line)}",
        CLOSE,
        BREAK_OFF,
        SILENT,
    ],
)
def test_no_secret_gets_into_logs_reports_or_representations(mechanism, answer, logged):
    challenges = {"PLAIN": [], "LOGIN": ["334 ", "334 "], "CRAM-MD5": ["334 AAAA"]}[mechanism]
    first, *rest = [*challenges, answer]
    server = Server(f"AUTH {mechanism}", AUTH=first, RESPONSE=rest or [SILENT])
    way = Way(server, **login(username=USERNAME, password=PASSWORD))
    results = way.begin()
    way.network.advance(120)
    (attempt,) = results
    assert attempt.fault.phase is Phase.LOGIN
    session = way.wire.session
    told = [attempt, attempt.fault, session, session.lost, way.factory, way.account, way.budget]
    shown = "\n".join([logged(), *map(repr, told), *map(str, told)])
    assert USERNAME in shown  # the account, which is shown without its password
    shown = shown.lower()
    assert [secret for secret in SECRETS if secret.rstrip("=").lower() in shown] == []


def decoded(line):
    """Return what a client has said, as the server understands it."""
    return base64.b64decode(line.split(b" ")[-1]).decode().replace("\0", " ")


@pytest.mark.parametrize("phase", ["MAIL", "RCPT", "DATA", "END"])
@pytest.mark.parametrize("form", [0, 1, 2])
def test_a_secret_that_is_repeated_after_the_login_is_not_told(phase, form):
    text = f"550 5.7.1 rejected, login was {SECRETS[form]}"
    way = Way(Server("AUTH PLAIN", **{phase: text}), **login(username=USERNAME, password=PASSWORD))
    attempt = way.send()
    told = f"{attempt!r} {attempt.fault}"
    assert "rejected, login was ***" in told
    assert [secret for secret in SECRETS if secret in told] == []
