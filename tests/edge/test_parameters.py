from __future__ import annotations

import pytest

from multisendcon_plugin.edge.parameters import (
    Chunk,
    ForwardPath,
    ReversePath,
    read_bdat,
    read_mail,
    read_rcpt,
)
from multisendcon_plugin.mail.dsn import Notify, Return
from multisendcon_plugin.mail.reply import ReplyError


def refusal(read, *args, **kwargs):
    with pytest.raises(ReplyError) as refused:
        read(*args, **kwargs)
    reply = refused.value.reply
    assert reply.text.isprintable()
    return f"{reply.code} {reply.enhanced}"


@pytest.mark.parametrize(
    ("argument", "path"),
    [
        (b"FROM:<a@b>", ReversePath(address="a@b")),
        (b"from: <a@b>", ReversePath(address="a@b")),
        (b"From:a@b", ReversePath(address="a@b")),
        (b"FROM:<>", ReversePath(address="")),
        (b"FROM:<@x,@y:a@b>", ReversePath(address="a@b")),
        (b'FROM:<"a > b"@c>', ReversePath(address='"a > b"@c')),
        (b"FROM:<a@b> SIZE=123", ReversePath(address="a@b", size=123)),
        (b"FROM:<a@b> size=123", ReversePath(address="a@b", size=123)),
        (b"FROM:<a@b> SIZE=" + b"9" * 20, ReversePath(address="a@b", size=10**20 - 1)),
        (b"FROM:<a@b>   SIZE=1  BODY=7BIT ", ReversePath(address="a@b", size=1)),
        (b"FROM:<a@b> BODY=8bitmime", ReversePath(address="a@b", eight_bit=True)),
        (b"FROM:<a@b> SMTPUTF8", ReversePath(address="a@b", utf8=True)),
        ("FROM:<ä@ö> smtputf8".encode(), ReversePath(address="ä@ö", utf8=True)),
        (b"FROM:<> SMTPUTF8 SIZE=5", ReversePath(address="", utf8=True, size=5)),
        (b"FROM:<a@b> RET=full", ReversePath(address="a@b", returns=Return.FULL)),
        (b"FROM:<a@b> RET=HDRS", ReversePath(address="a@b", returns=Return.HEADER)),
        (b"FROM:<a@b> ENVID=a+2Bb", ReversePath(address="a@b", envelope_id="a+2Bb")),
        (b"FROM:<a@b> ENVID=" + b"x" * 5000, ReversePath(address="a@b", envelope_id="x" * 5000)),
        (b"FROM:<a@b> ENVID=a+2b", ReversePath(address="a@b", envelope_id="a+2B")),
        (b"FROM:<a@b> ENVID=QQ==", ReversePath(address="a@b", envelope_id="QQ+3D+3D")),
        (b"FROM:<a@b> ENVID=a+ SIZE=1", ReversePath(address="a@b", size=1, envelope_id="a+2B")),
    ],
)
def test_mail_is_read(argument, path):
    assert read_mail(argument) == path


