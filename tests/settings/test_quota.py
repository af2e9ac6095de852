"""How quotas are written, read and shown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multisendcon_plugin.settings.quota import MOST_QUOTAS, Counted, Quota, quotas
from multisendcon_plugin.settings.words import InvalidValueError

MONTH = 31 * 86_400


@pytest.mark.parametrize(
    ("text", "most", "counted", "window", "shown"),
    [
        ("30 mails/1m", 30, "mails", 60, "30 mails/1m"),
        ("10000 recipients/1d", 10_000, "recipients", 86_400, "10000 recipients/1d"),
        ("1 mail/s", 1, "mails", 1, "1 mails/1s"),
        ("1 recipient / 90 s", 1, "recipients", 90, "1 recipients/90s"),
        ("5 mails/60m", 5, "mails", 3600, "5 mails/1h"),
        (" 5 mails/24h ", 5, "mails", 86_400, "5 mails/1d"),
        ("100000000 mails/31d", 100_000_000, "mails", MONTH, "100000000 mails/31d"),
    ],
)
def test_what_is_good(text, most, counted, window, shown):
    (quota,) = quotas([text])
    assert quota == Quota(most, Counted(counted), float(window))
    assert str(quota) == shown


@pytest.mark.parametrize(
    "text",
    [
        *("", "30", "30 mails", "30/1m", "30mails/1m", "0 mails/1m", "-1 mails/1m", "1.5 mails/1m"),
        *("30 mails/0m", "30 mails/-1m", "30 mails/1.5m", "30 mails/1w", "30 mails/32d"),
        *("100000001 mails/1d", "30 messages/1m", "30 mails/1m, 5 mails/1s", "٣ mails/1m"),
    ],
)
def test_what_is_no_quota(text):
    with pytest.raises(InvalidValueError, match="is not a quota; write for example") as caught:
        quotas([text, "1 mail/1d"])
    assert len(caught.value.args) == 1


def test_what_is_no_list():
    with pytest.raises(InvalidValueError, match=r'is not a list; write \["30 mails/1m"\]'):
        quotas("30 mails/1m")
    assert quotas([]) == ()


def test_two_about_the_same_are_a_fault():
    with pytest.raises(InvalidValueError, match="leave out the larger one"):
        quotas(["30 mails/1m", "31 mails/60s"])
    assert len(quotas(["30 mails/1m", "30 recipients/1m", "30 mails/1h"])) == 3


def test_not_too_many():
    many = [f"1 mail/{n}s" for n in range(1, MOST_QUOTAS + 2)]
    assert len(quotas(many[1:])) == MOST_QUOTAS
    with pytest.raises(InvalidValueError, match=f"more than {MOST_QUOTAS} quotas"):
        quotas(many)


@given(
    st.builds(
        Quota,
        st.integers(1, 100_000_000),
        st.sampled_from(Counted),
        st.integers(1, MONTH).map(float),
    )
)
def test_what_is_shown_reads_as_the_same(quota):
    assert quotas([str(quota)]) == (quota,)


@given(st.text(alphabet="0123456789 mailsrecpnt/smhd", max_size=30))
def test_whatever_is_written_is_a_quota_or_a_fault(text):
    try:
        (quota,) = quotas([text])
    except InvalidValueError:
        return
    assert 1 <= quota.most <= 100_000_000
    assert 1 <= quota.window <= MONTH
