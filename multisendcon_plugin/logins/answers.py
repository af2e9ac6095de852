"""What a provider answers: tokens, codes for devices, refusals (RFC 6749 5, RFC 8628 3).  Pure.

An answer may be anything, and ends in a value or in `RefusedError`.  oauthlib is not asked to read
them: it takes what is no JSON for a form, reads the clock, and raises what it likes at wrong types.
"""

from __future__ import annotations

import json
import re
import string
from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from ..settings.repeated import forms
from .token import Token

#: Seconds that a token lives of which the provider does not say it: as long as those of the two
#: large ones, and a refusal costs one more request.
DEFAULT_LIFE = 3600.0
#: Seconds that any token is believed to live: timers and times have to bear it.
LONGEST_LIFE = 366 * 86400.0
#: Seconds until a code for a device may be asked about again (RFC 8628 section 3.2).
DEFAULT_INTERVAL = 5.0

#: These stay until somebody does something.
_FINAL = {
    # RFC 6749 sections 4.1.2.1 and 5.2; RFC 8628 section 3.5; RFC 8707.
    *("invalid_request", "invalid_client", "invalid_grant", "unauthorized_client"),
    *("unsupported_grant_type", "invalid_scope", "access_denied", "expired_token"),
    *("unsupported_response_type", "invalid_target"),
    # OpenID Connect Core section 3.1.2.6: somebody has to sign in again.
    *("interaction_required", "login_required", "consent_required", "account_selection_required"),
    # Microsoft's and Google's own.
    *("invalid_resource", "admin_policy_enforced", "org_internal", "deleted_client"),
    *("disabled_client", "authorization_declined", "bad_verification_code"),
}
_VISIBLE = re.compile(r"[\x21-\x7e]+")
_CODE = re.compile(r"[A-Za-z0-9_.-]{1,60}")
_ADDRESS = re.compile(r"https://[\x21-\x7e]{1,500}|http://(?:127\.|\[::1\])[\x21-\x7e]{1,500}")
#: Characters of a description, as it is read and as it is told.
_LONGEST_READ, _LONGEST_TOLD = 2000, 300
#: So many characters in a row that also were in a secret are not told.
_PIECE = 8
_MASK = "***"
#: Encodings have digits in either case; unlike `str.lower`, this leaves a text as long as it is.
_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
#: What a token may look like, also one that was not ours.
_TOKEN_LIKE = re.compile(r"[A-Za-z0-9_.~+=-]{40,}")
#: Microsoft's descriptions go on with numbers of the request.
_FOR_SUPPORT = re.compile(r"\s*Trace ID:.*", re.DOTALL)


class RefusedError(Exception):
    """There is no token; the text says why, and nothing secret.

    :param code: of RFC 6749 section 5.2, or the provider's own; ``""``: there is none.
    :param final: it stays so until somebody does something.
    :param pause: seconds after which the provider may be asked again; ``None``: it does not say.
    """

    def __init__(
        self, text: str, *, code: str = "", final: bool = False, pause: float | None = None
    ) -> None:
        super().__init__(text)
        self.code = code
        self.final = final
        self.pause = pause


@attrs.frozen
class Answer:
    """An answer as it came by HTTP.

    :param retry_after: seconds; ``None``: it does not say.
    """

    status: int
    body: bytes = attrs.field(repr=False)
    retry_after: float | None = None


@attrs.frozen(kw_only=True)
class DeviceCode:
    """Lets somebody sign in on any device.

    :param life: seconds that it is good for.
    :param interval: seconds between two questions whether somebody has.
    :param complete_url: with the code in it; ``""``: there is none.
    :param message: what the provider says of it; ``""``: nothing.
    """

    device_code: str = attrs.field(repr=False)
    user_code: str
    url: str
    complete_url: str
    message: str
    life: float
    interval: float


def read_token(answer: Answer, sent: Iterable[str], now: float) -> Token:
    """Read the answer to a request for a token.

    :param sent: what was secret of the request.
    :param now: the time by the wall clock.
    :raise RefusedError: it has no token that is of use.
    """
    value = _read_object(answer, sent)
    kind = value.get("token_type", "bearer")
    if not isinstance(kind, str) or kind.lower() != "bearer":
        raise RefusedError("answers with a token that is not of the type Bearer (RFC 6750)")
    life = _seconds(value.get("expires_in"), DEFAULT_LIFE)
    if life is None:
        raise RefusedError("answers with an expires_in that is no number of seconds")
    if life <= 0:
        raise RefusedError("answers with a token that has run out already")
    refresh = value.get("refresh_token")
    return Token(
        access_token=_visible(value, "access_token"),
        expires_at=now + min(life, LONGEST_LIFE),
        refresh_token=_visible(value, "refresh_token") if refresh not in (None, "") else "",
        refreshed_at=now,
        obtained_at=now,
    )


