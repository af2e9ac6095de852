from __future__ import annotations

import pytest

from multisendcon_plugin.settings.password import SALT_SIZE, PasswordHash
from tests.configuration.examples import HASH

SALT = "MDEyMzQ1Njc4OWFiY2RlZg"
DIGEST = "A" * 43


def written(ln=15, r=8, p=1, salt=SALT, digest=DIGEST):
    return f"$scrypt$ln={ln},r={r},p={p}${salt}${digest}"


def test_only_the_password_matches():
    made = PasswordHash.of("pass wörd".encode(), b"s" * SALT_SIZE)
    again = PasswordHash.parse(made.text())
    assert again == made
    assert again.matches("pass wörd".encode())
    assert not again.matches(b"pass word")
    assert not again.matches(b"")


def test_the_test_vector_of_rfc_7914():
    digest = bytes.fromhex(
        "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2"
        "d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887"
    )
    made = PasswordHash(salt=b"SodiumChloride", digest=digest, cost=14)
    assert PasswordHash.parse(made.text()).matches(b"pleaseletmein")


def test_its_cost_is_the_one_that_is_written():
    parsed = PasswordHash.parse(written(ln=14, r=9, p=2))
    assert (parsed.cost, parsed.block_size, parsed.parallelism) == (14, 9, 2)


def test_neither_salt_nor_digest_is_shown():
    made = PasswordHash.parse(HASH)
    assert "salt" not in repr(made)
    assert "digest" not in repr(made)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is no hash of scrypt"),
        ("hunter2", "is no hash of scrypt"),
        ("$2b$12$abcdefghijklmnopqrstuv", "is no hash of scrypt"),
        (written().replace("scrypt", "scrypt2"), "is no hash of scrypt"),
        (written(digest=DIGEST + "="), "is no hash of scrypt"),
        (written(ln=13), "is too weak"),
        (written(r=7), "is too weak"),
        (written(p=0), "is too weak"),
        (written(ln=19), "costs too much"),
        (written(ln=99), "costs too much"),
        (written(p=9), "costs too much"),
        (written(salt="AAAA"), "of the wrong length"),
        (written(salt="AAAAA"), "base64"),
        (written(digest="AAAA"), "of the wrong length"),
        (written(digest="A" * 200), "of the wrong length"),
    ],
)
def test_what_is_no_hash_is_refused(text, why):
    with pytest.raises(ValueError, match=why):
        PasswordHash.parse(text)
