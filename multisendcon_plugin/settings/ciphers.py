"""Which ciphers of TLS are used, on both sides, as OpenSSL's lists of them.  Pure.

They decide on TLS 1.2 and older; those of TLS 1.3 are sound, all of them.
"""

from __future__ import annotations

#: Fresh keys for each session, so that a key that is stolen later opens none of them, and octets
#: that nobody can change unseen (RFC 9325 section 4.2).
SOUND = "ECDHE+AESGCM:ECDHE+CHACHA20"


def with_certificates(words: str) -> bytes:
    """Return a list without the ciphers that know no certificates: nobody would be verified.

    OpenSSL would never ask us then whether the server is the right one, whatever `tls_verify` says.
    """
    return f"{words}:!aNULL:!eNULL:!PSK:!SRP".encode("ascii")