@pytest.mark.parametrize(
    ("argument", "reply"),
    [
        (b"", "501 5.5.4"),
        (b"<a@b>", "501 5.5.4"),
        (b"TO:<a@b>", "501 5.5.4"),
        (b"FROM <a@b>", "501 5.5.4"),
        (b"FROM:", "501 5.1.7"),
        (b"FROM:<a@b", "501 5.1.7"),
        (b"FROM:<a@b>SIZE=1", "501 5.1.7"),
        (b"FROM:<a>", "501 5.1.7"),
        (b"FROM:<a@b> <c@d>", "501 5.5.4"),
        (b'FROM:<"a\nRCPT TO:<e@x>"@b>', "501 5.1.7"),
        (b'FROM:<"a\x07"@b>', "501 5.1.7"),
        (b'FROM:<"a\\\x00"@b>', "501 5.1.7"),
        (b"FROM:<a@b> SIZE=1\x0bBODY=7BIT", "501 5.1.7"),
        (b"FROM:<a@b>\tSIZE=1", "501 5.1.7"),
        (b"FROM:<\xff@b> SMTPUTF8", "501 5.1.7"),
        (b"FROM:<a@b> SIZE", "501 5.5.4"),
        (b"FROM:<a@b> SIZE=", "501 5.5.4"),
        (b"FROM:<a@b> SIZE=-1", "501 5.5.4"),
        (b"FROM:<a@b> SIZE=1k", "501 5.5.4"),
        (b"FROM:<a@b> SIZE=" + b"9" * 21, "501 5.5.4"),
        (b"FROM:<a@b> SIZE=1 SIZE=1", "501 5.5.4"),
        (b"FROM:<a@b> BODY", "501 5.5.4"),
        (b"FROM:<a@b> BODY=BINARYMIME", "501 5.5.4"),
        (b"FROM:<a@b> SMTPUTF8=yes", "501 5.5.4"),
        ("FROM:<a@b> SIZE=1 ä".encode(), "501 5.5.4"),
        (b"FROM:<a@b> -X", "501 5.5.4"),
        (b"FROM:<a@b> RET", "501 5.5.4"),
        (b"FROM:<a@b> RET=ALL", "501 5.5.4"),
        (b"FROM:<a@b> ENVID", "501 5.5.4"),
        (b"FROM:<a@b> ENVID=", "501 5.5.4"),
        (b"FROM:<a@b> SIZE==1", "501 5.5.4"),
        (b"FROM:<a@b> FOO=a=b", "555 5.5.4"),
        (b"FROM:<a@b> ENVID=a+0D+0ASubject:", "501 5.5.4"),
        (b"FROM:<a@b> ENVID=a+7F", "501 5.5.4"),
        (b"FROM:<a@b> ENVID=a+C4", "501 5.5.4"),
        ("FROM:<a@b> ENVID=ä SMTPUTF8".encode(), "501 5.5.4"),
        ("FROM:<a@b> SIZE=\u0661 SMTPUTF8".encode(), "501 5.5.4"),
        (b"FROM:<a@b> SIZE=1 AUTH=<>", "555 5.5.4"),
        ("FROM:<ä@b>".encode(), "553 5.6.7"),
        ("FROM:<a@ö> SIZE=1".encode(), "553 5.6.7"),
    ],
)
def test_mail_is_refused(argument, reply):
    assert refusal(read_mail, argument) == reply


@pytest.mark.parametrize("value", [b"<>", b"joe+40x.example"])
def test_where_clients_may_log_in_they_may_say_who_has_before(value):
    path = ReversePath(address="a@b", size=5)
    assert read_mail(b"FROM:<a@b> AUTH=%s SIZE=5" % value, auth=True) == path
    assert refusal(read_mail, b"FROM:<a@b> AUTH=%s" % value) == "555 5.5.4"
    assert refusal(read_mail, b"FROM:<a@b> AUTH", auth=True) == "501 5.5.4"


@pytest.mark.parametrize(
    ("argument", "chunk"),
    [
        (b"5", Chunk(5, last=False)),
        (b"5 LAST", Chunk(5, last=True)),
        (b"5  last", Chunk(5, last=True)),
        (b"0", Chunk(0, last=False)),
        (b"007\tLAST", Chunk(7, last=True)),
        (b"9" * 20, Chunk(10**20 - 1, last=False)),
        (b"5 FIRST", Chunk(5, last=None)),
        (b"5 LAST LAST", Chunk(5, last=None)),
        (b"5 6", Chunk(5, last=None)),
    ],
)
def test_bdat_is_read(argument, chunk):
    assert read_bdat(argument) == chunk


@pytest.mark.parametrize(
    "argument",
    [
        *(b"", b"LAST", b"LAST 5", b"-5", b"+5", b"5LAST", b"0x5", b"5.0", b"5,000", b"1_0"),
        *(b"9" * 21, b"9" * 5000, "٥".encode(), b"\xb2"),
    ],
)
def test_a_chunk_may_have_no_length(argument):
    assert read_bdat(argument) is None


