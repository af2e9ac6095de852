"""What a relay needs for STARTTLS and AUTH: a certificate and a file of users."""

from __future__ import annotations

from multisendcon_plugin.password import PasswordHash
from multisendcon_plugin.testing import Authority
from tests.interop.relay import Relay

USERNAME, PASSWORD = "joe", "pass wörd"


def offer_logins(folder):
    """Return the settings of `[master_relay]`, and the file of the certificate's authority."""
    authority = Authority()
    certificate, key = authority.server_pem(Relay.address)
    pem, users = folder / "relay.pem", folder / "users"
    pem.write_bytes(certificate + key)
    users.write_text(f"{USERNAME}:{PasswordHash.of(PASSWORD.encode(), b'salt' * 4).text()}\n")
    for file in (pem, users):
        file.chmod(0o600)
    ca = authority.write(folder / "authority.pem")
    return f'tls_certificate = "{pem}"\nusers = "{users}"', ca
