"""The page Accounts: all of them in order of priority; and the page of one of them."""

from __future__ import annotations

from functools import partial

from ...operations.account_list import AccountPage
from ...operations.parts import Part
from ...operations.values import AccountTest
from ...outcome.condition import State
from ..answers import Answer, Asked, Done, Handler, Shown
from ..filters import address_of_part, part_of
from .account_file import page_of

#: What can be done at once, and the word for what was.
DONE = {"pause": "Paused", "resume": "Resumed", "probe": "Probed"}


async def show(asked: Asked) -> Answer:
    """Show the list."""
    part = part_of(asked.query)
    found = await asked.operations.account_list.page(part)
    to = partial(address_of_part, "/accounts", part)
    values = {
        "part": part,
        "found": found,
        "states": State,
        "previous": to(page=found.page - 1) if found.page > 1 else "",
        "next": to(page=found.page + 1) if found.page < found.pages else "",
        "here": to(page=found.page),
        "is_whole": _is_whole(part, found),
    }
    return Shown(template="accounts.html", values=values)


def _is_whole(part: Part, found: AccountPage) -> bool:
    """Tell whether accounts that stand below each other are so in the file, too."""
    return not part.words and part.state is None and found.found > 0


async def show_one(asked: Asked) -> Answer:
    """Show all that is known of an account."""
    row = await asked.operations.account_list.one(asked.name)
    return Shown(template="account.html", values={"row": row, "each": row.status, "tested": None})


def act(verb: str) -> Handler:
    """Return what answers a button that does something at once."""
    return partial(_act, verb=verb)


async def _act(asked: Asked, verb: str) -> Answer:
    operations = asked.operations
    does = {"pause": operations.pause, "resume": operations.resume, "probe": operations.probe}
    await does[verb](asked.name)
    back = asked.field("back")
    to = back if back == "/accounts" or back.startswith("/accounts?") else page_of(asked.name)
    return Done(to=to, text=f'{DONE[verb]}: account "{asked.name}"')


async def test(asked: Asked) -> Answer:
    """Test an account, and show all of it at the end: who runs scripts sees each step."""
    to, sender = (asked.field(each).strip() for each in ("to", "from"))
    test = AccountTest(
        to=to or None, sender=sender or None, connections=bool(asked.field("connections"))
    )
    tested = await asked.operations.test(asked.name, test)
    row = await asked.operations.account_list.one(asked.name)
    acted = f'Tested: account "{asked.name}"' + (f", with a mail to {to}" if to else "")
    values = {"row": row, "each": row.status, "tested": tested}
    return Shown(template="account.html", values=values, acted=acted)
