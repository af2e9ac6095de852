"""A test whose program is missing, or lacks something, is skipped with the name of that."""

from __future__ import annotations

import os
import shutil

import pytest

from tests.interop import programs

SWAKS = """
=== AUTH CRAM-MD5 supported
=== Basic AUTH supported, but missing optimizing MIME::Base64
*** MX Routing not available: requires Net::DNS
=== TLS supported
"""
SMALL_SWAKS = """
*** AUTH CRAM-MD5 not available: requires Digest::MD5
=== Basic AUTH supported
*** TLS not available: requires Net::SSLeay, Net::SSLeay::X509
"""
CURL = """
curl 8.5.0 (x86_64-pc-linux-gnu) libcurl/8.5.0 OpenSSL/3.0.13
Protocols: dict file ftp ftps http https imap imaps pop3 pop3s smtp smtps tftp
Features: alt-svc SSL
"""
CURL_WITHOUT_TLS = CURL.replace("smtps ", "").replace(" SSL", "")
CURL_FOR_THE_WEB = "curl 8.5.0\nProtocols: http https\nFeatures: SSL\n"
MSMTP = """
msmtp version 1.8.23
TLS/SSL library: GnuTLS
Supported authentication methods:
plain scram-sha-1 cram-md5 login
"""
MSMTP_WITHOUT_TLS = MSMTP.replace("GnuTLS", "none")
MSMTP_WITHOUT_PLAIN = MSMTP.replace("\nplain", "\nexplained")


@pytest.fixture
def install(monkeypatch, tmp_path):
    """Install a program that says something; no others are found."""
    monkeypatch.setattr(programs, "_SEARCHED", str(tmp_path))
    monkeypatch.delenv("CI", raising=False)
    programs.said.cache_clear()

    def install(name, says):
        (tmp_path / f"{name}.txt").write_text(says)
        path = tmp_path / name
        path.write_text(f"#!/bin/sh\nexec /bin/cat '{path}.txt' >&2\n")
        path.chmod(0o755)

    yield install
    programs.said.cache_clear()


def skipped(*names):
    """Return why a test with these needs is skipped; None: it is not."""
    mark = programs.needs(*names).mark
    return mark.kwargs["reason"] if mark.args[0] else None


@pytest.mark.parametrize(
    ("name", "says", "missing"),
    [
        ("swaks TLS", SWAKS, None),
        ("swaks TLS", SMALL_SWAKS, "Net::SSLeay, Net::SSLeay::X509 for swaks TLS"),
        ("swaks logins", SWAKS, None),
        ("swaks logins", "something else", "swaks logins"),
        ("swaks CRAM-MD5", SWAKS, None),
        ("swaks CRAM-MD5", SMALL_SWAKS, "Digest::MD5 for swaks CRAM-MD5"),
        ("curl smtp", CURL, None),
        ("curl smtp", CURL_WITHOUT_TLS, None),
        ("curl smtp", CURL_FOR_THE_WEB, "curl smtp"),
        ("curl smtps", CURL, None),
        ("curl smtps", CURL_WITHOUT_TLS, "curl smtps"),
        ("curl smtps", CURL_FOR_THE_WEB, "curl smtps"),
        ("msmtp TLS", MSMTP, None),
        ("msmtp TLS", MSMTP_WITHOUT_TLS, "msmtp TLS"),
        ("msmtp PLAIN", MSMTP, None),
        ("msmtp PLAIN", MSMTP_WITHOUT_PLAIN, "msmtp PLAIN"),
        ("node nodemailer", "", None),
        ("node nodemailer", "Error: Cannot find module", "node nodemailer"),
        ("smtpd OpenSMTPD", "version: OpenSMTPD 6.8.0p2", None),
        (
            "smtpd OpenSMTPD",
            "usage: smtpd [options]",
            "smtpd OpenSMTPD",
        ),
        ("unshare --kill-child", " --kill-child[=<signame>]", None),
        ("unshare --kill-child", "BusyBox", "unshare --kill-child"),
    ],
)
def test_what_a_program_lacks(install, name, says, missing):
    install(name.split()[0], says)
    assert skipped(name) == (missing and f"not installed: {missing}")


def test_what_is_missing_is_named_once(install):
    install("curl", CURL)
    assert skipped("curl smtp", "curl smtps") is None
    assert skipped("swaks TLS", "curl smtps", "swaks logins", "msmtp") == (
        "not installed: swaks, msmtp"
    )


def test_in_ci_nothing_is_skipped(install, monkeypatch):
    monkeypatch.setenv("CI", "true")
    assert skipped("swaks TLS") is None


@pytest.mark.skipif(shutil.which("swaks") is None, reason="not installed: swaks")
@pytest.mark.parametrize(
    ("module", "name"), [("Net::SSLeay", "swaks TLS"), ("Digest::MD5", "swaks CRAM-MD5")]
)
def test_the_modules_that_the_real_swaks_lacks(monkeypatch, tmp_path, module, name):
    path = tmp_path.joinpath(*module.split("::")).with_suffix(".pm")
    path.parent.mkdir()
    path.write_text("die 'it is hidden';")
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setenv("PERL5LIB", os.pathsep.join([str(tmp_path), os.environ.get("PERL5LIB", "")]))
    programs.said.cache_clear()
    assert skipped("swaks", name) == f"not installed: {module} for {name}"
    programs.said.cache_clear()
