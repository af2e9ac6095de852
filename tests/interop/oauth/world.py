"""Accounts that log in by token, the provider of the tokens, and the server that they are for."""

from __future__ import annotations

import os

import pytest

from tests.interop.programs import needs

NEEDED = [
    needs("node oidc-provider", "dovecot", "mount", "unshare"),
    pytest.mark.skipif(os.getuid() != 0, reason="Dovecot is started as root only"),
]
