"""The octets of the frames about a message, written and read by hand: each mail has two.

What is read is data, never code.  What comes seldom goes through `converter`.  Pure.
"""

from __future__ import annotations

import json

from ..errors import SpoolBrokenError, SpoolError, SpoolFullError
from ..mail.dsn import Return
from ..mail.envelope import Client, Envelope
from ..mail.json_form import plain, recipient_of
from ..mail.message import Parcel

_SIZE = 4
_ERRORS = {error.__name__: error for error in (SpoolError, SpoolFullError, SpoolBrokenError)}


def commit_octets(
    envelope: Envelope, header_size: int, parcels: tuple[Parcel, ...], content: bytes
) -> bytes:
    """Return what goes with a message that is to be committed.

    :param content: the rest of it.
    """
    said = json.dumps(
        (
            envelope.reverse_path,
            envelope.recipients,
            envelope.eight_bit,
            envelope.utf8,
            envelope.author,
            envelope.returns and envelope.returns.value,
            envelope.envelope_id,
            envelope.client,
            header_size,
            [
                (each.account, [plain(one) for one in each.recipients], each.destination)
                for each in parcels
            ],
        )
    ).encode()
    return b"".join((len(said).to_bytes(_SIZE, "big"), said, content))


def read_commit(octets: bytes) -> tuple[Envelope, int, tuple[Parcel, ...], bytes]:
    """Return envelope, size of the header, parcels and the rest of the content.

    :raise ValueError: it cannot be read.
    """
    end = _SIZE + int.from_bytes(octets[:_SIZE], "big")
    reverse_path, recipients, eight_bit, utf8, author, returns, envelope_id, *more = json.loads(
        octets[_SIZE:end]
    )
    client, header_size, parcels = more
    envelope = Envelope(
        reverse_path=reverse_path,
        recipients=tuple(recipients),
        eight_bit=eight_bit,
        utf8=utf8,
        author=author,
        returns=None if returns is None else Return(returns),
        envelope_id=envelope_id,
        client=client and Client(*client),
    )
    return envelope, header_size, tuple(_parcel(*each) for each in parcels), octets[end:]


def _parcel(
    account: str, recipients: list[tuple[str, str, int | None, str]], destination: str
) -> Parcel:
    listed = tuple(recipient_of(*each) for each in recipients)
    return Parcel(account=account, recipients=listed, destination=destination)


def error_octets(error: BaseException | None) -> bytes:
    """Return why a message was not stored."""
    kind = next((name for name, each in _ERRORS.items() if type(error) is each), "SpoolError")
    return json.dumps((kind, str(error))).encode()


def read_error(octets: bytes) -> SpoolError:
    """Return why a message was not stored.

    :raise ValueError: it cannot be read.
    """
    kind, text = json.loads(octets)
    return _ERRORS[kind](text)
