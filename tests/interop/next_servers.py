"""Mail servers of others behind the relay: Debian's Exim and OpenSMTPD, on loopback addresses only.

Each takes mail for everybody but `REFUSED` and `DEFERRED`, and puts it into files.  The names of
their users are built in, and so are most of OpenSMTPD's files: each server is started with a view
of the file system in which these are the test's.  Nothing of the system's is read or changed, and
the programs may have been unpacked from their packages without being installed.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import rsa

from multisendcon_plugin.testing import Authority
from tests.interop.logins import PASSWORD, USERNAME
from tests.interop.programs import Program, free_port, program, run

#: Local parts of recipients, and what they are answered with.
REFUSED, REFUSAL = "nobody", "550 5.1.1 no such person"
DEFERRED, DEFERRAL = "later", "451 4.2.0 come back later"
#: The most recipients that a server takes in one transaction.
MOST_RECIPIENTS = 10
#: Users, with groups of the same names, that only the servers see.
_USERS = {"Debian-exim": 64001, "opensmtpd": 64002, "opensmtpq": 64003}


class _NextServer(Program):
    """A server; see the module.

    :ivar port: without TLS at first.
    :ivar implicit_port: TLS from the start.
    :ivar ca: the file with the authority that signed its certificate.
    """

    #: The program, the user that writes the mails, and where it listens.
    name: str
    user: str
    address: str
    #: What the name of a mail's file begins with when the mail is whole, below `mails`.
    whole: str
    #: The field that names whom a file is for.
    for_whom: bytes
    #: How it notes a command that it was told.
    told: str
    offers_smtputf8 = True
    #: Its configuration file.
    CONFIGURATION: str

    def __init__(self, folder):
        super().__init__(self.name, folder)
        self.folder.chmod(0o755)  # its users have to find the way
        self.port, self.implicit_port = free_port(self.address), free_port(self.address)
        authority = Authority()
        self.ca = authority.write(self.folder / "authority.pem")
        # OpenSMTPD before 7 has no keys of elliptic curves.
        key = rsa.generate_private_key(65537, 2048)
        self.certificate, self.key = self.folder / "server.pem", self.folder / "server.key"
        for file, octets in zip(
            (self.certificate, self.key), authority.server_pem(self.address, key=key), strict=True
        ):
            file.write_bytes(octets)
            file.chmod(0o600)
        self.mails = self._own_folder("mails")
        self._binds = [(self._with_users(file), file) for file in ("/etc/passwd", "/etc/group")]
        self.configuration = self.folder / "server.conf"

    def _with_users(self, file):
        """Return a file of users or groups with ours in it."""
        rest = ":{0}::/:/bin/false" if file == "/etc/passwd" else ":"
        lines = [f"{name}:x:{number}{rest.format(number)}\n" for name, number in _USERS.items()]
        others = [
            line
            for line in Path(file).read_text().splitlines(keepends=True)
            if line.partition(":")[0] not in _USERS
        ]
        own = self.folder / Path(file).name
        own.write_text("".join([*others, *lines]))
        return own

    def _own_folder(self, name):
        folder = self.folder / name
        folder.mkdir()
        os.chown(folder, _USERS[self.user], _USERS[self.user])
        return folder

    def configure(self, **more):
        """Write its configuration.

        :param more: values of its own.
        """
        text = self.CONFIGURATION.format(
            server=self,
            most=MOST_RECIPIENTS,
            refused=REFUSED,
            refusal=REFUSAL,
            deferred=DEFERRED,
            deferral=DEFERRAL,
            username=USERNAME,
            **more,
        )
        self.configuration.write_text(text, "utf-8")

    def privately(self, *command, also=()):
        """Return a command line for which the users exist.

        :param also: further shell commands that change what it sees.
        """
        binds = [f"mount --bind '{own}' '{file}'" for own, file in self._binds]
        script = " && ".join([*binds, *also, 'exec "$@"'])
        return [program("unshare"), "--mount", "sh", "-c", script, "sh", *map(str, command)]

    def has_tls(self):
        """Tell whether this version has working TLS."""
        return True

    def start(self):
        super().start()
        for port in (self.port, self.implicit_port):
            self.listens_at((self.address, port))

    def commands(self):
        """Return the lines that it was told, without content, as it has noted them."""
        return re.findall(self.told, self.log.read_text("latin-1"), re.MULTILINE)

    def copies(self):
        """Return for each recipient the contents that are here, with lines ended by CRLF."""
        copies = {}
        for file in self.mails.rglob(f"{self.whole}*"):
            content = file.read_bytes()
            header, _, _ = content.partition(b"\n\n")
            (addresses,) = re.findall(
                rb"^%b: (.*(?:\n\s.*)*)" % self.for_whom, header, re.MULTILINE
            )
            for recipient in re.split(r",\s*", addresses.decode()):
                copies.setdefault(recipient, []).append(content.replace(b"\n", b"\r\n"))
        return copies


class Exim(_NextServer):
    """Exim; it offers whatever an ESMTP server can."""

    name, user, address = "exim4", "Debian-exim", "127.0.2.5"
    whole, for_whom = "q", b"Envelope-to"
    told = r"SMTP<< (.*)"

    CONFIGURATION = """
