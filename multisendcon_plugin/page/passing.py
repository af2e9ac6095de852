"""What happens to mails as rows of the live flow: short, whatever others have written.  Pure."""

from __future__ import annotations

from typing import Any

from .wording import moment, visible

#: Characters of a text, and recipients that are named.
_LONGEST, _NAMED = 200, 3


def row(plain: dict[str, Any]) -> dict[str, str]:
    """Return a row of something that has happened to a mail.

    :param plain: as in the events of the API.
    """
    recipients = plain["recipients"]
    more = len(recipients) - _NAMED
    named = ", ".join(map(_short, recipients[:_NAMED]))
    account = plain["account"]
    if to_account := plain.get("to_account"):
        account = f"{account} → {to_account}"
    return {
        "id": plain["id"],
        "time": moment(plain["time"])[11:19],
        "event": plain["event"],
        "sender": _short(plain["sender"]) or "<>",
        "recipients": f"{named} and {more} more" if more > 0 else named,
        "account": account,
        "reply": _short(plain.get("reply") or plain.get("reason") or ""),
    }


def _short(text: str) -> str:
    return visible(text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…")
