"""What is said of a mail beforehand, and that it is what becomes of it."""

from __future__ import annotations

import re

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, succeed

from multisendcon_plugin import RelayService, parse
from multisendcon_plugin.events import MailAccepted
from multisendcon_plugin.mail.envelope import Envelope
from multisendcon_plugin.mail.masks import Masks
from multisendcon_plugin.mail.phase import Phase
from multisendcon_plugin.operations.errors import BadRequestError
from multisendcon_plugin.operations.explanation import (
    LONGEST_MESSAGE,
    MOST_CONSIDERED,
    explain,
    explain_stored,
)
from multisendcon_plugin.operations.values import AccountTest, Question, Quota
from multisendcon_plugin.outcome.condition import QuotaUse
from multisendcon_plugin.routing.account import Account, AccountType, Auth, NullSender
from multisendcon_plugin.routing.hop import Tls
from multisendcon_plugin.routing.registry import AccountRegistry
from multisendcon_plugin.settings.oauth2 import Grant, OAuth2, Provider
from multisendcon_plugin.settings.quota import quotas
from multisendcon_plugin.settings.values import MasterRelay
from multisendcon_plugin.testing.memory_spool import MemorySpool
from multisendcon_plugin.testing.misdeeds import hang
from tests.evil_network import EvilNetwork
from tests.operations.desk import Desk
from tests.queues import run
from tests.relays import delivery

SETTINGS = MasterRelay(hostname="relay.example")
FIXED = "sales@far.example"
MAIL = b"From: Boss <boss@a.example>\nSubject: x\n\nhello\n"


def account(name, senders=(), recipients=(), **more):
    masks = {"senders": Masks.parse(senders), "recipients": Masks.parse(recipients)}
    return Account(**{"name": name, "server": "mx.example", **masks, **more})


def explained(accounts, sender="boss@a.example", recipients=("r@b.example",), message=MAIL, **more):
    settings = attrs.evolve(SETTINGS, **more)
    registry = AccountRegistry(accounts)
    if message is not None:
        message = message.decode("utf-8", "surrogateescape")
    question = Question(sender=sender, recipients=tuple(recipients), message=message)
    asked = explain(settings, registry, question, 0.0)
    with pytest.raises(StopIteration) as answered:
        asked.send(None)  # it waits for nothing
    return answered.value.value


def reasons(explanation):
    """Return what is said of each account, for the first recipient."""
    return {each.name: each.reason for each in explanation.recipients[0].accounts}


def test_each_account_is_named_in_order_with_the_reason():
    explanation = explained(
        [
            account("Off", enabled=False),
            account("Sales", ["*@sales.example", "!boss@*"]),
            account("Others", ["!boss@a.example"]),
            account("Partner", ["*@a.example"], ["*@partner.example"]),
            account("No spam", [], ["!*@b.example"]),
            account("A", ["*@a.example"]),
            account("Rest"),
        ],
    )
    (recipient,) = explanation.recipients
    assert recipient.account == "A"
    assert [each.name for each in recipient.accounts if each.taken] == ["A"]
    assert [(each.name, each.reason) for each in recipient.accounts] == [
        ("Off", "it is not enabled"),
        ("Sales", "the sender is excluded by !boss@* in senders"),
        ("Others", "the sender is excluded by !boss@a.example in senders"),
        ("Partner", "the recipient matches no mask of recipients"),
        ("No spam", "the recipient is excluded by !*@b.example in recipients"),
        ("A", "sender matches *@a.example, every recipient"),
        ("Rest", "every sender, every recipient; but A comes first"),
    ]


def test_of_a_direct_account_it_is_said_where_the_mail_goes():
    explanation = explained(
        [
            account("A", ["!boss@a.example"], type=AccountType.DIRECT),
            account("B", type=AccountType.DIRECT),
            account("C", type=AccountType.DIRECT),
        ],
    )
    everyone = "every sender, every recipient"
    assert reasons(explanation) == {
        "A": "the sender is excluded by !boss@a.example in senders",
        "B": f"{everyone}; directly to the mail servers of the recipient's domain",
        "C": f"{everyone}; but B comes first",
    }


