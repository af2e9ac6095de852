"""The login at an account's server: the password that is used, and the mechanism."""

from __future__ import annotations

import base64
import hashlib
import hmac
from functools import partial

import attrs
import pytest

from multisendcon_plugin.errors import ConfigurationError
from multisendcon_plugin.interfaces.credentials import Credential
from multisendcon_plugin.logins import secret as kept_secrets
from multisendcon_plugin.logins.password import PasswordCredentials
from multisendcon_plugin.outcome.attempt import Verdict
from multisendcon_plugin.outcome.failure import Action
from multisendcon_plugin.routing.account import Account, Auth
from multisendcon_plugin.routing.hop import Tls
from multisendcon_plugin.settings.secret import StoredSecret
from tests.queues import logged
from tests.relays import BREAK_OFF, CLOSE, SILENT, Network, Server, Way, login, verdicts


class Place:
    """A place where a password is kept.

    :ivar kept: the password, or what keeps it from being read.
    """

    def __init__(self, kept):
        self.kept = kept
        self.asked = 0
        self.secret = StoredSecret(kept, self.read)

    def read(self):
        self.asked += 1
        if isinstance(self.kept, Exception):
            raise self.kept
        return self.kept


def plain(password, username="sales"):
    return b"AUTH PLAIN " + base64.b64encode(f"\0{username}\0{password}".encode())


def passwords(server):
    """Return the passwords that a server was told by PLAIN."""
    lines = [line.split(b" ")[2] for line in server.lines if line.startswith(b"AUTH PLAIN")]
    return [base64.b64decode(line).split(b"\0")[2].decode() for line in lines]


def only(password):
    """Return the answer of a server that takes this password only."""
    return lambda line: "235 welcome" if line == plain(password) else "535 5.7.8 wrong"


# The password.


def test_a_stored_password_is_read_for_each_login_and_not_for_each_mail():
    place = Place("old")
    servers = Server("AUTH PLAIN"), Server("AUTH PLAIN")
    way = Way(*servers, **login(password=place.secret), max_mails_per_connection=3)
    for _ in range(3):
        way.send()
    assert place.asked == 1
    place.kept = "new"
    way.send()
    assert place.asked == 2
    assert [passwords(server) for server in servers] == [["old"], ["new"]]


def test_a_password_that_was_changed_after_a_refusal_is_used_the_next_time():
    place = Place("old")
    way = Way(
        *[Server("AUTH PLAIN", AUTH=only("new")) for _ in "ab"], **login(password=place.secret)
    )
    assert way.send().fault.action is Action.ALARM
    place.kept = "new"
    assert verdicts(way.send()) == [Verdict.DELIVERED]


def test_without_a_login_no_password_is_read():
    place = Place("old")
    Way(Server("AUTH PLAIN"), password=place.secret).send()
    assert place.asked == 0


def test_a_password_that_cannot_be_read_again_is_the_one_before_which_is_told_once():
    place = Place("first")
    servers = [Server("AUTH PLAIN") for _ in "abcdef"]
    way = Way(*servers, **login(password=place.secret), max_mails_per_connection=1)
    gone, empty = ConfigurationError(["the file is gone"]), ConfigurationError(["it is empty"])
    with logged() as log:
        for kept in (gone, gone, "second", empty, empty, gone):
            place.kept = kept
            assert verdicts(way.send()) == [Verdict.DELIVERED]
            way.network.advance(10)
    assert [passwords(server) for server in servers] == [
        *([["first"]] * 2),
        *([["second"]] * 4),
    ]
    start = "account Sales: its password cannot be read again, so the one before is used: "
    assert log.texts() == [
        start + "the file is gone",
        start + "it is empty",
        start + "the file is gone",
    ]


# A password that a program tells.


@pytest.fixture
def programs(monkeypatch):
    """Return what would run in threads, to be called when a program has ended."""
    begun = []

    class NoThread:
        def __init__(self, target, args, daemon):
            assert daemon
            self.start = lambda: begun.append(partial(target, *args))

    monkeypatch.setattr(kept_secrets, "Thread", NoThread)
    monkeypatch.setattr(
        Network, "callFromThread", lambda _, call, *args: call(*args), raising=False
    )
    return begun


