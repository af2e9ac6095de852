"""The file of those who may use the page."""

from __future__ import annotations

import pytest

from multisendcon_plugin.settings.admins import Role, parse_admins
from multisendcon_plugin.settings.password import PasswordHash
from multisendcon_plugin.settings.words import InvalidValueError

HASH = PasswordHash(salt=b"s" * 16, digest=b"d" * 32).text()


def test_each_line_is_somebody():
    text = f"# ours\n\nAnn:{HASH}:configure\n bob \n".replace(" bob \n", f"bob:{HASH}: view \n")
    admins = parse_admins("/etc/admins", f"{text}proxied:*:operate\n")
    assert admins.named("ann") == admins.named("ANN") != admins.named("bob")
    assert [admins.named(each).role for each in ("ann", "bob", "proxied")] == [
        Role.CONFIGURE,
        Role.VIEW,
        Role.OPERATE,
    ]
    assert admins.named("proxied").password is None
    assert admins.named("eve") is None
    assert len(admins.passwords) == 2
    assert HASH not in repr(admins)
    assert "digest" not in repr(admins.named("ann"))


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("ann", "it is not NAME:HASH:ROLE"),
        (f"ann:{HASH}", "it is not NAME:HASH:ROLE"),
        (f"ann:{HASH}:view:view", "it is not NAME:HASH:ROLE"),
        (f"ann:{HASH}:", 'the role of "ann" is none of these: view, operate, configure'),
        (f"ann:{HASH}:admin", 'the role of "ann" is none of these'),
        (f"ann:{HASH}:View", 'the role of "ann" is none of these'),
        ("ann:hunter2:view", 'what follows "ann" is no hash of scrypt; make the line with'),
        ("ann::view", 'what follows "ann" is no hash of scrypt'),
        (f":{HASH}:view", '"" cannot be a name'),
        (f" ann:{HASH}:view", '" ann" cannot be a name'),
    ],
)
def test_a_line_that_is_nobody(line, why):
    with pytest.raises(InvalidValueError) as invalid:
        parse_admins("/etc/admins", f"bob:{HASH}:view\n{line}\n")
    (fault,) = invalid.value.args
    assert fault.startswith('the file "/etc/admins", line 2: ')
    assert why in fault
    assert "hunter2" not in fault


def test_nobody_is_there_twice_nor_nobody_at_all():
    with pytest.raises(InvalidValueError, match='line 2: "ANN" is already on an earlier line'):
        parse_admins("/etc/admins", f"ann:{HASH}:view\nANN:{HASH}:configure\n")
    with pytest.raises(InvalidValueError, match="contains no user; make the line with"):
        parse_admins("/etc/admins", "# nobody\n")


@pytest.mark.parametrize("role", Role)
def test_a_role_includes_those_before_it(role):
    order = [Role.VIEW, Role.OPERATE, Role.CONFIGURE]
    assert [role.includes(each) for each in order] == [
        order.index(each) <= order.index(role) for each in order
    ]
