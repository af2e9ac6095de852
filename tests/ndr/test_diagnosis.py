from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multisendcon_plugin.mail.message import Recipient
from multisendcon_plugin.mail.phase import Phase
from multisendcon_plugin.mail.reply import Reply
from multisendcon_plugin.ndr import diagnosis
from multisendcon_plugin.ndr.diagnosis import Diagnosis, diagnose
from multisendcon_plugin.outcome.attempt import Outcome, Verdict
from multisendcon_plugin.outcome.failure import Action


def diagnosed(verdict, phase, *reply, action=None):
    recipient = Recipient(address="r@b.example", reason="test")
    reply = Reply(*reply)
    outcome = Outcome(recipient=recipient, verdict=verdict, phase=phase, reply=reply, action=action)
    return diagnose(outcome)


@pytest.mark.parametrize(
    ("phase", "code", "enhanced", "expected"),
    [
        (Phase.RCPT, 550, "5.1.1", diagnosis.UNKNOWN_ADDRESS),
        (Phase.RCPT, 550, "5.1.10", diagnosis.UNKNOWN_ADDRESS),
        (Phase.RCPT, 550, "5.4.1", diagnosis.UNKNOWN_ADDRESS),
        (Phase.RCPT, 550, "", diagnosis.UNKNOWN_ADDRESS),
        (Phase.RCPT, 550, "5.0.0", diagnosis.UNKNOWN_ADDRESS),
        (Phase.RCPT, 553, "", diagnosis.UNKNOWN_ADDRESS),
        (Phase.RCPT, 550, "5.1.2", diagnosis.UNKNOWN_DOMAIN),
        (Phase.RCPT, 550, "5.4.4", diagnosis.UNKNOWN_DOMAIN),
        (Phase.RCPT, 552, "5.2.2", diagnosis.MAILBOX_FULL),
        (Phase.RCPT, 552, "", diagnosis.MAILBOX_FULL),
        (Phase.RCPT, 550, "5.2.1", diagnosis.MAILBOX_CLOSED),
        (Phase.RCPT, 554, "5.7.1", diagnosis.REFUSED),
        (Phase.RCPT, 550, "5.7.60", diagnosis.SENDER_REFUSED),
        (Phase.RCPT, 550, "5.1.8", diagnosis.SENDER_REFUSED),
        (Phase.MAIL, 550, "5.7.1", diagnosis.SENDER_REFUSED),
        (Phase.MAIL, 553, "5.1.7", diagnosis.SENDER_REFUSED),
        (Phase.MAIL, 553, "", diagnosis.SENDER_REFUSED),
        (Phase.MAIL, 552, "5.3.4", diagnosis.TOO_LARGE),
        (Phase.MAIL, 552, "", diagnosis.TOO_LARGE),
        (Phase.MAIL, 550, "5.6.7", diagnosis.INTERNATIONAL_ADDRESS),
        (Phase.END, 552, "", diagnosis.TOO_LARGE),
        (Phase.END, 552, "5.2.3", diagnosis.TOO_LARGE),
        (Phase.END, 554, "", diagnosis.REFUSED),
        (Phase.END, 554, "5.6.0", diagnosis.CONTENT),
        (Phase.END, 554, "5.4.6", diagnosis.LOOP),
        (Phase.END, 571, "", diagnosis.OTHER),
        (Phase.CONNECT, 0, "", diagnosis.NO_ACCOUNT),
    ],
)
def test_a_refusal_is_explained(phase, code, enhanced, expected):
    assert diagnosed(Verdict.FAILED, phase, code, enhanced) is expected