class Program(Place):
    """A program that tells a password."""

    def __init__(self, kept):
        super().__init__(kept)
        self.secret = attrs.evolve(self.secret, slow=True)


def test_a_program_is_not_run_as_long_as_its_password_is_good(programs):
    place = Program("good")
    servers = [Server("AUTH PLAIN", AUTH=only("good")) for _ in "ab"]
    way = Way(*servers, **login(password=place.secret), max_mails_per_connection=1)
    for _ in servers:
        assert verdicts(way.send()) == [Verdict.DELIVERED]
        way.network.advance(10)
    assert (place.asked, programs) == (0, [])


def test_a_program_is_run_after_a_refusal_and_what_it_tells_is_tried_in_the_same_session(programs):
    place = Program("old")
    server = Server("AUTH PLAIN", AUTH=only("new"))
    way = Way(server, **login(password=place.secret))
    results = way.begin()
    assert (results, place.asked) == ([], 0)
    place.kept = "new"
    programs.pop()()
    way.network.flush()
    assert verdicts(results[0]) == [Verdict.DELIVERED]
    assert passwords(server) == ["old", "new"]
    assert place.asked == 1


def test_a_program_that_tells_the_same_is_run_once_for_a_refusal(programs):
    place = Program("wrong")
    servers = [Server("AUTH PLAIN", AUTH=only("right")) for _ in "ab"]
    way = Way(*servers, **login(password=place.secret))
    for times, server in enumerate(servers, 1):
        results = way.begin()
        programs.pop()()
        way.network.flush()
        assert results[0].fault.action is Action.ALARM
        assert passwords(server) == ["wrong"]
        assert place.asked == times
    assert programs == []


def test_sessions_that_are_refused_together_share_one_run(programs):
    place = Program("old")
    account = Account(name="A", server="a", password=place.secret)
    kept = PasswordCredentials(account, Network())
    old = Credential("", "old")
    answers = [kept.after_refusal(old) for _ in "abc"]
    assert len(programs) == 1
    place.kept = "new"
    programs.pop()()
    new = Credential("", "new")
    assert [each.result for each in answers] == [new] * 3
    # One that is late finds that the others have asked.
    assert kept.after_refusal(old).result == new
    assert (place.asked, programs, kept.current().result) == (1, [], new)


def test_a_server_that_hangs_up_meanwhile_has_refused_the_password(programs):
    place = Program("old")
    server = Server("AUTH PLAIN", AUTH=["535 5.7.8 wrong", CLOSE])
    way = Way(server, **login(password=place.secret))
    results = way.begin()
    place.kept = "new"
    programs.pop()()
    way.network.flush()
    assert results[0].fault.action is Action.ALARM
    assert results[0].fault.reply.code == 535


@pytest.mark.parametrize("said", ["454 4.7.0 later", CLOSE])
def test_a_program_is_not_run_for_what_is_no_refusal(programs, said):
    place = Program("old")
    way = Way(Server("AUTH PLAIN", AUTH=said), **login(password=place.secret))
    assert way.send().fault
    assert programs == []


def test_a_program_that_fails_is_told_without_what_it_wrote(programs):
    place = Program("old-c4nary")
    way = Way(Server("AUTH PLAIN", AUTH=only("new")), **login(password=place.secret))
    results = way.begin()
    place.kept = ConfigurationError(['the program "tell" has failed: exit status 3'])
    with logged() as log:
        programs.pop()()
        way.network.flush()
    assert results[0].fault.action is Action.ALARM
    [text] = log.texts()
    assert text.endswith('before is used: the program "tell" has failed: exit status 3')


@pytest.mark.parametrize("said", ["535 5.7.8 {}", "421 4.7.0 {}", "{}"])
def test_a_server_that_repeats_a_password_read_anew_brings_it_nowhere(said):
    place = Place("old-c4nary")
    place.kept = "new-c4nary"

    def echo(line):
        return said.format(f"{line.decode()} {place.kept}")

    way = Way(Server("AUTH PLAIN", AUTH=echo), **login(password=place.secret))
    attempt = way.send()
    shown = f"{attempt} {attempt.fault} {way.factory.account} {place.secret}"
    for secret in ("c4nary", base64.b64encode(b"\0sales\0new-c4nary").decode()):
        assert secret not in shown


# The mechanism.

