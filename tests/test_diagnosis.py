from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multisendcon_plugin import diagnosis
from multisendcon_plugin.attempt import Outcome, Verdict
from multisendcon_plugin.diagnosis import Diagnosis, diagnose
from multisendcon_plugin.message import Recipient
from multisendcon_plugin.phase import Phase
from multisendcon_plugin.reply import Reply


def diagnosed(verdict, phase, *reply):
    recipient = Recipient(address="r@b.example", reason="test")
    return diagnose(Outcome(recipient=recipient, verdict=verdict, phase=phase, reply=Reply(*reply)))


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


def test_an_uncertain_delivery_is_not_called_a_failure():
    assert diagnosed(Verdict.UNCERTAIN, Phase.END, 0) is diagnosis.CONFIRMATION_LOST


codes = st.just("") | st.from_regex(r"[245]\.[0-9]{1,3}\.[0-9]{1,3}", fullmatch=True)


@given(st.sampled_from(Verdict), st.sampled_from(Phase), st.integers(0, 599), codes)
def test_everything_has_an_explanation(verdict, phase, code, enhanced):
    assert isinstance(diagnosed(verdict, phase, code, enhanced), Diagnosis)
