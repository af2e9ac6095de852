"""What takes longer than mail should wait is done in threads: long forms, and long pages."""

from __future__ import annotations

import pytest

from tests.operations.paper import TEXT
from tests.page.visitor import Editor


@pytest.fixture
def editor(monkeypatch):
    editor = Editor()
    resource = editor.site.resource
    original, editor.threads = resource._in_thread, []

    def in_thread(function, *arguments):
        editor.threads.append(getattr(function, "__name__", ""))
        return original(function, *arguments)

    monkeypatch.setattr(resource, "_in_thread", in_thread)
    return editor


def checked(editor, text):
    form = editor.get("/configuration").form("Check")
    editor.threads.clear()
    return editor.send(form, "Check", text=text.replace("\n", "\r\n"), check="yes")


def test_a_long_form_is_read_in_a_thread(editor):
    page = checked(editor, TEXT + "# long\n" * 10_000)
    assert page.status == 200
    assert editor.threads == ["form", "<lambda>"]


def test_a_short_one_is_read_at_once(editor):
    page = checked(editor, TEXT)
    assert page.status == 200
    assert editor.threads == ["<lambda>"]


def test_short_pages_are_made_at_once(editor):
    editor.threads.clear()
    assert editor.get("/explain").status == 200
    assert editor.threads == []


def test_a_form_that_is_too_long_is_refused(editor):
    page = checked(editor, "a" * 8 * 1024 * 1024)
    assert page.status == 413
