"""The page Configuration: the text of the file, with its faults, and saved in two steps."""

from __future__ import annotations

import pytest
from twisted.internet.defer import fail, succeed

from multisendcon_plugin.configuration import ReloadSummary
from multisendcon_plugin.errors import ConfigurationError
from multisendcon_plugin.page.fault_lines import LineFault, excerpts, in_lines
from multisendcon_plugin.settings.admins import Role
from tests.operations.paper import TEXT, Paper
from tests.page.hostile import HOSTILE, is_harmless
from tests.page.visitor import Editor

OTHER = TEXT.replace('"mail.lab.example"', '"mx.lab.example"')
FAULTY = TEXT.replace('server = "mail.lab.example"', 'server = "no server"\nprot = 25')


@pytest.fixture
def editor():
    return Editor()


def text_of(page):
    return page.form("Check").fields["text"][0].replace("\r\n", "\n")


def masked(text):
    return text.replace("s3cret", "********")


def typed(editor, text, button="Save", page=None, **fields):
    page = page or editor.get("/configuration")
    return editor.send(page.form("Check"), button, text=text.replace("\n", "\r\n"), **fields)


def test_it_shows_the_text_without_its_secrets(editor):
    page = editor.get("/configuration")
    assert text_of(page) == masked(TEXT)
    assert "s3cret" not in page.html
    assert page.form("Save").fields["hash"] == [editor.paper.hash]
    assert "/etc/multisendcon.toml" in page.words


def test_who_may_not_change_it_reads_it():
    editor = Editor(Role.OPERATE)
    page = editor.get("/configuration")
    assert page.buttons == {"Sign out"}
    (area,) = [found for tag, found in page.tags if tag == "textarea"]
    assert "readonly" in area
    assert masked(TEXT) in page.html.replace("&#34;", '"')
    token = page.form("Sign out").fields["token"][0]
    answer = editor.ask("POST", "/configuration", f"token={token}&text=a&hash=b".encode())
    assert answer.status == 403
    assert editor.ask("POST", "/configuration/reload", f"token={token}".encode()).status == 403


def test_it_is_saved_when_the_difference_was_seen(editor):
    page = typed(editor, masked(OTHER))
    assert page.status == 200
    assert editor.paper.written == []
    assert "<ins><bdi>+server = &#34;mx.lab.example&#34;</bdi></ins>" in page.html
    assert "<dt>Changed accounts</dt><dd><bdi>Lab</bdi>" in page.html
    assert [found for _, found in page.tags if found.get("role") == "dialog"]
    page = editor.send(page.form("Save"), "Save")
    assert editor.paper.written == [OTHER]
    assert editor.paper.held == OTHER
    assert "Saved: the configuration" in page.said
    assert "changed accounts: Lab" in page.said
    assert text_of(page) == masked(OTHER)


def test_a_text_that_is_changed_after_that_is_shown_once_more(editor):
    page = typed(editor, masked(OTHER))
    page = editor.send(page.form("Save"), "Save", text=masked(TEXT).replace("\n", "\r\n") + "# new")
    assert editor.paper.written == []
    assert "+# new" in page.html


def test_a_check_writes_nothing_and_asks_nothing(editor):
    page = typed(editor, masked(OTHER), "Check", check="yes")
    assert "Checked: no faults" in page.words
    assert not [found for _, found in page.tags if found.get("role") == "dialog"]
    # Also when it is checked again.
    page = typed(editor, masked(OTHER), "Check", page, check="yes")
    assert editor.paper.written == []


def test_faults_are_beside_their_lines_and_the_text_stays(editor):
    page = typed(editor, masked(FAULTY))
    assert page.status == 422
    assert text_of(page) == masked(FAULTY)
    line = FAULTY.split("\n").index("prot = 25") + 1
    assert f"#line-{line}" in page.links
    assert [found for _, found in page.tags if found.get("id") == f"line-{line}"]
    assert "did you mean port?" in page.words
    assert editor.paper.written == []


def test_what_is_no_toml_stays_too(editor):
    page = typed(editor, masked(TEXT) + "x = [")
    assert page.status == 422
    assert "is not TOML" in page.words
    assert text_of(page).endswith("x = [")


def test_a_mask_where_no_secret_was_is_told(editor):
    page = typed(editor, masked(TEXT) + 'password = "********"\n')
    assert page.status == 422
    assert "write the secret itself" in page.said


