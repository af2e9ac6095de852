"""The octets of the frames about messages, written and read by hand: each mail has one each way.

What is read is data, never code.  What comes seldom goes through `converter`.  Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import starmap
from json import JSONDecoder
from operator import attrgetter
from struct import pack, unpack
from typing import Any

from ..errors import SpoolBrokenError, SpoolError, SpoolFullError
from ..mail.envelope import Envelope
from ..mail.json_form import Texts, decode, encode, envelope_of, recipient_of, texts_of
from ..mail.message import Parcel

_SIZE = 4
_read = JSONDecoder().raw_decode
_ROUTE = attrgetter("account", "destination")
_ERRORS = {error.__name__: error for error in (SpoolError, SpoolFullError, SpoolBrokenError)}


def commit_octets(
    envelope: Envelope, header_size: int, parcels: tuple[Parcel, ...], content: bytes
) -> bytes:
    """Return what goes with a message that is to be committed.

    The first line has what is not stored as it is, the others are the texts of the message.

    :param content: the rest of it.
    """
    routes = list(map(_ROUTE, parcels))
    written, recipients = texts_of(envelope, parcels)
    lines = "\n".join((encode((header_size, routes)), written, *recipients)).encode()
    return b"".join((len(lines).to_bytes(_SIZE, "big"), lines, content))


def read_commit(octets: bytes) -> tuple[Envelope, int, tuple[Parcel, ...], Texts, bytes]:
    """Return envelope, size of the header, parcels, their texts and the rest of the content.

    :raise ValueError: it cannot be read.
    """
    end = _SIZE + int.from_bytes(octets[:_SIZE], "big")
    lines = octets[_SIZE:end].decode("ascii").split("\n")
    said: list[Any] = []
    for line in lines:
        value, stop = _read(line)
        if stop != len(line):
            raise ValueError("a line that is more than one value")
        said.append(value)
    (header_size, routes), envelope, *listed = said
    parcels = []
    for (account, destination), each in zip(routes, listed, strict=True):
        recipients = tuple(starmap(recipient_of, each))
        parcels.append(Parcel(account=account, recipients=recipients, destination=destination))
    texts = lines[1], lines[2:]
    return envelope_of(envelope), header_size, tuple(parcels), texts, octets[end:]


def committed_octets(numbers: Sequence[int]) -> bytes:
    """Return which messages are durable."""
    return pack(f">{len(numbers)}Q", *numbers)


def read_committed(octets: bytes) -> tuple[int, ...]:
    """Return which messages are durable.

    :raise struct.error: it cannot be read.
    """
    return unpack(f">{len(octets) // 8}Q", octets)


def error_octets(error: BaseException | None) -> bytes:
    """Return why a message was not stored."""
    kind = next((name for name, each in _ERRORS.items() if type(error) is each), "SpoolError")
    return encode((kind, str(error))).encode()


def read_error(octets: bytes) -> SpoolError:
    """Return why a message was not stored.

    :raise ValueError: it cannot be read.
    """
    kind, text = decode(octets.decode())
    return _ERRORS[kind](text)
