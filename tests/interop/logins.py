"""What a relay needs for STARTTLS and AUTH: a certificate and a file of users."""

from __future__ import annotations

from multisendcon_plugin.settings.password import PasswordHash
from multisendcon_plugin.testing import Authority
from tests.interop.relay import Relay

USERNAME, PASSWORD = "joe", "pass wörd"


def offer_logins(folder, masks=""):
    """Return the settings of `[master_relay]`, and the file of the certificate's authority.

    :param masks: the senders of the user, with commas; none: every sender.
    """
    authority = Authority()
    certificate, key = authority.server_pem(Relay.address)
    pem, users = folder / "relay.pem", folder / "users"
    pem.write_bytes(certificate + key)
    fields = [USERNAME, PasswordHash.of(PASSWORD.encode(), b"salt" * 4).text()]
    users.write_text(":".join([*fields, masks][: 2 + bool(masks)]) + "\n")
    for file in (pem, users):
        file.chmod(0o600)
    ca = authority.write(folder / "authority.pem")
    return f'tls_certificate = "{pem}"\nusers = "{users}"', ca
