"""A real OpenID provider, npm's oidc-provider with a setup of the tests: see ``provider.mjs``."""

from __future__ import annotations

import collections
import json
import queue
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from tests.interop.programs import ROOT, program
from tests.interop.provider import ProviderProcess

SMTP_SEND = "https://outlook.office.com/SMTP.Send"
APPLICATION = "https://outlook.office365.com/.default"
GMAIL = "https://mail.google.com/"
#: Clients of the provider: with a certificate, and for people who sign in.  Those with a secret
#: are ``app-0`` and so on.
CERTIFIED, SIGNED_IN = "certified", "signed-in"
SERVICE_ACCOUNT = "relay@project.iam.gserviceaccount.example"
REFUSED = "refused"


class OpenIdProvider(ProviderProcess):
    """The provider.

    :param applications: clients that have a secret; one has one mailbox, of its own name.
    :ivar told: what has happened, in order.
    :ivar questions: the port at which mail servers ask about tokens.
    """

    address = "127.0.0.1"
    client_secret = "s3cret-of-the-application"

    def __init__(self, folder, applications=1):
        super().__init__(folder, self.address)
        self._folder = folder
        self._applications = applications
        self.told = []
        self._answers = queue.Queue()
        self.certificate, self.key = folder / "client.pem", folder / "client.key"
        self.service_account_key = folder / "service-account.json"

    def command(self):
        return [program("node"), str(ROOT / "tests/interop/oauth/provider.mjs")]

    def __enter__(self):
        self._log = (self._folder / "openid.log").open("ab")
        setup = self._setup()
        self._begin(stderr=self._log)
        self._write(setup)
        ready = self._answer()
        self.port, self.questions = ready["port"], ready["questions"]
        self.service_account_key.write_text(json.dumps(self._service_account()))
        return self

    def __exit__(self, *exc_info):
        super().__exit__(*exc_info)
        self._log.close()

    # Where things are.

    @property
    def url(self):
        return f"http://{self.address}:{self.port}"

    @property
    def introspection(self):
        """Where a mail server asks about tokens."""
        return f"http://mail-server:introspects@{self.address}:{self.questions}/token/introspection"

    # Orders.

    def set(self, **changes):
        """Change its behaviour; see ``state`` in ``provider.mjs``."""
        self._ask("set", changes)

    def revoke(self, kind):
        """Revoke all tokens of a kind, "access" or "refresh"; return how many."""
        return self._ask("revoke", kind)

    def _ask(self, order, argument):
        self._write([order, argument])
        return self._answer()["answer"]

    def _answer(self):
        fields = self._answers.get(timeout=60)
        if fields is None:
            raise RuntimeError(f"it has ended: {(self._folder / 'openid.log').read_text()[-2000:]}")
        return fields

    def _write(self, line):
        self._process.stdin.write(json.dumps(line).encode() + b"\n")
        self._process.stdin.flush()

    # What has happened.

    def _read(self):
        super()._read()
        self._answers.put(None)

    def _take(self, fields):
        if fields["what"] in ("ready", "done"):
            self._answers.put(fields)
        else:
            self.told.append(fields)

    def granted(self, client=None):
        """Count by grant how often a token was given out."""
        return collections.Counter(
            each["grant"]
            for each in list(self.told)
            if each["what"] == "granted" and client in (None, each["client"])
        )

    def denied(self):
        """Return the errors that were answered."""
        return [each["error"] for each in list(self.told) if each["what"] == "denied"]

    def requests(self, path):
        """Count what was asked for at a path."""
        return sum(each.get("path") == path for each in list(self.told))

    # Setup.

    def _setup(self):
        key = rsa.generate_private_key(65537, 2048)
        self._service_key = rsa.generate_private_key(65537, 2048)
        self.certificate.write_bytes(_certificate(key))
        self.key.write_bytes(_private(key))
        for file in (self.certificate, self.key):
            file.chmod(0o600)
        return {
            "applications": self._applications,
            "client_secret": self.client_secret,
            "certificate": self.certificate.read_text(),
            "service_account": {
                "email": SERVICE_ACCOUNT,
                "key": _private(self._service_key).decode(),
            },
            "scopes": [SMTP_SEND, APPLICATION, GMAIL],
            "redirect_uris": ["http://127.0.0.1", "http://127.0.0.1/"],
        }

    def _service_account(self):
        """Return the key as Google's console gives it out."""
        return {
            "type": "service_account",
            "project_id": "project",
            "private_key_id": "1",
            "private_key": _private(self._service_key).decode(),
            "client_email": SERVICE_ACCOUNT,
            "client_id": "1",
            "auth_uri": f"{self.url}/auth",
            "token_uri": f"{self.url}/service-accounts/token",
        }


def _private(key):
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _certificate(key):
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "relay.example.com")])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=90))
        .not_valid_after(now + timedelta(days=90))
    )
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)
