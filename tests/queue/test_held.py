from __future__ import annotations

from multisendcon_plugin.queue.held import HeldContent


def read_all(content):
    pieces = []
    while piece := content.read():
        pieces.append(piece)
    return b"".join(pieces)


def test_what_is_kept_is_read_back_by_each_delivery():
    held = HeldContent()
    held.keep(1, b"content", deliveries=2)
    assert read_all(held.open(1)) == b"content"
    assert read_all(held.open(1)) == b"content"


def test_it_is_kept_until_the_last_delivery_has_let_go():
    held = HeldContent()
    held.keep(1, b"content", deliveries=2)
    held.let_go(1)
    assert held.open(1) is not None
    held.let_go(1)
    assert held.open(1) is None


def test_what_is_being_read_is_read_to_its_end_also_when_it_is_let_go():
    held = HeldContent()
    held.keep(1, b"content", deliveries=1)
    content = held.open(1)
    held.let_go(1)
    assert read_all(content) == b"content"


def test_nothing_comes_after_close():
    held = HeldContent()
    held.keep(1, b"content", deliveries=1)
    content = held.open(1)
    content.close()
    content.close()
    assert content.read() == b""


def test_what_does_not_fit_is_not_kept_and_room_comes_back():
    held = HeldContent(limit=10)
    held.keep(1, b"123456", deliveries=1)
    held.keep(2, b"12345", deliveries=1)
    held.keep(3, b"1234", deliveries=1)
    assert [held.open(number) is not None for number in (1, 2, 3)] == [True, False, True]
    held.let_go(1)
    held.keep(4, b"123456", deliveries=1)
    assert held.open(4) is not None


def test_letting_go_of_what_is_not_kept_gives_no_room():
    held = HeldContent(limit=10)
    held.keep(1, b"123456", deliveries=1)
    held.let_go(1)
    held.let_go(1)
    held.let_go(2)
    held.keep(3, b"12345678901", deliveries=1)
    assert held.open(3) is None


def test_nothing_is_kept_for_nobody():
    held = HeldContent()
    held.keep(1, b"content", deliveries=0)
    assert held.open(1) is None