@pytest.mark.parametrize(
    ("message", "named", "skips"),
    [
        (MAIL, "the address in From: matches no mask of senders", '(null_sender = "skip")'),
        (b"\nhi\n", "the mail has the null sender and no From:, and senders has neither", "skip"),
    ],
)
def test_the_null_sender_is_routed_by_its_author(message, named, skips):
    explanation = explained(
        [
            account("Named", ["a@x"]),
            account("Skips", null_sender=NullSender.SKIP),
            account("Rest"),
            account("Null", ["<>"]),
        ],
        sender="<>",
        message=message,
    )
    found = reasons(explanation)
    assert found["Named"].startswith(named)
    assert skips in found["Skips"]
    assert found["Rest"] == "every sender, every recipient; but Null comes first"
    assert found["Null"] == "sender matches <>, every recipient"


def test_fallbacks_are_named_in_the_order_in_which_they_take_over():
    explanation = explained(
        [
            account("A", fallback=("B", "C")),
            account("B", fallback=("C", "A")),
            account("C", fallback=("Off", "A", "D")),
            account("D", recipients=["*@other.example"]),
            account("Off", enabled=False),
        ]
    )
    assert explanation.accounts[0].fallbacks == ("B", "C")


def test_what_would_be_sent_is_told_of_each_account():
    explanation = explained(
        [
            account(
                "Far",
                recipients=["*@far.example"],
                port=465,
                username="sales",
                local_address=("192.0.2.7",),
                helo_domain="out.example",
                fixed_sender=FIXED,
                max_recipients=5,
                minimum_wait=3.0,
            ),
            account("Near", tls=Tls.OPPORTUNISTIC),
        ],
        recipients=["r@b.example", "r@far.example", "s@b.example", "r@b.example"],
        submission_help=False,
    )
    near, far = explanation.accounts
    assert (near.name, near.envelope.recipients) == ("Near", ("r@b.example", "s@b.example"))
    assert near.envelope.sender == "boss@a.example"
    assert (near.session.tls, near.session.tls_required) == ("opportunistic", False)
    assert near.header.after.endswith(near.header.before)
    assert (far.name, far.envelope.sender) == ("Far", FIXED)
    assert attrs.asdict(far.session) == {
        "server": "mx.example",
        "port": 465,
        "tls": "implicit",
        "tls_required": True,
        "local_address": "192.0.2.7",
        "helo": "out.example",
        "username": "sales",
        "login": "password",
        "mailbox": "sales",
        "auth": "auto",
    }
    assert (near.session.login, near.session.mailbox) == ("none", "")
    assert (far.limits.max_recipients, far.limits.max_connections) == (5, 1)
    assert far.header.before == "From: Boss <boss@a.example>\r\nSubject: x\r\n"
    _, _, changed = far.header.after.partition("+0000\r\n")
    assert changed == (f"From: Boss <{FIXED}>\r\nReply-To: Boss <boss@a.example>\r\nSubject: x\r\n")


def test_quotas_are_told_as_they_are_set_and_a_token_by_its_mailbox():
    token = OAuth2(provider=Provider.GOOGLE, grant=Grant.DEVICE, mailbox="box@far.example")
    quota = quotas(["30 mails/1m", "500 recipients/1h"])
    far = account("Far", oauth2=token, username="joe", auth=Auth.XOAUTH2, quota=quota)
    explanation = explained([far])
    (departure,) = explanation.accounts
    session = departure.session
    assert (session.login, session.mailbox, session.auth) == ("token", "box@far.example", "xoauth2")
    unknown = {"used": None, "left": None, "opens": None}
    assert departure.limits.quota == (
        Quota(quota="30 mails/1m", **unknown),
        Quota(quota="500 recipients/1h", **unknown),
    )
    assert departure.limits.over_quota == "wait"
    used = (Quota(quota="30 mails/1m", used=1, left=29, opens=None),)
    assert explanation.with_quotas({"Far": used}).accounts[0].limits.quota == used
    assert explanation.with_quotas({}) == explanation