@pytest.mark.parametrize("step", [1, 2])
def test_a_file_that_was_changed_meanwhile_is_not_overwritten(editor, step):
    page = editor.get("/configuration")
    if step == 2:
        page = typed(editor, masked(OTHER), page=page)
    theirs = TEXT.replace("# Ours.", "# Theirs.")
    editor.paper.text = theirs
    page = typed(editor, masked(OTHER), page=page)
    assert page.status == 409
    assert editor.paper.written == []
    assert text_of(page) == masked(OTHER)
    assert "# Theirs." in page.words
    assert "<del><bdi>-# Theirs.</bdi></del>" in page.html
    assert "s3cret" not in page.html
    # Whoever has seen both may save theirs.
    page = editor.send(page.form("Save"), "Save")
    page = editor.send(page.form("Save"), "Save")
    assert editor.paper.written == [OTHER]


def test_a_file_that_is_changed_at_the_last_moment_is_not_overwritten(editor):
    page = typed(editor, masked(OTHER))
    editor.paper.meanwhile = lambda: setattr(editor.paper, "text", "# Theirs.\n" + TEXT)
    page = editor.send(page.form("Save"), "Save")
    assert page.status == 409
    assert editor.paper.written == []
    assert text_of(page) == masked(OTHER)


def test_what_is_confirmed_is_about_the_file_that_was_looked_at(editor):
    page = editor.get("/configuration")
    editor.paper.meanwhile = lambda: setattr(editor.paper, "text", "# Theirs.\n" + TEXT)
    page = typed(editor, masked(OTHER), page=page)
    assert page.status == 200
    page = editor.send(page.form("Save"), "Save")
    assert page.status == 409
    assert editor.paper.written == []


def test_what_the_relay_does_not_go_on_with_is_told(editor):
    page = typed(editor, masked(OTHER))
    editor.paper.refuses = ConfigurationError(["port 25 is in use"])
    page = editor.send(page.form("Save"), "Save")
    assert page.status == 422
    assert "port 25 is in use" in page.words
    assert editor.paper.text == TEXT
    assert text_of(page) == masked(OTHER)


def test_a_file_that_differs_from_what_runs_can_be_loaded():
    paper = Paper()
    summary = ReloadSummary(changed=("Lab",), tables=("log",), warnings=("mind this",))
    editor = Editor(paper=paper, reload=lambda: succeed(summary))
    assert "Reload" not in editor.get("/configuration").buttons
    paper.text = OTHER
    page = editor.get("/configuration")
    assert "+server = " in page.html
    page = editor.send(page.form("Reload"), "Reload")
    assert "Reloaded: the configuration" in page.said
    for each in (
        "changed accounts: Lab",
        "changed tables: log",
        "warning of the whole configuration: mind this",
    ):
        assert each in page.said


def test_a_file_with_faults_is_shown_with_them():
    paper = Paper()
    error = ConfigurationError(["a fault"])
    editor = Editor(paper=paper, reload=lambda: fail(error))
    paper.text = FAULTY
    page = editor.get("/configuration")
    assert "did you mean port?" in page.words
    page = editor.send(page.form("Reload"), "Reload")
    assert "a fault" in page.said
    assert text_of(page) == masked(FAULTY)


def test_lines_end_as_they_do_in_the_file():
    paper = Paper(TEXT.replace("\n", "\r\n"))
    editor = Editor(paper=paper)
    page = typed(editor, masked(OTHER))
    editor.send(page.form("Save"), "Save")
    assert paper.written == [OTHER.replace("\n", "\r\n")]


@pytest.mark.parametrize("text", [each for each in HOSTILE if "\x00" not in each])
def test_what_others_have_written_is_text(text):
    quoted = text.replace("'", "")
    paper = Paper(TEXT.replace('"Lab"', f"'{quoted}'").replace("# Ours.", f"# {text}"))
    editor = Editor(paper=paper)
    page = editor.get("/configuration")
    assert is_harmless(page)
    assert text_of(page) == masked(paper.text)
    page = typed(editor, masked(paper.text).replace("mail.lab", text.replace('"', "")))
    assert is_harmless(page)
    paper.text = paper.text.replace("# Who sells.", f"# {text}")
    assert is_harmless(editor.get("/configuration"))
    assert is_harmless(typed(editor, masked(OTHER), page=page))


def test_the_lines_of_faults_are_found():
    assert in_lines(
        ["/a, b, line 7, [x], y: z", "/a, b: all of it", "/a, b, [x]: z", "other"], "/a, b"
    ) == (
        LineFault(7, "[x], y: z"),
        LineFault(None, "all of it"),
        LineFault(None, "[x]: z"),
        LineFault(None, "other"),
    )


def test_lines_that_are_close_are_shown_together():
    text = "\n".join(f"line {number}" for number in range(1, 31))
    found = excerpts(text, [LineFault(each, "") for each in (1, 5, 20, 99, None, 30)])
    assert [(each.lines[0], each.lines[-1][0]) for each in found] == [
        ((1, "line 1"), 7),
        ((18, "line 18"), 22),
        ((28, "line 28"), 30),
    ]
    assert [set(each.faulty) for each in found] == [{1, 5}, {20}, {30}]
    assert excerpts(text, []) == ()
