"""Whatever a text looks like: an edit changes what is meant, and not a character beside it."""

from __future__ import annotations

import tomllib
from itertools import takewhile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from multisendcon_plugin.editing import draft, edits
from multisendcon_plugin.editing.blocks import blocks_of, groups_of
from multisendcon_plugin.editing.scan import scan
from tests.editing.texts import texts

NEW_VALUES = st.sampled_from(
    [
        *("plain", "q\"u\\o'te", "ä€", "", "[[account]]", "# no comment"),
        *(1, 2.5, True, ["a"], ["*@x.example", "new"], [], [[1]]),
        {"file": "x"},
        {"env": "A", "b c": ["d"]},
    ]
)


@pytest.fixture(params=[draft.READ_AS_A_WHOLE, 0], ids=["whole", "parts"], autouse=True)
def reads(request, monkeypatch):
    """Have the proof read the whole text, or what changes, as it does in long ones."""
    monkeypatch.setattr(draft, "READ_AS_A_WHOLE", request.param)


def alike(one, other):
    """Return how many characters two texts begin with that are the same."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def kept(before, after):
    """Return how many characters stay, if the change is in one place."""
    above = alike(before, after)
    return above + min(len(before) - above, alike(before[above:][::-1], after[above:][::-1]))


def written_lines(text):
    return sorted(line for line in text.splitlines() if line.strip())


def bare_line_ends(text):
    return text.replace("\r\n", "").count("\n")


@settings(max_examples=60)
@given(texts())
def test_blocks_are_all_of_a_text_and_are_tables_by_themselves(made):
    text = made.text
    items = list(scan(text))
    assert "".join(text[each.start : each.end] for each in items) == text
    blocks = blocks_of(text)
    assert "".join(text[each.start : each.end] for each in blocks) == text
    groups = [group for group in groups_of(blocks) if group.path[:1] == ("account",)]
    whole = tomllib.loads(text).get("account", [])
    assert [tomllib.loads(text[each.start : each.end])["account"][0] for each in groups] == whole
    for group, part in zip(groups, made.accounts, strict=True):
        assert text[group.start : group.stop].startswith(part.text)


@settings(max_examples=60)
@given(texts(), st.data())
def test_a_value_of_an_account_changes_alone(made, data):
    text = made.text
    if not made.names:
        return
    number = data.draw(st.integers(0, len(made.names) - 1))
    meant = tomllib.loads(text)
    table = meant["account"][number]
    key = data.draw(st.sampled_from([*table, "new"]))
    value = data.draw(st.one_of(NEW_VALUES, st.none())) if key != "name" else "Renamed"
    if value is None:
        table.pop(key, None)
    else:
        table[key] = value
    result = edits.with_values(text, ("account", made.names[number]), {key: value})
    assert tomllib.loads(result) == meant
    groups = groups_of(blocks_of(text))
    group = next(each for each in groups if each.path == ("account", number))
    assert result.startswith(text[: group.start])
    assert result.endswith(text[group.stop :])
    written = [
        entry
        for block in group.blocks
        for entry in block.entries
        if (*block.path, *entry.keys)[2] == key
    ]
    if not written and not isinstance(value, dict):
        assert kept(text, result) == len(text)
    elif len(written) == 1:
        assert result.startswith(text[: written[0].start])
        assert result.endswith(text[written[0].end :])
    if "\r\n" in text:
        assert bare_line_ends(result) == 0


@settings(max_examples=60)
@given(texts(), st.data())
def test_values_of_a_table_inside_of_another_change(made, data):
    if not made.names:
        return
    name = data.draw(st.sampled_from(made.names))
    values = {"provider": "google", "client_secret": data.draw(st.sampled_from(["n", None]))}
    meant = tomllib.loads(made.text)
    table = meant["account"][made.names.index(name)].setdefault("oauth2", {})
    for key, value in values.items():
        table.pop(key, None) if value is None else table.update({key: value})
    result = edits.with_values(made.text, ("account", name, "oauth2"), values)
    assert tomllib.loads(result) == meant
    lines = set(made.text.splitlines())
    assert len([line for line in result.splitlines() if line not in lines]) <= 5


@settings(max_examples=60)
@given(texts(), st.sampled_from(["delivery", "metrics", "alarm"]), NEW_VALUES)
def test_a_table_is_changed_or_made(made, name, value):
    meant = tomllib.loads(made.text)
    meant.setdefault(name, {})["port"] = value
    was_there = f"\n[{name}]" in f"\n{made.text}"
    result = edits.with_values(made.text, (name,), {"port": value})
    assert tomllib.loads(result) == meant
    if not was_there:
        assert kept(made.text, result) == len(made.text)
    if "\r\n" in made.text:
        assert bare_line_ends(result) == 0


@settings(max_examples=60)
@given(texts(), st.data())
def test_an_account_comes_and_goes_and_nothing_is_left_of_it(made, data):
    before = data.draw(st.sampled_from([None, *made.names]))
    values = {"name": "New", "server": "x", "senders": ["*@x"], "oauth2": {"provider": "google"}}
    meant = tomllib.loads(made.text)
    place = made.names.index(before) if before else len(made.names)
    meant.setdefault("account", []).insert(place, values)
    result = edits.with_account(made.text, values, before)
    assert tomllib.loads(result) == meant
    assert kept(made.text, result) == len(made.text)
    assert tomllib.loads(edits.without_account(result, "New")) == tomllib.loads(made.text)
    for part in made.parts:
        assert part.text.strip() in result


@settings(max_examples=60)
@given(texts(), st.data())
def test_an_account_goes_with_its_comment(made, data):
    if not made.names:
        return
    name = data.draw(st.sampled_from(made.names))
    meant = tomllib.loads(made.text)
    del meant["account"][made.names.index(name)]
    if not meant["account"]:
        del meant["account"]
    result = edits.without_account(made.text, name)
    assert tomllib.loads(result) == meant
    for part in made.parts:
        if part.name != name:
            assert part.text.strip() in result


@settings(max_examples=60)
@given(texts(), st.data())
def test_accounts_change_places_with_all_that_belongs_to_them(made, data):
    names = data.draw(st.permutations(made.names))
    meant = tomllib.loads(made.text)
    if names:
        meant["account"] = [meant["account"][made.names.index(name)] for name in names]
    result = edits.in_order(made.text, names)
    assert tomllib.loads(result) == meant
    assert written_lines(result) == written_lines(made.text)
    texts_of = {part.name: part.text.strip() for part in made.accounts}
    places = [result.index(texts_of[name]) for name in names]
    assert places == sorted(places)
    others = [each for each in groups_of(blocks_of(made.text)) if each.path[:1] != ("account",)]
    assert all(made.text[each.start : each.stop] in result for each in others)
    back = edits.in_order(result, made.names)
    assert back.split() == made.text.split()