ALL = "AUTH PLAIN LOGIN CRAM-MD5"
USER, SECRET = (base64.b64encode(octets) for octets in (b"sales", b"s3cret"))
WRONG = "535 5.7.8 wrong"


def tried(server):
    """Return the mechanisms that were tried in a session."""
    lines = [line.split(b" ") for line in server.lines]
    return [line[1].decode().lower() for line in lines if line[0] == b"AUTH"]


def takes(*mechanisms, otherwise=WRONG):
    """Return the answers of a server that takes some mechanisms only."""
    right = {"plain": "235 welcome", "login": "334 VXNlcm5hbWU6", "cram-md5": "334 AAAA"}

    def answer(line):
        mechanism = line.split(b" ")[1].decode().lower()
        return right[mechanism] if mechanism in mechanisms else otherwise

    return {"AUTH": answer, "RESPONSE": ["334 UGFzc3dvcmQ6", "235 welcome"]}


def sessions(*servers, **account):
    """Log in at one server after the other; return the mechanisms tried, and the faults."""
    way = Way(*servers, **{**login(tls=Tls.AUTO), **account}, max_mails_per_connection=1)
    faults = [way.send().fault for _ in servers]
    return [tried(server) for server in servers], faults


@pytest.mark.parametrize(
    "refusal",
    [
        "500 5.5.1 what",
        "501 5.5.2 no initial response",
        "502 5.5.1 not implemented",
        "503 5.5.1 bad sequence",
        "504 5.5.4 not that one",
        "535 5.7.8 wrong",
        "534 5.7.9 too weak",
        "538 5.7.11 not without encryption",
        "550 5.7.1 no",
        "553 authentication error",
        "554 5.7.0 no",
        "334 AAAA",
    ],
)
def test_where_plain_is_refused_login_is_tried_and_remembered(refusal):
    answers = takes("login", otherwise=refusal)
    if refusal.startswith("334"):
        answers["RESPONSE"].insert(0, "501 cancelled")
    first, later = Server(ALL, "STARTTLS", **answers), Server(ALL, "STARTTLS", **takes("login"))
    assert sessions(first, later) == ([["plain", "login"], ["login"]], [None, None])
    for server in (first, later):
        assert [line for line in server.lines if line in (USER, SECRET)] == [USER, SECRET]


def test_a_wrong_password_is_refused_twice_and_from_then_on_once_in_each_session():
    servers = [Server(ALL, "STARTTLS", AUTH=WRONG) for _ in range(6)]
    mechanisms, faults = sessions(*servers)
    assert mechanisms == [
        ["plain", "login"],
        ["cram-md5"],
        ["plain"],
        ["login"],
        ["cram-md5"],
        ["plain"],
    ]
    assert {str(fault) for fault in faults} == {f"login: {WRONG}"}


def test_what_is_found_out_in_a_later_session_holds_too():
    servers = [Server(ALL, "STARTTLS", **takes("cram-md5")) for _ in range(3)]
    for server in servers:
        server.answers["RESPONSE"] = "235 welcome"
    mechanisms, faults = sessions(*servers)
    assert mechanisms == [["plain", "login"], ["cram-md5"], ["cram-md5"]]
    assert [fault is None for fault in faults] == [False, True, True]


def test_where_a_mechanism_has_worked_a_refusal_is_about_the_password():
    good, changed, again = (
        Server(ALL, "STARTTLS"),
        Server(ALL, "STARTTLS", AUTH=WRONG),
        Server(ALL, "STARTTLS", AUTH=WRONG),
    )
    mechanisms, _ = sessions(good, changed, again)
    assert mechanisms == [["plain"], ["plain"], ["login"]]


def test_a_new_password_may_be_refused_twice_again():
    place = Place("old")
    servers = [Server(ALL, "STARTTLS", AUTH=WRONG) for _ in "abc"]
    way = Way(*servers, **login(tls=Tls.AUTO, password=place.secret))
    for password in ("old", "old", "new"):
        place.kept = password
        way.send()
    assert [len(tried(server)) for server in servers] == [2, 1, 2]


