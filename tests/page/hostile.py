"""What strangers write to do something to who reads it."""

from __future__ import annotations

import re

_OF_FIELDS = re.compile("<textarea.*?</textarea>|<option.*?</option>|<[^>]*>", re.DOTALL)

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "{{ 7 * 7 }}{% raw %}",
    "</textarea></title><svg onload=alert(1)>",
    "javascript:alert(1)",
    "&lt;b&gt; \u202eevil\u202c \x00 \udce4",
)


def is_harmless(page):
    """Tell whether a page has nothing of it but as text, in which nothing is turned or hidden.

    In a field, text is as it was typed.
    """
    if {"\u202e", "\u202c"} & set(_OF_FIELDS.sub("", page.html)):
        return False
    return not [
        (tag, found)
        for tag, found in page.tags
        if tag in ("img", "svg", "b")
        or any(name.startswith("on") for name in found)
        or (tag == "script" and not found.get("src", "").startswith("/static/"))
        or found.get("href", "").startswith("javascript:")
    ]
