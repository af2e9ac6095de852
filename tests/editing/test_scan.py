"""What ``tomllib`` reads is taken to pieces, and each piece means by itself what it means there."""

from __future__ import annotations

import tomllib

from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from multisendcon_plugin.editing.blocks import blocks_of
from multisendcon_plugin.editing.scan import Item, Kind, decoded, nodes, scan
from multisendcon_plugin.editing.secrets import masked
from tests.editing.texts import texts

MARKS = st.sampled_from(
    [
        "'",
        '"',
        "'''",
        '"""',
        "[",
        "]",
        "{",
        "}",
        "#",
        "\\",
        "\n",
        "\r\n",
        "=",
        ".",
        ",",
        " ",
        "a",
        "1",
    ]
)


def read(text):
    try:
        return tomllib.loads(text)
    except ValueError:
        return None


@st.composite
def spoiled(draw):
    """Return a text with characters that came or went anywhere."""
    text = draw(texts()).text
    for mark in draw(st.lists(MARKS, max_size=3)):
        place = draw(st.integers(0, len(text)))
        text = text[:place] + mark + text[place + draw(st.integers(0, 3)) :]
    return text


def value_of(document, path):
    for step in path:
        document = document[step]
    return document


@settings(max_examples=200)
@example("a = \"\"\"\"x\"\"\"\"\"\nb = '''''x'''''\n")
@example("a = 1979-05-27 07:32:00 # x\n")
@example('a = """\\\\"""\n"" = \'\'\n')
@example("a = [ # ]\n ']', [\"]\"], { b = '}' } ]\n")
@given(spoiled())
def test_each_value_is_where_it_is_said_to_be(text):
    meant = read(text)
    assume(meant is not None)
    for block in blocks_of(text):
        for entry in block.entries:
            path = (*block.path, *entry.keys)
            whole = value_of(meant, path)
            for inside, place in ((), entry.value), *nodes(text, entry.value):
                written = tomllib.loads(f"x = {text[place.start : place.end]}")["x"]
                assert repr(written) == repr(value_of(whole, inside))
                if isinstance(written, str):
                    assert decoded(text[place.start : place.end]) == written


@settings(max_examples=200)
@given(st.one_of(spoiled(), st.text()))
def test_any_text_is_taken_to_pieces_and_masked(text):
    items = list(scan(text, lenient=True))
    assert "".join(text[each.start : each.end] for each in items) == text
    assert all(each.start <= each.stop <= each.end for each in items)
    masked(text)


def test_an_item_ends_before_the_space_behind_it():
    text = "a = [\n] # x  \r\n \n[b]\t\n# c \n"
    assert list(scan(text)) == [
        Item(Kind.ENTRY, 0, 11, 15, ("a",), (4, 7)),
        Item(Kind.BLANK, 15, 15, 17),
        Item(Kind.HEADER, 17, 20, 22, ("b",)),
        Item(Kind.COMMENT, 22, 25, 27),
    ]
