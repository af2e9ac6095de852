"""What TLS with a server came to, as reports of it count (RFC 8460 section 4.3).  Pure values."""

from __future__ import annotations

import enum

import attrs


class TlsResult(enum.StrEnum):
    """A kind of failure, by its name in a report."""

    # Of a session.
    STARTTLS_NOT_SUPPORTED = "starttls-not-supported"
    CERTIFICATE_HOST_MISMATCH = "certificate-host-mismatch"
    CERTIFICATE_EXPIRED = "certificate-expired"
    CERTIFICATE_NOT_TRUSTED = "certificate-not-trusted"
    VALIDATION_FAILURE = "validation-failure"
    # Of a policy.
    TLSA_INVALID = "tlsa-invalid"
    DNSSEC_INVALID = "dnssec-invalid"
    STS_POLICY_FETCH_ERROR = "sts-policy-fetch-error"
    STS_POLICY_INVALID = "sts-policy-invalid"
    STS_WEBPKI_INVALID = "sts-webpki-invalid"

    @property
    def of_policy(self) -> bool:
        """It is the policy that cannot be used, and no session that has failed."""
        return self.value.startswith(("tlsa-", "dnssec-", "sts-"))


@attrs.frozen
class TlsFinding:
    """What is wrong.

    :param text: the same for people.
    """

    result: TlsResult
    text: str
