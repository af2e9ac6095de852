"""What the guide of direct delivery shows of commands is what they print.

``python -m tests.operations.test_direct_guide`` prints it.
"""

from __future__ import annotations

import contextlib
import io
import textwrap
from pathlib import Path
from unittest import mock

import pytest

from multisendcon_plugin.admin import accounts, explain
from multisendcon_plugin.operations.explained import ExplainedHost, ExplainedRoute
from multisendcon_plugin.operations.json_form import to_json
from multisendcon_plugin.relay.direct import examination
from tests.operations.test_direct_account_tests import PTR, Examiner
from tests.relays import Server

GUIDE = Path(__file__).parents[2] / "docs" / "direct.rst"
NAME, SIX = "out.example.com", "2001:db8::11"


def _server():
    return Server("PIPELINING", "8BITMIME", "SIZE 52428800")


def a_test():
    """Return what the test of an account prints that has no name for its second address."""
    test = Examiner(local_address=("192.0.2.11", SIX), helo_domain=NAME)
    del test.zones[PTR]
    test.zones["11.2.0.192.in-addr.arpa"] = {"PTR": [NAME]}
    test.zones[NAME] = {"A": ["192.0.2.11"], "AAAA": [SIX]}
    test.world.domain("partner.example", "mx1.partner.example")
    test.world.host("mx1.partner.example", "198.51.100.7", server=_server)
    to = "anna@partner.example"
    with mock.patch.object(examination, "bind_once"):
        tested = to_json(test.run(sender="boss@example.com", to=to))
    return [
        f"$ multisendcon account test Directly --from boss@example.com --to {to}",
        *printed(lambda: [*map(accounts._tell, tested["steps"]), accounts._conclude(tested, to)]),
    ]


def an_explanation():
    """Return what is printed of two domains."""
    host = ExplainedHost(
        name="mx1.partner.example",
        preference=10,
        addresses=("2001:db8:7::7", "198.51.100.7"),
        policy="mta-sts",
        testing=False,
        tls="starttls",
        tls_required=True,
        why="the MTA-STS policy of partner.example wants a valid certificate for"
        " mx1.partner.example",
    )
    routes = [
        ExplainedRoute(destination="partner.example", hosts=(host,)),
        ExplainedRoute(
            destination="nomail.example",
            problem="556 5.1.10 the domain nomail.example takes no mail (null MX)",
        ),
    ]
    lines = explain._routes(to_json(routes))
    return [f"  {title:<9}  {line}" for title, line in zip(["to", "", ""], lines, strict=True)]


def printed(show):
    """Return the lines that something prints."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        show()
    # The name of an account, and addresses, as the guide has them.
    text = (
        out.getvalue().replace("Direct c", "Directly c").replace("192.0.2.10 to", "192.0.2.11 to")
    )
    return text.splitlines()


SHOWN = (a_test, an_explanation)


@pytest.mark.parametrize("shown", SHOWN)
def test_the_guide_shows_what_is_printed(shown):
    text = textwrap.indent("\n".join(shown()), "    ")
    assert text in GUIDE.read_text("utf-8")


if __name__ == "__main__":
    for each in SHOWN:
        print(textwrap.indent("\n".join(each()), "    "), "\n")