def read_device_code(answer: Answer, sent: Iterable[str]) -> DeviceCode:
    """Read the answer to a request for a code for a device.

    :param sent: what was secret of the request.
    :raise RefusedError: it has no code that is of use.
    """
    value = _read_object(answer, sent)
    # Google has the older name.
    url = _address(value.get("verification_uri") or value.get("verification_url"))
    life = _seconds(value.get("expires_in"), 600.0)
    interval = _seconds(value.get("interval"), DEFAULT_INTERVAL)
    if not url or not life or life < 0 or interval is None:
        raise RefusedError("answers with something else than a code for a device (RFC 8628)")
    message = value.get("message")
    return DeviceCode(
        device_code=_visible(value, "device_code"),
        user_code=_visible(value, "user_code"),
        url=url,
        complete_url=_address(value.get("verification_uri_complete")),
        message=_line(message) if isinstance(message, str) else "",
        life=min(life, 86400.0),
        interval=min(max(interval, 1.0), 60.0),
    )


def refusal_of(value: Mapping[str, Any], sent: Iterable[str]) -> tuple[str, str]:
    """Return the code and the description of a refusal; ``""``: it has none.

    :param value: what a provider says, in an answer or by a browser.
    :param sent: what must not be repeated.
    """
    said: Any = value.get("error")
    description = value.get("error_description")
    if isinstance(said, dict):  # as Google's other servers answer
        said, description = said.get("status"), said.get("message")
    code = _told(said, sent) if isinstance(said, str) else ""
    if not _CODE.fullmatch(code):
        code = ""
    return code, _told(description, sent) if isinstance(description, str) else ""


def _read_object(answer: Answer, sent: Iterable[str]) -> dict[str, Any]:
    """Return the object of an answer that is no refusal."""
    try:
        value = json.loads(answer.body)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        value = {}
    status = answer.status
    good = 200 <= status < 300
    if good and "error" not in value:
        if not value:
            raise RefusedError("answers with something else than JSON; see token_url")
        return value
    code, description = refusal_of(value, sent)
    if not code:
        raise RefusedError(_without_code(status, description), pause=answer.retry_after)
    # What a server says that is overloaded or broken is not about us.
    final = code in _FINAL and status < 500 and status not in (408, 429)
    text = f"refuses a token: {code}" + (f" ({description})" if description else "")
    raise RefusedError(text, code=code, final=final, pause=answer.retry_after)


def _without_code(status: int, description: str) -> str:
    if 300 <= status < 400:
        return f"answers {status}, which leads elsewhere and is not followed; see token_url"
    said = f" ({description})" if description else ""
    hint = "; see token_url" if 400 <= status < 500 and status not in (408, 429) else ""
    return f"answers {status}{said}{hint}"


def _seconds(value: object, default: float) -> float | None:
    """Return a number of seconds; ``None``: it is none."""
    if value is None:
        return default
    if isinstance(value, str) and re.fullmatch(r"\d{1,15}", value, re.ASCII):
        return float(value)
    # Beyond, a float has no room for it.
    if type(value) in (int, float) and abs(value) < 1e15:  # type: ignore[arg-type]
        return float(value)  # type: ignore[arg-type]
    return None


def _visible(value: Mapping[str, Any], name: str) -> str:
    """Return a text that can be sent in a line and a form: VSCHAR of RFC 6749 without blanks."""
    text = value.get(name)
    if not isinstance(text, str) or not _VISIBLE.fullmatch(text):
        raise RefusedError(f"answers without {name} that could be used (RFC 6749 section 5.1)")
    return text


def _address(value: object) -> str:
    """Return an address that people can be sent to; ``""``: it is none."""
    return value if isinstance(value, str) and _ADDRESS.fullmatch(value) else ""


def _told(text: str, sent: Iterable[str]) -> str:
    """Return what a provider says, as far as it may be told."""
    text = _FOR_SUPPORT.sub("", _masked(text[:_LONGEST_READ], sent))
    return _line(_TOKEN_LIKE.sub(_MASK, text))


def _line(text: str) -> str:
    line = "".join(each if each.isprintable() else " " for each in text)
    line = " ".join(line.split())
    return line if len(line) <= _LONGEST_TOLD else f"{line[:_LONGEST_TOLD]}..."


def _masked(text: str, sent: Iterable[str]) -> str:
    """Return a text without any piece of a secret, as it is or as it may be encoded."""
    lowered = text.translate(_LOWER)
    hidden = [False] * len(text)
    for form in {form.lower() for secret in sent for form in forms(secret.encode())}:
        whole = form.decode()
        length = min(_PIECE, len(whole)) or 1
        for start in range(len(text) - length + 1):
            if lowered[start : start + length] in whole:
                hidden[start : start + length] = [True] * length
    pieces = []
    for position, letter in enumerate(text):
        if not hidden[position]:
            pieces.append(letter)
        elif position == 0 or not hidden[position - 1]:
            pieces.append(_MASK)
    return "".join(pieces)
