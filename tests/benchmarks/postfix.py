"""A private Postfix: configuration, queue and data in a folder, on the loopback address only.

Nothing of the system's own Postfix is read or changed, but for its programs and its user.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess

from tests.interop.programs import Program, free_port, program

#: Debian's defaults, without what mail on its way to a relay host has no need of.
_MAIN = """
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
maillog_file = {folder}/mail.log
maillog_file_prefixes = {folder}
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
myhostname = postfix.example.com
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mydestination =
alias_maps =
alias_database =
local_recipient_maps =
mynetworks = 127.0.0.0/8
smtpd_relay_restrictions = permit_mynetworks, reject
relayhost = [{sink.address}]:{sink.port}
default_destination_concurrency_limit = {connections}
initial_destination_concurrency = {connections}
smtp_tls_security_level = none
smtpd_tls_security_level = none
message_size_limit = 0
mailbox_size_limit = 0
# Otherwise it slows clients down while it delivers; that would be unfair to its intake.
in_flow_delay = 0
"""

_MASTER = """
{address}:{port} inet  n - n - - smtpd
pickup    unix  n - n 60 1 pickup
cleanup   unix  n - n - 0 cleanup
qmgr      unix  n - n 300 1 qmgr
rewrite   unix  - - n - - trivial-rewrite
bounce    unix  - - n - 0 bounce
defer     unix  - - n - 0 bounce
trace     unix  - - n - 0 bounce
verify    unix  - - n - 1 verify
flush     unix  n - n 1000? 0 flush
proxymap  unix  - - n - - proxymap
smtp      unix  - - n - - smtp
relay     unix  - - n - - smtp
showq     unix  n - n - - showq
error     unix  - - n - - error
retry     unix  - - n - - error
discard   unix  - - n - - discard
anvil     unix  - - n - 1 anvil
scache    unix  - - n - 1 scache
tlsmgr    unix  - - n 1000? 1 tlsmgr
tlsproxy  unix  - - n - 0 tlsproxy
postlog   unix-dgram n - n - 1 postlogd
"""


class Postfix(Program):
    """A Postfix that hands all mail to a relay host.

    :param sink: the relay host.
    :param connections: most connections to it.
    :param more: further lines of main.cf; the last line for a setting counts.
    """

    address = "127.0.2.3"

    def __init__(self, folder, sink, connections, more=""):
        super().__init__("mail", folder)
        self.port = free_port(self.address)
        self._settings = self.folder / "etc"
        for name in ("etc", "queue", "data"):
            (self.folder / name).mkdir()
        # Its daemons run as another user, who has to find the way to their folders.
        self.folder.chmod(0o755)
        subprocess.run(["chown", "postfix", str(self.folder / "data")], check=True)
        main = _MAIN.format(folder=self.folder, sink=sink, connections=connections)
        master = _MASTER.format(address=self.address, port=self.port)
        (self._settings / "main.cf").write_text(main + more)
        (self._settings / "master.cf").write_text(master)

    def command(self):
        return [program("postfix"), "-c", str(self._settings), "start-fg"]

    def start(self):
        super().start()
        self.listens_at((self.address, self.port))

    def stop(self, timeout=30):
        stop = [program("postfix"), "-c", str(self._settings), "stop"]
        subprocess.run(stop, capture_output=True, timeout=timeout, check=True)
        return self.process.wait(timeout)

    def waiting(self):
        """Count what is in the queue."""
        names = ("incoming", "active", "deferred", "maildrop")
        queues = [self.folder / "queue" / name for name in names]
        return sum(1 for queue in queues for file in queue.rglob("*") if file.is_file())

    def kill(self):
        # The process that was started waits for the master; the daemons end when that has ended.
        master = self.folder / "queue" / "pid" / "master.pid"
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            os.kill(int(master.read_text()), signal.SIGKILL)
        super().kill()

    def __exit__(self, *_):
        with contextlib.suppress(subprocess.SubprocessError):
            if self.process.poll() is None:
                self.stop()
        super().__exit__()
