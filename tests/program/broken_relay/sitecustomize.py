"""Errors in our own code, and less patience, in a relay that has this folder on its path.

Python imports a module of this name at its start.
"""

from __future__ import annotations

import sys

if any("twistd" in each for each in sys.orig_argv):
    from multisendcon_plugin.daemon import sd_notify
    from multisendcon_plugin.monitoring import webhook
    from multisendcon_plugin.relay.login import Login
    from multisendcon_plugin.relay.sender import AccountSender

    sd_notify.STATUS_EVERY = 0.2
    webhook.PAUSES = (0.05,)

    def begin_mail(self, begin=AccountSender.begin_mail):
        begin(self)
        if self.account.name.endswith("broken"):
            raise ZeroDivisionError("m4rker: at MAIL")

    async def attempt(self, session, credential, attempt=Login._attempt):
        if session.account.name.endswith("broken login"):
            raise ZeroDivisionError("m4rker: at the login")
        return await attempt(self, session, credential)

    AccountSender.begin_mail = begin_mail
    Login._attempt = attempt
