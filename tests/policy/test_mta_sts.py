"""What a domain publishes for MTA-STS, and how it is read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multisendcon_plugin.policy.mta_sts import (
    LONGEST,
    MOST_OCTETS,
    Mode,
    PolicyError,
    StsPolicy,
    policy_id,
    read_policy,
)

# The record.


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["v=STSv1; id=20160831085700Z;"], "20160831085700Z"),
        (["v=STSv1;id=1"], "1"),
        (["v=STSv1 ; \t id=1 ; "], "1"),
        (["v=STSv1; id=1; other=a/b"], "1"),
        (["v=STSv1; other=x; id=1"], "1"),
        (["v=STSv1; id=1; id=2"], "1"),
        (["v=spf1 -all", "v=STSv1; id=1"], "1"),
        # Of which nobody knows what it means.
        ([], None),
        (["v=spf1 -all"], None),
        (["v=STSv1; id=1", "v=STSv1; id=2"], None),
        (["v=STSv1; id=1", "v=STSv1; id=1"], None),
        (["v=STSv1"], None),
        (["v=STSv1;"], None),
        (["v=STSv1; other=1"], None),
        (["v=STSv1; id="], None),
        (["v=STSv1; id=a-b"], None),
        (["v=STSv1; id=" + "a" * 33], None),
        (["v=STSv1; id=" + "a" * 32], "a" * 32),
        (["v=STSv1; id=1; nonsense"], None),
        (["v=STSv1; id=1;; other=2"], None),
        (["v=STSv1; id=1;;"], None),
        (["v=STSv1; id=1 2"], None),
        (["v=STSv1; id=1; a=b=c"], None),
        (["V=STSv1; id=1"], None),
        (["v=stsv1; id=1"], None),
        (["v=STSv12; id=1"], None),
        ([" v=STSv1; id=1"], None),
        (["id=1; v=STSv1"], None),
        (["v=STSv1; ID=1"], None),
        (["v=STSv1; id=1; h\u00e9=1"], None),
        (["v=STSv1; id=1\n"], None),
        (["v=STSv1; id=\u0661"], None),
    ],
)
def test_the_id_of_a_record(texts, expected):
    assert policy_id(texts) == expected


@given(st.lists(st.text(alphabet="vSTSid1=; \t\n\u00e9abc", max_size=40).map("v=STSv1;".__add__)))
def test_no_record_is_too_strange_for_an_id_of_32_letters_and_digits(texts):
    found = policy_id(texts)
    assert found is None or (found.isalnum() and found.isascii() and len(found) <= 32)


# The policy.

GOOD = """version: STSv1
mode: enforce
mx: mail.example.com
mx: *.example.net
mx: backupmx.example.com
max_age: 604800
"""
SHOUTED = """version: STSv1
mode: enforce
mx: MAIL.EXAMPLE.COM
mx: *.EXAMPLE.NET
mx: BackupMX.Example.Com
max_age: 604800
"""
IN_ANOTHER_ORDER = """max_age: 604800
mx: mail.example.com
mx: *.example.net
mode: enforce
mx: backupmx.example.com
version: STSv1
"""


def of(text):
    return read_policy(text.encode())


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        GOOD.replace("\n", "\r\n"),
        GOOD.rstrip("\n"),
        GOOD.replace(": ", ":"),
        GOOD.replace(": ", ": \t ").replace("\n", " \t\n"),
        GOOD.replace("\n", "\n\n"),
        SHOUTED,
        IN_ANOTHER_ORDER,
        GOOD + "mode: none\nmax_age: 1\nversion: STSv2\n",
        GOOD + "mx: Mail.Example.com\n",
        GOOD + "report-to: \u00fc\u20ac\U0001f600 any thing: at all\nx.y_z-1:\n",
    ],
)
def test_a_policy_may_be_written_in_several_ways(text):
    names = ("mail.example.com", "*.example.net", "backupmx.example.com")
    assert of(text) == StsPolicy(Mode.ENFORCE, names, 604800)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("version: STSv1\n", "", "it has no version: STSv1"),
        ("STSv1", "STSv2", "it has no version: STSv1"),
        ("version", "Version", "it has no version: STSv1"),
        ("version:", "version :", "its line 1 is no field and value"),
        ("enforce", "Enforce", "its mode is none of enforce, testing, none"),
        ("mode: enforce\n", "", "its mode is none of enforce, testing, none"),
        ("max_age: 604800\n", "", "its max_age is no number of seconds"),
        ("604800", "-1", "its max_age is no number of seconds"),
        ("604800", "1e3", "its max_age is no number of seconds"),
        ("604800", "12345678901", "its max_age is no number of seconds"),
        ("604800", "\u0661", "its max_age is no number of seconds"),
        ("mx: ", "x: ", "it names no mail server (mx)"),
        ("*.example.net", "a.*.example.net", "its line 4, mx, is no name of a host"),
        ("*.example.net", "*.*.example.net", "its line 4, mx, is no name of a host"),
        ("*.example.net", "*", "its line 4, mx, is no name of a host"),
        ("*.example.net", "*example.net", "its line 4, mx, is no name of a host"),
        ("*.example.net", "", "its line 4, mx, is no name of a host"),
        ("*.example.net", "b\u00fccher.example", "its line 4, mx, is no name of a host"),
        ("*.example.net", "-a.example", "its line 4, mx, is no name of a host"),
        ("*.example.net", "a" * 64 + ".example", "its line 4, mx, is no name of a host"),
        ("*.example.net", "a." * 127 + "aa", "its line 4, mx, is no name of a host"),
        ("*.example.net", "a.example b.example", "its line 4, mx, is no name of a host"),
        ("mode: enforce", "<html>", "its line 2 is no field and value"),
        ("mode: enforce", "mode: enforce\r", "its mode is none of"),
    ],
)
def test_a_policy_that_cannot_be_read_is_none(before, after, expected):
    assert before in GOOD
    text = GOOD.replace(before, after)
    if after.endswith("\r"):
        text = text.replace("\r\n", "\rx\n")
    with pytest.raises(PolicyError) as raised:
        of(text)
    assert str(raised.value).startswith(expected)


def test_a_policy_of_nothing_needs_no_mail_servers():
    assert of("version: STSv1\nmode: none\nmax_age: 0") == StsPolicy(Mode.NONE, (), 0)


def test_a_policy_is_kept_for_a_year_at_most():
    assert of(GOOD.replace("604800", "31557601")).max_age == LONGEST
    assert of(GOOD.replace("604800", "9999999999")).max_age == LONGEST
    assert of(GOOD.replace("604800", "31557600")).max_age == LONGEST


def test_a_policy_has_64_kib_at_most():
    room = MOST_OCTETS - len(GOOD) - len("x:\n")
    assert of(GOOD + "x:" + "a" * room + "\n") == of(GOOD)
    with pytest.raises(PolicyError, match="it is longer than 64 KiB"):
        of(GOOD + "x:" + "a" * (room + 1) + "\n")


@pytest.mark.parametrize("blanks", [" ", "\t", " \t"])
def test_a_policy_that_is_all_blanks_takes_no_longer_than_others(blanks):
    """Once, their number squared: seconds, in which nothing else was done."""
    text = blanks * (MOST_OCTETS // len(blanks) - len(GOOD))
    assert of(f"{GOOD}x: a{text[4:-2]}b\n") == of(GOOD)
    with pytest.raises(PolicyError):
        of(f"{GOOD}mx: a{text[5:-2]}b\n")


@given(st.binary(max_size=300) | st.text(alphabet="versionmdxag: STSv1\r\n*.e-_0").map(str.encode))
def test_whatever_is_sent_is_a_policy_or_none(octets):
    try:
        policy = read_policy(octets)
    except PolicyError:
        return
    assert read_policy("\n".join(policy.lines).encode()) == policy


labels = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?", fullmatch=True)
hosts = st.lists(labels, min_size=1, max_size=4).map(".".join)
patterns = st.builds(lambda star, host: ("*." if star else "") + host, st.booleans(), hosts)
policies = st.builds(
    StsPolicy,
    st.sampled_from((Mode.ENFORCE, Mode.TESTING)),
    st.lists(patterns, min_size=1, max_size=5, unique=True).map(tuple),
    st.integers(0, LONGEST),
)


@given(policies, st.sampled_from(("\n", "\r\n")))
def test_what_a_policy_says_is_read_as_it_is(policy, end):
    assert read_policy(end.join(policy.lines).encode()) == policy


# The names of mail servers (section 4.1).


@pytest.mark.parametrize(
    ("pattern", "host", "expected"),
    [
        ("mail.example.com", "mail.example.com", True),
        ("mail.example.com", "MAIL.Example.COM", True),
        ("mail.example.com", "mail.example.com.", True),
        ("mail.example.com", "mail2.example.com", False),
        ("mail.example.com", "x.mail.example.com", False),
        ("*.example.com", "mail.example.com", True),
        ("*.example.com", "MAIL.EXAMPLE.com", True),
        ("*.example.com", "example.com", False),
        ("*.example.com", "a.mail.example.com", False),
        ("*.example.com", ".example.com", False),
        ("*.example.com", "mailexample.com", False),
        ("*.com", "example.com", True),
        ("xn--bcher-kva.example", "xn--bcher-kva.example", True),
        ("localhost", "localhost", True),
        ("*.localhost", "localhost", False),
        ("mail.example.com", "", False),
    ],
)
def test_which_mail_servers_a_pattern_admits(pattern, host, expected):
    policy = of(f"version: STSv1\nmode: enforce\nmx: {pattern}\nmax_age: 1")
    assert policy.admits(host) is expected


@given(policies, hosts)
def test_a_star_stands_for_one_label(policy, host):
    _, _, parent = host.partition(".")
    plain = [p for p in policy.patterns if not p.startswith("*.")]
    stars = [p[2:] for p in policy.patterns if p.startswith("*.")]
    assert policy.admits(host) is (host in plain or (bool(parent) and parent in stars))