@pytest.mark.parametrize(
    ("phase", "code", "enhanced", "expected"),
    [
        (Phase.CONNECT, 0, "", diagnosis.ACCOUNT_UNUSABLE),
        (Phase.LOGIN, 535, "5.7.8", diagnosis.ACCOUNT_UNUSABLE),
        (Phase.RCPT, 0, "", diagnosis.UNREACHABLE),
        (Phase.RCPT, 451, "4.4.1", diagnosis.UNREACHABLE),
        (Phase.RCPT, 452, "4.2.2", diagnosis.MAILBOX_FULL),
        (Phase.RCPT, 450, "4.7.1", diagnosis.REFUSED),
        (Phase.RCPT, 450, "", diagnosis.OTHER),
        (Phase.DATA, 421, "4.3.2", diagnosis.OTHER),
    ],
)
def test_a_delay_is_explained(phase, code, enhanced, expected):
    assert diagnosed(Verdict.DEFERRED, phase, code, enhanced) is expected


@pytest.mark.parametrize("without_code", [False, True])
@pytest.mark.parametrize("change", [str, str.upper, str.lower])
@pytest.mark.parametrize(
    ("phase", "code", "enhanced", "text", "expected"),
    [
        (Phase.END, 554, "5.2.252", "SendAsDenied; a not allowed to send as b", "SENDER_REFUSED"),
        (Phase.END, 554, "5.2.0", "STOREDRV.Submission.Exception:SendAsDeniedException.Mapi",
         "SENDER_REFUSED"),
        (Phase.END, 550, "5.7.60", "SMTP; Client does not have permissions to send as this sender",
         "SENDER_REFUSED"),
        (Phase.RCPT, 553, "5.1.8", "<a@b>: Sender address rejected: not owned by user c",
         "SENDER_REFUSED"),
        (Phase.RCPT, 553, "5.7.1", "<a@b>: Sender address rejected: not owned by user c",
         "SENDER_REFUSED"),
        (Phase.RCPT, 550, "5.1.1", "You are not allowed to send mail as this user",
         "SENDER_REFUSED"),
        (Phase.END, 554, "5.1.0", "Message rejected: Email address is not verified",
         "SENDER_REFUSED"),
        (Phase.MAIL, 552, "5.2.2", "Your mailbox is full", "OWN_MAILBOX_FULL"),
        (Phase.END, 554, "5.2.0", "the sender's mailbox has exceeded its quota",
         "OWN_MAILBOX_FULL"),
        (Phase.END, 554, "5.2.0", "STOREDRV.Submission.Exception:QuotaExceededException; Failed",
         "OWN_MAILBOX_FULL"),
        (Phase.END, 554, "5.2.0", "STOREDRV.Submission.Exception:CorruptDataException", "OTHER"),
        (Phase.RCPT, 550, "5.2.1", "The user you try to contact is receiving mail at a rate",
         "MAILBOX_BUSY"),
        (Phase.RCPT, 550, "5.2.122", "exceeded the number of messages they can receive per hour",
         "MAILBOX_BUSY"),
    ],
)  # fmt: skip
def test_words_tell_more_than_codes(phase, code, enhanced, text, expected, *, change, without_code):
    enhanced = "" if without_code else enhanced
    found = diagnosed(Verdict.FAILED, phase, code, enhanced, change(text))
    assert found is getattr(diagnosis, expected)


@pytest.mark.parametrize(
    ("phase", "code", "enhanced", "expected"),
    [
        (Phase.MAIL, 552, "5.2.2", diagnosis.OWN_MAILBOX_FULL),
        (Phase.END, 554, "5.2.252", diagnosis.SENDER_REFUSED),
        (Phase.RCPT, 550, "5.2.121", diagnosis.MAILBOX_BUSY),
        (Phase.RCPT, 451, "4.4.5", diagnosis.BUSY),
        (Phase.END, 550, "5.4.5", diagnosis.BUSY),
        (Phase.END, 550, "5.4.14", diagnosis.LOOP),
    ],
)
def test_codes_of_few_servers_are_known(phase, code, enhanced, expected):
    assert diagnosed(Verdict.FAILED, phase, code, enhanced) is expected