@pytest.mark.parametrize(
    "end", ["421 4.7.0 too many errors", CLOSE, BREAK_OFF, SILENT, b"what\r\n"]
)
def test_a_server_that_hangs_up_after_a_refusal_has_still_refused_the_password(end):
    way = Way(Server(ALL, "STARTTLS", AUTH=[WRONG, end]), **login(tls=Tls.AUTO))
    results = way.begin()
    way.network.advance(120)
    assert str(results[0].fault) == f"login: {WRONG}"


@pytest.mark.parametrize(
    ("second", "told"),
    [
        ("504 5.5.4 not that one", WRONG),
        ("454 4.7.0 later", WRONG),
        ("534 5.7.9 too weak", "534 5.7.9 too weak"),
    ],
)
def test_of_two_replies_the_last_that_speaks_of_the_password_is_told(second, told):
    server = Server("AUTH PLAIN LOGIN", "STARTTLS", AUTH=[WRONG, second])
    _, [fault] = sessions(server)
    assert str(fault) == f"login: {told}"


@pytest.mark.parametrize("auth", [Auth.PLAIN, Auth.LOGIN, Auth.CRAM_MD5])
@pytest.mark.parametrize("tls", [Tls.AUTO, Tls.NONE])
def test_the_mechanism_of_the_account_is_the_only_one(auth, tls):
    servers = [Server(ALL, "STARTTLS", AUTH=reply) for reply in (WRONG, "504 no", WRONG)]
    mechanisms, _ = sessions(*servers, auth=auth, tls=tls)
    assert mechanisms == [[auth.value]] * 3


def test_a_mechanism_of_the_account_that_is_not_offered_is_not_tried():
    server = Server("AUTH PLAIN LOGIN", "STARTTLS")
    _, [fault] = sessions(server, auth=Auth.CRAM_MD5)
    assert tried(server) == []
    assert str(fault) == (
        "login: 4.7.0 the server does not offer CRAM-MD5 (see auth), only PLAIN, LOGIN"
    )


def test_a_remembered_mechanism_that_is_not_offered_any_more_is_not_tried():
    servers = (
        Server(ALL, "STARTTLS", **takes("login")),
        Server("AUTH PLAIN", "STARTTLS"),
    )
    assert sessions(*servers) == ([["plain", "login"], ["plain"]], [None, None])


# Prompts.


@pytest.mark.parametrize(
    ("username_prompt", "password_prompt"),
    [
        ("334 VXNlcm5hbWU6", "334 UGFzc3dvcmQ6"),
        ("334 VXNlcm5hbWU", "334 UGFzc3dvcmQ"),
        ("334 VXNlciBOYW1lAA==", "334 UGFzc3dvcmQA"),
        ("334 VXNlciBOYW1lAA", "334 UGFzc3dvcmQA="),
        ("334 Username:", "334 Password:"),
        ("334 Benutzername", "334 Kennwort für sales"),
        ("334", "334 "),
        ("334 4.7.0 go on", "334 ok"),
    ],
)
def test_the_prompts_of_login_may_be_worded_in_any_way(username_prompt, password_prompt):
    server = Server(
        "AUTH LOGIN", AUTH=username_prompt, RESPONSE=[password_prompt, "235 2.7.0 welcome"]
    )
    assert verdicts(Way(server, **login()).send()) == [Verdict.DELIVERED]
    assert server.lines[1:4] == [b"AUTH LOGIN", USER, SECRET]


@pytest.mark.parametrize("prompt", ["334", "334 ", "334 Go ahead", "334 response?"])
def test_plain_is_answered_where_the_initial_response_was_not_looked_at(prompt):
    server = Server("AUTH PLAIN", AUTH=prompt)
    assert verdicts(Way(server, **login()).send()) == [Verdict.DELIVERED]
    assert server.lines[1:3] == [plain("s3cret"), plain("s3cret").split(b" ")[2]]


@pytest.mark.parametrize("length", range(10, 16))
def test_a_challenge_of_cram_md5_may_lack_its_padding(length):
    challenge = b"<1896.697@mx.example>"[:length]
    unpadded = base64.b64encode(challenge).rstrip(b"=").decode()
    server = Server("AUTH CRAM-MD5", AUTH=f"334 {unpadded}")
    assert verdicts(Way(server, **login()).send()) == [Verdict.DELIVERED]
    digest = hmac.new(b"s3cret", challenge, hashlib.md5).hexdigest()
    assert base64.b64decode(server.lines[2]) == b"sales " + digest.encode()
