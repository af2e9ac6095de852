"""As what others may repeat a secret that they were told: as it is, or encoded.  Pure."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Iterator
from urllib.parse import quote, quote_plus


def forms(secret: bytes) -> Iterator[bytes]:
    """Yield a secret as it may be repeated."""
    yield secret
    yield base64.b64encode(secret).rstrip(b"=")
    yield quote(secret).encode()
    yield quote(secret, safe="").encode()
    yield quote_plus(secret).encode()
    text = secret.decode("utf-8", "replace")
    # Who looks for them knows upper and lower case in ASCII only.
    for cased in {text, text.upper(), text.lower()}:
        yield cased.encode()
        yield html.escape(cased).encode()
        yield json.dumps(cased)[1:-1].encode()
        yield json.dumps(cased, ensure_ascii=False)[1:-1].encode()
