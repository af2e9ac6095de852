"""What `[web]` allows although its author can hardly mean it."""

from __future__ import annotations

import pytest

from multisendcon_plugin import configuration
from multisendcon_plugin.configuration.web_risks import web_warnings
from multisendcon_plugin.settings.admins import Admins
from multisendcon_plugin.settings.names import network
from multisendcon_plugin.settings.web import WebSettings
from tests.configuration.examples import bound, document, read

SOMEBODY = Admins("/etc/admins", {})


def of(users=SOMEBODY, **keys):
    return list(web_warnings(WebSettings(users=users, **keys)))


def test_what_is_usual_is_no_risk():
    assert of() == []


def test_a_page_at_which_nobody_can_sign_in():
    text = bound(document("web", listen='["tcp:port=2580:interface=127.0.0.1"]'))
    told = [each for each in configuration.warnings(read(text), 0) if "[web]" in each]
    (warning,) = told
    assert warning.startswith("[web], users: is not set, so nobody can sign in; name a file")


@pytest.mark.parametrize(
    "listen",
    [
        "tcp:2580",
        "tcp:port=2580",
        "tcp:port=2580:interface=192.0.2.1",
        r"tcp6:2580",
        r"tcp6:port=2580:interface=2001\:db8\:\:1",
    ],
)
def test_passwords_in_the_clear(listen):
    (warning,) = of(listen=("tcp:port=2580:interface=127.0.0.1", listen))
    shown = listen.replace("\\", "\\\\") if "\\\\" in warning else listen
    assert warning.startswith(f'[web], listen: "{shown}" is reached from other machines without')


@pytest.mark.parametrize(
    "listen",
    [
        "tcp:port=2580:interface=127.0.0.2",
        r"tcp6:port=2580:interface=\:\:1",
        "ssl:port=2580:privateKey=k.pem:certKey=c.pem",
        "unix:/run/page",
        "systemd:domain=INET:index=0",
    ],
)
def test_passwords_that_are_not_in_the_clear(listen):
    assert of(listen=(listen,)) == []


def test_everybody_a_proxy():
    (warning,) = of(proxies=(network("192.0.2.0/24"), network("::/0")), user_header="X-User")
    assert warning.startswith(
        '[web], proxies: "::/0" is everyone, so whoever can reach the page may say in X-User who'
    )


def test_a_file_of_admins_that_others_can_read(tmp_path):
    tmp_path.chmod(0o700)
    file = tmp_path / "admins"
    file.write_text("ann:*:view\n")
    file.chmod(0o644)
    text = bound(document("web", users=f'"{file}"'))
    told = configuration.warnings(configuration.parse(text), 0)
    assert f"{file}: readable by everyone on this machine; run chmod o= on it" in told
    file.chmod(0o600)
    told = configuration.warnings(configuration.parse(text), 0)
    assert not [each for each in told if str(file) in each]
