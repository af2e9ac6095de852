"""A provider whose replies are made to do something to who reads them.

Recipients whose address begins with "refused" are refused for good, those with "later" for now; the
reply to a mail is hostile, too.
"""

from __future__ import annotations

from multisendcon_plugin.mail.reply import Reply
from multisendcon_plugin.testing import Provider
from tests.interop.page.hostile import IMAGE, SCRIPT
from tests.interop.provider import ProviderProcess, main


class EvilProvider(ProviderProcess):
    """One in a process of its own."""

    program = "tests.interop.page.evil_provider"


def answer(phase, about):
    if phase == "rcpt" and about.startswith("refused"):
        return Reply(550, "5.1.1", f"nobody {SCRIPT} {IMAGE}")
    if phase == "rcpt" and about.startswith("later"):
        return Reply(451, "4.2.1", f"later {SCRIPT} {IMAGE}")
    return None


if __name__ == "__main__":
    main(Provider, answer=answer)
