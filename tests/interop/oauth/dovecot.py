"""Dovecot's submission service: a mail server of others that takes tokens, on loopback only.

It asks the OpenID provider about each token, and hands what it takes on to a provider of ours,
which counts it.  It runs with a view of the file system in which it is installed: it need only have
been unpacked.
"""

from __future__ import annotations

import re

from multisendcon_plugin.testing import Authority
from tests.interop.programs import UNPACKED, Program, free_port, program

#: Users that every system has: it insists on different ones for its parts.
_INTERNAL, _LOGIN, _MAIL = "daemon", "nobody", "mail"

_CONFIGURATION = """
base_dir = {folder}/run
state_dir = {folder}/state
protocols = submission
listen = {address}
log_path = {folder}/dovecot-own.log
hostname = {address}
default_internal_user = {internal}
default_internal_group = {internal}
default_login_user = {login}
default_process_limit = 1000
default_client_limit = 4000
default_vsz_limit = 0

ssl = required
ssl_cert = <{folder}/dovecot.pem
ssl_key = <{folder}/dovecot.key
disable_plaintext_auth = yes

# Nobody is slowed down: what is refused is refused at once.
auth_failure_delay = 0
mail_max_userip_connections = 0
service anvil {{
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}

auth_mechanisms = xoauth2 oauthbearer
passdb {{
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = {folder}/oauth2.conf
}}
userdb {{
  driver = static
  args = uid={mail} gid={mail} home={folder}/mail/%u
}}
mail_location = maildir:{folder}/mail/%u
first_valid_uid = 1
first_valid_gid = 1

submission_relay_host = {relay_host}
submission_relay_port = {relay_port}
service submission-login {{
  service_count = 0
  inet_listener submission {{
    port = {port}
  }}
}}
"""
_TOKENS = """
introspection_mode = post
introspection_url = {introspection}
username_attribute = mailbox
active_attribute = active
active_value = true
openid_configuration_url = {issuer}/.well-known/openid-configuration
"""
_LOGGED_IN = re.compile(r"submission-login: Info: Login: user=<([^>]*)>, method=(\w+),.*\bTLS\b")
_REFUSED = re.compile(r"submission-login: Info: .*auth failed.*method=(\w+)")


class Dovecot(Program):
    """The server.

    :param openid: knows the tokens.
    :param behind: has `address` and `port`, and gets all mail.
    :ivar ca: the file with the authority that signed its certificate.
    """

    address = "127.0.2.7"

    def __init__(self, folder, openid, behind):
        super().__init__("dovecot", folder)
        self.port = free_port(self.address)
        self.folder.chmod(0o755)  # its users have to find the way
        authority = Authority()
        self.ca = authority.write(self.folder / "dovecot-ca.pem")
        for name, octets in zip(("pem", "key"), authority.server_pem(self.address), strict=True):
            file = self.folder / f"dovecot.{name}"
            file.write_bytes(octets)
            file.chmod(0o600)
        own = self.folder / "mail"
        own.mkdir()
        own.chmod(0o777)
        self._configuration = self.folder / "dovecot.conf"
        self._configuration.write_text(
            _CONFIGURATION.format(
                folder=self.folder,
                address=self.address,
                port=self.port,
                relay_host=behind.address,
                relay_port=behind.port,
                internal=_INTERNAL,
                login=_LOGIN,
                mail=_MAIL,
            )
        )
        (self.folder / "oauth2.conf").write_text(
            _TOKENS.format(introspection=openid.introspection, issuer=openid.url)
        )
        self._own_log = self.folder / "dovecot-own.log"
        self._own_log.touch()

    def command(self):
        view = f"mount -t overlay overlay -o 'lowerdir={UNPACKED}/usr:/usr' /usr"
        server = f"exec /usr/sbin/dovecot -F -c '{self._configuration}'"
        return [program("unshare"), "--mount", "sh", "-c", f"{view} && {server}"]

    def start(self):
        super().start()
        self.listens_at((self.address, self.port), greets=True)

    def last_words(self):
        return super().last_words() + self._own_log.read_text(errors="replace")[-2000:]

    def logins(self):
        """Return the users who have logged in, and by what, in order; none without TLS counts."""
        return _LOGGED_IN.findall(self._own_log.read_text(errors="replace"))

    def refusals(self):
        """Return by what mechanisms logins were refused, in order."""
        return _REFUSED.findall(self._own_log.read_text(errors="replace"))
