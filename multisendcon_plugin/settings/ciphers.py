"""The TLS ciphers that are used by default, with clients and servers, as OpenSSL cipher lists.

They apply to TLS 1.2 and older; all ciphers of TLS 1.3 are strong.  Pure.
"""

from __future__ import annotations

#: Forward secrecy and authenticated encryption (RFC 9325 section 4.2).
STRONG = "ECDHE+AESGCM:ECDHE+CHACHA20"


def with_certificates(words: str) -> bytes:
    """Return a cipher list without those that use no certificate.

    With them OpenSSL would not call our verification, whatever `tls_verify` says.
    """
    return f"{words}:!aNULL:!eNULL:!PSK:!SRP".encode("ascii")