primary_hostname = exim.example.com
spool_directory = {spool}
log_file_path = {spool}/%slog
pid_file_path = {spool}/pid
exim_path = {program}
keep_environment =
host_lookup =
rfc1413_query_timeout = 0s
local_interfaces = <; {server.address}.{server.port}; {server.address}.{server.implicit_port}
tls_on_connect_ports = {server.implicit_port}
tls_certificate = {server.certificate}
tls_privatekey = {server.key}
smtputf8_advertise_hosts = *
dsn_advertise_hosts = *
message_size_limit = 50M
recipients_max = {most}
acl_smtp_rcpt = recipients
acl_smtp_data = acl_of_all
deliver_drop_privilege = true

begin acl
acl_of_all:
  accept
recipients:
  deny   local_parts = {refused}
         message = {refusal}
  defer  local_parts = {deferred}
         message = {deferral}
  accept

begin routers
all:
  driver = accept
  transport = files

begin transports
files:
  driver = appendfile
  directory = {server.mails}
  user = {server.user}
  batch_max = 1000
  envelope_to_add

begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_advertise_condition = ${{if def:tls_in_cipher}}
  server_condition = ${{if and {{{{eq{{$auth2}}{{{username}}}}}{{eq{{$auth3}}{{{password}}}}}}}}}
  server_set_id = $auth2
"""

    def __init__(self, folder):
        super().__init__(folder)
        for file in (self.certificate, self.key):
            os.chown(file, _USERS[self.user], _USERS[self.user])
        self.configure(
            spool=self._own_folder("spool"), program=program(self.name), password=PASSWORD
        )

    def command(self):
        # In the foreground, delivering at once, and noting the dialogue.
        return self.privately(
            program(self.name), "-C", self.configuration, "-bdf", "-d-all+receive"
        )


class OpenSmtpd(_NextServer):
    """OpenSMTPD: one recipient to a file; PIPELINING, CHUNKING and SMTPUTF8 are not on offer."""

    name, user, address = "smtpd", "opensmtpq", "127.0.2.6"
    whole, for_whom = "new/", b"Delivered-To"
    offers_smtputf8 = False
    told = r"^smtp: \w+: <<< (.*)"

    CONFIGURATION = """
pki here cert "{server.certificate}"
pki here key "{server.key}"
table users {{ "{username}" = "{password}" }}
smtp max-message-size 50M
smtp limit max-rcpt {most}
filter refuse phase rcpt-to match rcpt-to regex "^{refused}@" reject "{refusal}"
filter defer phase rcpt-to match rcpt-to regex "^{deferred}@" reject "{deferral}"
filter recipients chain {{ refuse, defer }}
listen on {server.address} port {server.port} tls pki here \\
    auth-optional <users> filter recipients
listen on {server.address} port {server.implicit_port} smtps pki here \\
    auth-optional <users> filter recipients
action files maildir "{server.mails}" user {server.user} virtual {{ "@" = "{server.user}" }}
match from any for any action files
"""

    def __init__(self, folder):
        super().__init__(folder)
        self.configure(password=run("openssl", "passwd", "-6", PASSWORD).stdout.strip())

    def command(self):
        helpers = Path(program(self.name)).parents[1] / "libexec"
        return self.privately(
            *(program(self.name), "-d", "-T", "smtp", "-f", self.configuration),
            also=[
                f"mount --bind '{helpers}' /usr/libexec",
                *(
                    f"mount -t tmpfs tmpfs {folder}"
                    for folder in ("/run", "/var/lib", "/var/spool")
                ),
                "mkdir -p /var/lib/opensmtpd/empty",
                "mkdir -m 711 /var/spool/smtpd",
            ],
        )

    def has_tls(self):
        """Version 6 has none with OpenSSL 3.

        https://github.com/OpenSMTPD/OpenSMTPD/issues/1171
        """
        return "OpenSMTPD 6." not in run(self.name, "-h").stdout
