"""What is read from the lines of a server's reply."""

from __future__ import annotations

import pytest

from multisendcon_plugin.mail.reply import LONGEST_TEXT, Reply


@pytest.mark.parametrize(
    ("code", "lines", "enhanced", "text"),
    [
        (250, [], "", ""),
        (250, [b"2.1.5 taken"], "2.1.5", "taken"),
        (250, [b"2.1.5"], "2.1.5", ""),
        (550, [b"2.1.5 of another class"], "", "2.1.5 of another class"),
        (550, [b"5.1.1 nobody", b"5.1.1 here"], "5.1.1", "nobody\nhere"),
        (
            550,
            [b"refused", b"5.1.1 nobody here", b"5.7.1 or not"],
            "5.1.1",
            "refused\nnobody here\nor not",
        ),
        (550, [b"a\0\x1b\tb", b"\xff"], "", "a b\n\\xff"),
        (550, [b"5.1.1 " + b"a" * 3000], "5.1.1", "a" * LONGEST_TEXT),
        (550, [b"a" * 1500, b"b" * 1500], "", "a" * 1500 + "\n" + "b" * (LONGEST_TEXT - 1501)),
    ],
)
def test_the_lines_of_a_reply_are_read(code, lines, enhanced, text):
    assert Reply.parse(code, lines) == Reply(code, enhanced, text)
