"""Passwords of those who log in here, as scrypt hashes (RFC 7914) in one line of text.

The line is the PHC string that other programs know: ``$scrypt$ln=15,r=8,p=1$SALT$DIGEST``, both in
base64 without padding.  What the hash costs stands in it, so that new ones can cost more.  Pure.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re

import attrs

#: Octets of a new salt, and of a digest.
SALT_SIZE = 16
_DIGEST_SIZE = 32

_FORM = re.compile(
    r"\$scrypt\$ln=([0-9]{1,2}),r=([0-9]{1,2}),p=([0-9]{1,2})\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)"
)
#: Octets of memory for one hash.
_MOST_MEMORY = 256 * 1024 * 1024


@attrs.frozen(kw_only=True)
class PasswordHash:
    """A password that nobody can read.

    :param cost: the binary logarithm of scrypt's N.
    """

    salt: bytes = attrs.field(repr=False)
    digest: bytes = attrs.field(repr=False)
    cost: int = 15
    block_size: int = 8
    parallelism: int = 1

    @classmethod
    def of(cls, password: bytes, salt: bytes) -> PasswordHash:
        """Hash a new password.

        :param salt: `SALT_SIZE` random octets.
        """
        blank = cls(salt=salt, digest=bytes(_DIGEST_SIZE))
        return attrs.evolve(blank, digest=blank._hashed(password))

    @classmethod
    def parse(cls, text: str) -> PasswordHash:
        """Read what `text` wrote.

        :raise ValueError: it is something else, too weak, or would cost too much.
        """
        found = _FORM.fullmatch(text)
        if not found:
            raise ValueError("is no hash of scrypt")
        cost, block_size, parallelism = map(int, found.groups()[:3])
        memory = 128 * block_size << cost
        if cost < 14 or block_size < 8 or parallelism < 1:
            raise ValueError("is too weak")
        if memory > _MOST_MEMORY or parallelism > 8:
            raise ValueError("costs too much time or memory")
        salt, digest = (_decoded(part) for part in found.groups()[3:])
        if not (8 <= len(salt) <= 64 and 16 <= len(digest) <= 64):
            raise ValueError("has a salt or a digest of the wrong length")
        return cls(
            salt=salt, digest=digest, cost=cost, block_size=block_size, parallelism=parallelism
        )

    def text(self) -> str:
        """Return it as it stands in a file."""
        parameters = f"ln={self.cost},r={self.block_size},p={self.parallelism}"
        return f"$scrypt${parameters}${_encoded(self.salt)}${_encoded(self.digest)}"

    def matches(self, password: bytes) -> bool:
        """Tell whether it is this password; takes about 0.1 seconds of CPU."""
        return hmac.compare_digest(self._hashed(password), self.digest)

    def _hashed(self, password: bytes) -> bytes:
        n = 1 << self.cost
        return hashlib.scrypt(
            password,
            salt=self.salt,
            n=n,
            r=self.block_size,
            p=self.parallelism,
            maxmem=128 * self.block_size * (n + self.parallelism + 2),
            dklen=len(self.digest),
        )


def _encoded(octets: bytes) -> str:
    return base64.b64encode(octets).decode().rstrip("=")


def _decoded(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4))