@pytest.mark.parametrize(
    ("argument", "utf8", "address"),
    [
        (b"TO:<a@b>", False, "a@b"),
        (b"to: a@b", False, "a@b"),
        (b"TO:<PostMaster>", False, "postmaster"),
        (b"TO:<a@[IPv6:::1]>", False, "a@[IPv6:::1]"),
        ("TO:<ä@ö>".encode(), True, "ä@ö"),
    ],
)
def test_rcpt_is_read(argument, utf8, address):
    assert read_rcpt(argument, utf8=utf8) == ForwardPath(address)


@pytest.mark.parametrize(
    ("argument", "path"),
    [
        (b"NOTIFY=NEVER", ForwardPath("a@b", Notify.NEVER)),
        (b"notify=Success,failure", ForwardPath("a@b", Notify.SUCCESS | Notify.FAILURE)),
        (b"NOTIFY=DELAY", ForwardPath("a@b", Notify.DELAY)),
        (b"ORCPT=rfc822;x+2By@b", ForwardPath("a@b", None, "rfc822;x+2By@b")),
        (
            "ORCPT=utf-8;ä@b NOTIFY=DELAY".encode(),
            ForwardPath("a@b", Notify.DELAY, "utf-8;ä@b"),
        ),
        (b"ORCPT=rfc822;" + b"x" * 5000, ForwardPath("a@b", None, "rfc822;" + "x" * 5000)),
        (b"ORCPT=rfc822;a=b", ForwardPath("a@b", None, "rfc822;a+3Db")),
        (b"ORCPT=rfc822;x+2by@b", ForwardPath("a@b", None, "rfc822;x+2By@b")),
        (b"ORCPT=rfc822;joe+tag@b", ForwardPath("a@b", None, "rfc822;joe+2Btag@b")),
    ],
)
def test_what_a_sender_wants_to_be_told_is_read(argument, path):
    assert read_rcpt(b"TO:<a@b> " + argument, utf8=True) == path


@pytest.mark.parametrize(
    ("argument", "utf8", "reply"),
    [
        (b"", True, "501 5.5.4"),
        (b"FROM:<a@b>", True, "501 5.5.4"),
        (b"TO:<>", True, "501 5.1.3"),
        (b"TO:<a>", True, "501 5.1.3"),
        (b'TO:<"a\r\nDATA"@b>', True, "501 5.1.3"),
        (b'TO:<"\x1b[2J"@b>', True, "501 5.1.3"),
        (b'TO:<"\x7f"@b>', True, "501 5.1.3"),
        ('TO:<"\x85"@b>'.encode(), True, "501 5.1.3"),
        ("TO:<a\u2028b@c>".encode(), True, "501 5.1.3"),
        (b"TO:<a@b> NOTIFY", True, "501 5.5.4"),
        (b"TO:<a@b> NOTIFY=,", True, "501 5.5.4"),
        (b"TO:<a@b> NOTIFY=ALWAYS", True, "501 5.5.4"),
        (b"TO:<a@b> NOTIFY=NEVER,DELAY", True, "501 5.5.4"),
        (b"TO:<a@b> ORCPT", True, "501 5.5.4"),
        (b"TO:<a@b> ORCPT=a@b", True, "501 5.5.4"),
        (b"TO:<a@b> ORCPT=rfc822;", True, "501 5.5.4"),
        (b"TO:<a@b> ORCPT=rfc822;a+0Ab", True, "501 5.5.4"),
        ("TO:<a@b> ORCPT=utf-8;ä@b".encode(), False, "501 5.5.4"),
        ("TO:<a@b> ORCPT=utf-8;ä\u2028@b".encode(), True, "501 5.5.4"),
        (b"TO:<a@b> ORCPT=utf-8;\xe4@b", True, "501 5.5.4"),
        (b"TO:<a@b> SIZE=1", True, "555 5.5.4"),
        (b"TO:<a@b> <c@d>", True, "501 5.5.4"),
        ("TO:<ä@ö>".encode(), False, "553 5.6.7"),
    ],
)
def test_rcpt_is_refused(argument, utf8, reply):
    assert refusal(read_rcpt, argument, utf8=utf8) == reply
