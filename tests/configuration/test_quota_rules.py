"""Quotas of accounts: the key, groups that share them, and what is warned of."""

from __future__ import annotations

import pytest

from multisendcon_plugin import configuration
from multisendcon_plugin.settings.quota import Counted, OverQuota, Quota
from tests.configuration.examples import faults, read
from tests.configuration.test_from_preset import known

MINUTE = Quota(30, Counted.MAILS, 60.0)
DAY = Quota(10_000, Counted.RECIPIENTS, 86_400.0)


def accounts(*keys):
    """Return a document with an account for each text of keys: A, B, C ..."""
    return "\n".join(
        f'[[account]]\nname = "{name}"\nserver = "{name}.example"\nsenders = "*"\n{each}'
        for name, each in zip("ABCD", keys, strict=False)
    )


def quotas(*keys):
    return [account.quota for account in read(accounts(*keys)).accounts]


def warned(*keys):
    return configuration.warnings(read(accounts(*keys)), 0)


def found(*keys):
    return [each.partition("[[account]] ")[2] for each in faults(accounts(*keys))]


GROUP = 'quota_group = "tenant"\n'


def test_quotas_of_an_account():
    both = 'quota = ["30 mails/1m", "10000 recipients/1d"]\nover_quota = "fallback"'
    (account,) = read(accounts(both)).accounts
    assert account.quota == (MINUTE, DAY)
    assert account.over_quota is OverQuota.FALLBACK


def test_accounts_of_a_group_have_the_quotas_that_one_of_them_has():
    assert quotas(GROUP, GROUP + 'quota = ["30 mails/1m"]', "", GROUP) == [
        (MINUTE,),
        (MINUTE,),
        (),
        (MINUTE,),
    ]


def test_the_same_may_be_written_in_several_in_any_order():
    one = GROUP + 'quota = ["30 mails/1m", "10000 recipients/24h"]'
    other = GROUP + 'quota = ["10000 recipients/1d", "30 mails/60s"]'
    assert quotas(one, other) == [(MINUTE, DAY)] * 2


def test_different_ones_are_a_fault():
    one = GROUP + 'quota = ["30 mails/1m"]'
    other = GROUP + 'quota = ["31 mails/1m"]'
    assert found(one, other, GROUP + "quota = []") == [
        f'"{name}", quota: differs from that of "A", with which it is shared (quota_group); write'
        " the same in both, or leave it out here"
        for name in "BC"
    ]


@pytest.mark.parametrize("more", ["", "quota = []\n"])
def test_a_group_without_quotas_is_a_fault(more):
    assert found(GROUP + more, GROUP) == [
        '"A", quota_group: no account of "tenant" has a quota; write quota in one of them'
    ]


def test_a_quota_that_is_a_fault_is_told_once():
    assert len(found(GROUP + 'quota = ["many"]', GROUP)) == 1


def test_groups_are_apart():
    other = 'quota_group = "other"\nquota = ["10000 recipients/1d"]'
    assert quotas(GROUP + 'quota = ["30 mails/1m"]', other, GROUP, 'quota_group = "other"') == [
        (MINUTE,),
        (DAY,),
        (MINUTE,),
        (DAY,),
    ]


def test_a_written_quota_comes_before_that_of_a_preset(monkeypatch):
    known(monkeypatch, quota=["10000 recipients/1d"])
    from_preset = GROUP + 'preset = "known"\n'
    assert quotas(from_preset, from_preset) == [(DAY,)] * 2
    assert (
        quotas(from_preset, from_preset + 'quota = ["30 mails/1m"]', from_preset) == [(MINUTE,)] * 3
    )


# Warnings.


def test_a_group_of_one_is_warned_of():
    assert warned(GROUP + 'quota = ["30 mails/1m"]') == [
        (
            '[[account]] "A", quota_group: no other account is in "tenant", so nothing is shared;'
            " write the same in the others, or leave it out"
        )
    ]


def test_groups_of_two_are_not():
    assert warned(GROUP + 'quota = ["30 mails/1m"]', GROUP) == []


FALLBACK = 'over_quota = "fallback"\nquota = ["30 mails/1m"]\n'


@pytest.mark.parametrize(
    "keys",
    [
        [FALLBACK],
        [FALLBACK + "fallback = []", ""],
        ["", FALLBACK],
        [FALLBACK, 'recipients = "*@x.example"'],
        [FALLBACK, "enabled = false"],
        [FALLBACK + 'fallback = ["B"]', "enabled = false", ""],
    ],
)
def test_a_fallback_for_the_quota_that_nobody_is(keys):
    (warning,) = [each for each in warned(*keys) if "over_quota" in each]
    assert warning.endswith(
        'over_quota: is "fallback", but no other account can take its mail, so that waits; name one'
        " in fallback"
    )


@pytest.mark.parametrize(
    "keys",
    [
        [FALLBACK, ""],
        [FALLBACK + 'fallback = ["B"]', 'recipients = "*@x.example"'],
        [FALLBACK + "enabled = false", 'recipients = "*@x.example"'],
        ['quota = ["30 mails/1m"]'],
    ],
)
def test_a_fallback_for_the_quota_that_somebody_is(keys):
    assert warned(*keys) == []
