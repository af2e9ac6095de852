"""The summary for the postmaster of the reports that were left out by `max_per_hour`.

It says which mail was lost without its sender being told; perhaps senders are forged.
"""

from __future__ import annotations

import hashlib
import textwrap
from collections.abc import Mapping
from email.utils import formatdate

from ..mail.envelope import Envelope
from ..settings.values import NdrSettings
from .bounds import WORDS_ROOM, words_size
from .parts import encoded, safe, text_part
from .report import Report

_WIDTH = 72


def summary(
    left_out: Mapping[str, int], *, settings: NdrSettings, hostname: str, now: float
) -> Report:
    """Build the mail.

    :param left_out: reports by address; those to further addresses by ``""``.
    :param now: seconds since the epoch.
    """
    part = text_part("text/plain; charset=utf-8", encoded(_text(left_out, settings, hostname)))
    origin = encoded(f"{hostname} {now!r}")
    digest = hashlib.sha256(origin + part).hexdigest()[:32]
    message_id = f"<{digest}@{safe(hostname)}>"
    subject = f"{sum(left_out.values())} reports were not sent"
    fields = (
        f"Date: {formatdate(now)}",
        f"From: Mail Delivery System <{safe(settings.sender)}>",
        f"To: <{safe(settings.postmaster)}>",
        f"Subject: {subject}",
        f"Message-ID: {message_id}",
        "Auto-Submitted: auto-generated",
        "MIME-Version: 1.0",
    )
    header = encoded("".join(f"{field}\r\n" for field in fields))
    content_header, _, text = part.partition(b"\r\n\r\n")
    header += content_header + b"\r\n"
    return Report(
        envelope=Envelope(
            reverse_path="",
            recipients=(settings.postmaster,),
            author=settings.sender,
            utf8=not (settings.postmaster + settings.sender).isascii(),
            message_id=message_id,
            subject=subject,
        ),
        content=header + b"\r\n" + text.replace(b"\r\n.", b"\r\n.."),
        header_size=len(header),
    )


def _text(left_out: Mapping[str, int], settings: NdrSettings, hostname: str) -> str:
    lines = []
    size = 0
    further = left_out.get("", 0)
    for address, count in sorted(left_out.items(), key=lambda each: -each[1]):
        if not address:
            continue
        line = f"{count:>8}  <{safe(address)}>"
        size += words_size(line)
        if size > WORDS_ROOM:
            further += count
        else:
            lines.append(line)
    if further:
        lines.append(f"{further:>8}  further addresses")
    why = textwrap.fill(
        f"Reports on what became of mail were not sent to the addresses below, since an address"
        f" gets at most {settings.max_per_hour} reports an hour (max_per_hour in [ndr]). The log"
        f" of {safe(hostname)} names each of them. Perhaps somebody sends mail in the names of"
        " these addresses.",
        _WIDTH,
    )
    return "\r\n".join([*why.split("\n"), "", *lines, ""])
