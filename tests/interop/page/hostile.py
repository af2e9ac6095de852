"""What clients and providers write to have a browser do something."""

from __future__ import annotations

#: Where one of them works, a dialog opens, or an element of these is on the page.
SCRIPT = "<script>alert('script')</script>"
IMAGE = '"><img src=x class=evil onerror=alert(1)>'
SVG = "</textarea></title><svg class=evil onload=alert(2)>"
TEMPLATE = "{{ 7 * 6 }}{% if 1 %}"
ADDRESS = "javascript:alert(3)"
TURNED = "\u202egpj.evil\u202c"
ALL = (SCRIPT, IMAGE, SVG, TEMPLATE, ADDRESS, TURNED)

#: What is on a page where one of them was taken for HTML.
MADE = ".evil, img, main script, iframe, object, embed, a[href^='javascript'], [onerror], [onload]"