def test_the_relay_says_what_is_used_of_quotas_now():
    asked = account("Sales", quota=quotas(["30 mails/1m"]))
    desk = Desk((asked,), explain=lambda _: succeed(explained([asked])))
    desk.queue.more["Sales"] = {"quotas": (QuotaUse(asked.quota[0], 5, 25),)}
    (mail,) = desk.mail()
    for said in (
        desk.operations.explain(None),
        desk.operations.explain_waiting(mail.message.id),
    ):
        (departure,) = desk.ask(said).accounts
        assert departure.limits.quota == (Quota(quota="30 mails/1m", used=5, left=25, opens=None),)


def test_a_private_mail_keeps_its_sender():
    private = account("A", fixed_sender=FIXED, fixed_sender_unless_private=True)
    explanation = explained([private], message=b"Sensitivity: Private\n" + MAIL)
    assert explanation.accounts[0].envelope.sender == "boss@a.example"


def test_without_a_message_there_is_an_example():
    explanation = explained([account("A", fixed_sender=FIXED)], message=None)
    (departure,) = explanation.accounts
    assert "From: boss@a.example\r\n" in departure.header.before
    assert f"From: {FIXED}\r\n" in departure.header.after
    null = explained([account("A", ["*@a.example"])], sender="", message=None)
    assert null.recipients[0].account is None


def test_whom_nobody_takes_has_no_account_and_the_others_have_theirs():
    explanation = explained(
        [account("A", recipients=["*@b.example"])], recipients=["x@c.example", "r@b.example"]
    )
    assert [each.account for each in explanation.recipients] == [None, "A"]
    assert explanation.accounts[0].envelope.recipients == ("r@b.example",)
    nobody = explained([account("A", recipients=["*@b.example"])], recipients=["x@c.example"])
    assert nobody.accounts == ()


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"sender": "boss"}, "sender 'boss' is no address: an address has the form user@domain"),
        ({"recipients": ["r@b.example", ""]}, "recipient '' is no address"),
        ({"recipients": ["<>"]}, "recipient '<>' is no address: the null path is not allowed"),
        ({"recipients": ["a@b>\r\nDATA"]}, "recipient 'a@b>\\r\\nDATA' is no address"),
        ({"recipients": ["\ud800@b"]}, "recipient '\\ud800@b' is no address"),
        ({"recipients": []}, f"ask for 1 to {MOST_CONSIDERED} recipients, not for 0"),
        ({"message": b"a: b\nc: d\r\n"}, "the message cannot be sent: lines end with CRLF or"),
        ({"message": b"\0"}, "the message cannot be sent"),
        ({"message": b"x" * (LONGEST_MESSAGE + 1)}, "the message has 1048577 bytes, and up to"),
        ({"message": b"A: %b\n" % (b"x" * 300_000)}, "the relay would not take this mail: 552"),
        ({"message": b"From: " + b"a@b.example," * 1000}, "the relay would not take this mail"),
        ({"message": b"Received: x\n" * 101}, "the relay would not take this mail: 554 5.4.6"),
    ],
)
def test_what_is_no_mail_is_refused_with_a_sentence(asked, sentence):
    with pytest.raises(BadRequestError) as refused:
        explained([account("A")], **asked)
    assert str(refused.value).startswith(sentence)