# What was decided about the account is what its mail waits for, whatever the codes say.
@pytest.mark.parametrize(
    ("phase", "code", "enhanced", "action", "expected"),
    [
        (Phase.END, 550, "5.4.5", Action.QUOTA, diagnosis.ACCOUNT_LIMIT),
        (Phase.END, 550, "5.4.6", Action.QUOTA, diagnosis.ACCOUNT_LIMIT),
        (Phase.RCPT, 550, "5.1.90", Action.QUOTA, diagnosis.ACCOUNT_LIMIT),
        (Phase.LOGIN, 535, "5.7.0", Action.QUOTA, diagnosis.ACCOUNT_LIMIT),
        (Phase.MAIL, 550, "5.4.6", Action.ALARM, diagnosis.ACCOUNT_UNUSABLE),
        (Phase.RCPT, 554, "5.7.1", Action.ALARM, diagnosis.ACCOUNT_UNUSABLE),
        (Phase.END, 550, "5.2.251", Action.ALARM, diagnosis.ACCOUNT_UNUSABLE),
        (Phase.RCPT, 504, "5.5.2", Action.REST, diagnosis.ACCOUNT_UNUSABLE),
        (Phase.RCPT, 450, "4.2.1", Action.SLOW, diagnosis.BUSY),
        (Phase.MAIL, 451, "4.7.0", Action.SLOW, diagnosis.BUSY),
        (Phase.RCPT, 554, "5.7.1", Action.MOVE, diagnosis.NOT_PASSED_ON),
        (Phase.GREETING, 0, "4.4.2", Action.SLOW, diagnosis.ACCOUNT_UNUSABLE),
    ],
)
def test_a_mail_that_waits_for_its_account_is_told_so(phase, code, enhanced, action, expected):
    assert diagnosed(Verdict.DEFERRED, phase, code, enhanced, "", action=action) is expected


# What is said by the DNS, and by servers that are the recipients' own, is not about the account.
@pytest.mark.parametrize(
    ("phase", "code", "enhanced", "action", "expected"),
    [
        (Phase.DNS, 556, "5.1.10", Action.FAIL, diagnosis.TAKES_NO_MAIL),
        (Phase.RCPT, 556, "5.1.10", Action.FAIL, diagnosis.TAKES_NO_MAIL),
        (Phase.DNS, 0, "5.1.2", Action.FAIL, diagnosis.UNKNOWN_DOMAIN),
        (Phase.DNS, 0, "5.4.4", Action.FAIL, diagnosis.UNKNOWN_DOMAIN),
        (Phase.DNS, 0, "5.4.6", Action.FAIL, diagnosis.LOOP),
        (Phase.DNS, 0, "4.4.3", Action.DEFER, diagnosis.UNREACHABLE),
        (Phase.CONNECT, 0, "4.4.1", Action.DEFER, diagnosis.UNREACHABLE),
        (Phase.GREETING, 521, "", Action.FAIL, diagnosis.OTHER),
        (Phase.GREETING, 554, "5.7.1", Action.DEFER, diagnosis.REFUSED),
    ],
)
def test_what_is_about_a_destination_is_told_so(phase, code, enhanced, action, expected):
    assert diagnosed(Verdict.FAILED, phase, code, enhanced, "", action=action) is expected


def test_an_uncertain_delivery_is_not_called_a_failure():
    assert diagnosed(Verdict.UNCERTAIN, Phase.END, 0) is diagnosis.CONFIRMATION_LOST


codes = st.just("") | st.from_regex(r"[245]\.[0-9]{1,3}\.[0-9]{1,3}", fullmatch=True)


@given(st.sampled_from(Verdict), st.sampled_from(Phase), st.integers(0, 599), codes)
def test_everything_has_an_explanation(verdict, phase, code, enhanced):
    assert isinstance(diagnosed(verdict, phase, code, enhanced), Diagnosis)