def test_an_answer_has_an_end_whatever_the_number_of_accounts():
    accounts = [account(str(n), [f"u{n}@x.example"]) for n in range(MOST_CONSIDERED // 2)]
    with pytest.raises(BadRequestError, match="ask for 1 to 2 recipients, not for 3"):
        explained(accounts, recipients=["a@b", "b@b", "c@b"])


@pytest.mark.parametrize(
    "message", [b"", b"\n", b"no field", b"From: a@b.example", b"\xff: \xfe\n"]
)
def test_any_message_can_be_asked_about(message):
    explanation = explained([account("A", fixed_sender=FIXED)], message=message)
    assert f"From: {FIXED}\r\n" in explanation.accounts[0].header.after


def test_a_stored_mail_is_explained_by_its_own_envelope():
    content = MAIL.replace(b"\n", b"\r\n")
    message = delivery(content, reverse_path="", author="boss@a.example").message
    registry = AccountRegistry(
        [account("X", ["*@x"]), account("A", ["*@a.example"], fixed_sender=FIXED)]
    )
    explanation = explain_stored(registry, message, content)
    assert explanation.recipients[0].account == "A"
    (departure,) = explanation.accounts
    assert departure.envelope.sender == ""
    assert departure.header.before.encode() == content[: message.header_size]
    assert departure.header.after.startswith(f"From: Boss <{FIXED}>\r\n")
    with pytest.raises(ValueError, match="shorter"):
        explain_stored(registry, message, content[:10])


# The real thing.

ADDRESSES = ["boss@a.example", "b@a.example", "B@X.a.example", "c@b.example", "d@c.example"]
MASKS = [
    "*",
    "*@a.example",
    "*@*.a.example",
    "boss@a.example",
    "<>",
    "!b@*",
    "!*@c.example",
    "*@b.example",
]
FIELDS = [
    "From: Boss <boss@a.example>",
    "From: b@a.example, Boss <boss@a.example>",
    'From: "d@c.example" <c@b.example>',
    "From: <>",
    "from : b@a.example",
    "Sender: b@a.example",
    "Reply-To: c@b.example",
    "Sensitivity: Private",
    "Disposition-Notification-To: boss@a.example",
    "Return-Path: <boss@a.example>",
    "Bcc: d@c.example",
    "Message-ID: <1@a.example>",
    "Date: Mon, 1 Jan 2024 00:00:00 +0000",
    "DKIM-Signature: v=1; h=from:subject; b=x",
    "Subject: caf\u00e9",
    "no field",
    ".dot",
    "",
]
masks = st.lists(st.sampled_from(MASKS), max_size=3)
accounts_ = st.lists(
    st.fixed_dictionaries(
        {
            "senders": masks,
            "recipients": masks.map(lambda texts: [text for text in texts if text != "<>"]),
            "enabled": st.sampled_from([True, True, True, False]),
            "fixed_sender": st.sampled_from([None, FIXED, "b\u00fcro@far.example"]),
            "fixed_sender_unless_private": st.booleans(),
            "fixed_sender_removes": st.sampled_from([(), ("Subject",)]),
            "null_sender": st.sampled_from(NullSender),
            "max_recipients": st.sampled_from([None, 1]),
            "helo_domain": st.sampled_from(["one.example", "two.example"]),
        }
    ),
    min_size=1,
    max_size=4,
).map(
    lambda rows: [
        account(f"A{n}", **{**row, "server": f"192.0.2.{n + 1}"}) for n, row in enumerate(rows)
    ]
)
CONFIGURATION = parse(
    """
[master_relay]
hostname = "relay.example"

[[account]]
name = "none"
server = "192.0.2.1"
"""
)
#: What is made anew for each mail: its number, its time and its name.
_OWN = re.compile(rb"(?s) id \w+;\r\n\t[^\r]*|Date: \w{3}, [^\r]*|<\w+\.\w{16}@relay\.example>")


class Relay:
    """A relay in memory, with a provider for each account.

    :ivar reasons: why each recipient has its account.
    """

    def __init__(self, accounts, settings):
        self.network = EvilNetwork()
        for each in accounts:
            self.network.provide(address=each.server, offers=["SMTPUTF8", "8BITMIME"])
        self.service = RelayService(
            attrs.evolve(CONFIGURATION, accounts=tuple(accounts), master_relay=settings),
            self.network,
            spool=MemorySpool(self.network),
            wall=self.network.seconds,
        )
        self.reasons = {}
        self.service.events.subscribe(MailAccepted, self._accepted)
        self.service.startService()

    def _accepted(self, event):
        for each in event.deliveries:
            self.reasons |= {one.address: (each.account, one.reason) for one in each.recipients}

    def submit(self, sender, recipients, message):
        """Hand a mail in; return what came of that."""
        results = []
        envelope = Envelope(reverse_path=sender, recipients=recipients)
        self.service.submit(envelope, message).addBoth(results.append)
        self.network.flush()
        return results[0]

    def mails(self, account):
        return self.network.providers[account.server].mails


@given(
    accounts_,
    st.sampled_from(["", *ADDRESSES]),
    st.lists(st.sampled_from(ADDRESSES), min_size=1, max_size=4, unique=True),
    st.lists(st.sampled_from(FIELDS), max_size=7),
    st.booleans(),
)
def test_what_is_explained_is_what_happens(accounts, sender, recipients, lines, submission_help):
    settings = attrs.evolve(SETTINGS, submission_help=submission_help)
    message = "\n".join([*lines, "", "body"]).encode()
    explanation = explained(accounts, sender, recipients, message, submission_help=submission_help)
    relay = Relay(accounts, settings)
    taken = tuple(each.address for each in explanation.recipients if each.account)
    if len(taken) < len(recipients):
        refusal = relay.submit(sender, tuple(recipients), message).value
        assert refusal.reply.enhanced == "5.7.1"
    if taken:
        assert isinstance(relay.submit(sender, taken, message), str)
    assert relay.reasons == {
        each.address: next((one.name, one.reason) for one in each.accounts if one.taken)
        for each in explanation.recipients
        if each.account
    }
    departures = {each.name: each for each in explanation.accounts}
    for each in accounts:
        departure = departures.pop(each.name, None)
        mails = relay.mails(each)
        assert bool(mails) is bool(departure)
        if departure:
            said = [recipient for mail in mails for recipient in mail.recipients]
            assert said == list(departure.envelope.recipients)
        for mail in mails:
            assert mail.reverse_path.encode("latin-1").decode() == departure.envelope.sender
            assert mail.helo == departure.session.helo
            after = _OWN.sub(b"", departure.header.after.encode("utf-8", "surrogateescape"))
            content = _OWN.sub(b"", mail.content)
            assert content.startswith(after)
            assert content[len(after) :].startswith((b"\r\n", b"no field", b".dot"))
    assert not departures


def test_a_relay_explains_by_its_own_accounts_and_settings():
    accounts = [account("A", server="192.0.2.1", fixed_sender=FIXED)]
    relay = Relay(accounts, attrs.evolve(SETTINGS, submission_help=False))
    question = Question(sender="boss@a.example", recipients=("r@b.example",))
    results = []
    Deferred.fromCoroutine(relay.service.operations.explain(question)).addBoth(results.append)
    (explanation,) = results
    assert explanation.accounts[0].envelope.sender == FIXED
    assert "Message-ID" not in explanation.accounts[0].header.after


def test_a_relay_tests_its_accounts_within_their_limits():
    accounts = [account("A", server="192.0.2.1", max_connections=1)]
    relay = Relay(accounts, SETTINGS)
    assert isinstance(relay.submit("boss@a.example", ("r@b.example",), MAIL), str)
    results = []
    testing = relay.service.operations.test("A", AccountTest())
    Deferred.fromCoroutine(testing).addBoth(results.append)
    run(relay.network, 60)
    # The session that the mail has left is kept for ten seconds.
    assert [step.step for step in results[0].steps][:2] == ["wait", "connect"]
    assert results[0].ok


def test_a_relay_that_stops_ends_its_tests():
    relay = Relay([account("A", server="192.0.2.1")], SETTINGS)
    relay.network.providers["192.0.2.1"].script[Phase.GREETING] = hang
    results = []
    testing = relay.service.operations.test("A", AccountTest())
    Deferred.fromCoroutine(testing).addBoth(results.append)
    relay.service.stopService()
    run(relay.network, 60)
    assert str(results[0].value) == "the relay is shutting down"
    assert all(wire.gone for wire in relay.network.wires)
