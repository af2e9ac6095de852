"""What the configuration file has of accounts, and changes of it that are asked for first.

The question shows the difference, and which mail would leave by another account.  Its answer is the
same form once more, with ``confirmed`` and the hash of the file that was shown.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from typing import Any

import attrs

from ...operations.configured import ConfigurationChange, Order, Removal, Seen
from ...operations.errors import BadRequestError, NotFoundError
from ..answers import Answer, Asked, Done, Shown
from ..wording import segment, warned

#: Accounts of which the names are offered; of more, a name is written.
MOST_OFFERED = 200


@attrs.frozen(kw_only=True)
class Written:
    """The accounts of the file, in order of priority.

    :param values: what it has of each, by key.
    """

    hash: str
    values: dict[str, dict[str, Any]]

    @property
    def names(self) -> list[str]:
        """Return their names."""
        return list(self.values)

    def of(self, name: str) -> dict[str, Any]:
        """Return what is written of one.

        :raise NotFoundError: nothing is.
        """
        if name not in self.values:
            raise NotFoundError(
                f'the configuration file has no account "{name}"; the page Configuration shows it'
            )
        return self.values[name]


async def written(asked: Asked) -> Written:
    """Read the file."""
    values = {}
    hash_ = ""
    async for piece in asked.operations.configuring.configured_accounts():
        for each in piece:
            values[each.name] = each.values
            hash_ = each.hash
    return Written(
        hash=hash_ or (await asked.operations.configuring.configuration()).hash, values=values
    )


def question(
    change: ConfigurationChange,
    *,
    verb: str,
    title: str,
    path: str,
    back: str,
    fields: Iterable[tuple[str, str]] = (),
    waiting: int = 0,
    name: str = "",
) -> Shown:
    """Ask whether the file is to be changed so.

    :param verb: of the button.
    :param title: what is asked.
    :param path: of the form.
    :param back: of the page for those who do not want it.
    :param fields: of the form, beside those of each.
    :param waiting: deliveries that are routed anew.
    :param name: of the account that they wait for.
    """
    values = {
        "change": change,
        "verb": verb,
        "question": title,
        "action": path,
        "back": back,
        "fields": tuple(fields),
        "waiting": waiting,
        "name": name,
    }
    return Shown(template="account_question.html", values=values)


def page_of(name: str) -> str:
    """Return the path of the page of an account."""
    return f"/accounts/{segment(name)}"


async def remove(asked: Asked) -> Answer:
    """Remove an account; what waits for it is routed anew."""
    configuring = asked.operations.configuring

    def change(seen: Seen) -> Awaitable[ConfigurationChange]:
        return configuring.remove_account(asked.name, Removal(seen=seen))

    made, confirmed = await _asked_first(asked, await written(asked), change)
    if confirmed:
        told = f'Removed: account "{asked.name}"; what waited for it is routed anew'
        return Done(to="/accounts", text=told, details=warned(made.warnings))
    waiting = 0
    # It may be in the file only.
    with suppress(NotFoundError):
        waiting = (await asked.operations.account_list.one(asked.name)).status.waiting
    return question(
        made,
        verb="Remove",
        title=f'Remove account "{asked.name}"?',
        path=f"{page_of(asked.name)}/remove",
        back=page_of(asked.name),
        waiting=waiting,
        name=asked.name,
    )


async def move(asked: Asked) -> Answer:
    """Give an account another place in the order of priority."""
    file = await written(asked)
    wanted = _in_new_order(file.names, asked.name, asked.field("place"), asked.field("before"))
    configuring = asked.operations.configuring

    def change(seen: Seen) -> Awaitable[ConfigurationChange]:
        return configuring.order_accounts(Order(seen=seen, names=tuple(wanted)))

    made, confirmed = await _asked_first(asked, file, change)
    place = wanted.index(asked.name) + 1
    if confirmed:
        told = f'Moved: account "{asked.name}", to place {place} of {len(wanted)}'
        return Done(to="/accounts", text=told, details=warned(made.warnings))
    return question(
        made,
        verb="Move",
        title=f'Move account "{asked.name}" to place {place} of {len(wanted)}?',
        path=f"{page_of(asked.name)}/order",
        back="/accounts",
        fields=[(name, asked.field(name)) for name in ("place", "before")],
    )


def _in_new_order(names: list[str], name: str, place: str, before: str) -> list[str]:
    """Return names in another order.

    :param place: ``"up"`` or ``"down"``, or ``"last"``; ``""``: before another one.
    :raise NotFoundError: the file has no such account.
    :raise BadRequestError: there is no such place.
    """
    if name not in names:
        raise NotFoundError(f'the configuration file has no account "{name}"')
    left = [each for each in names if each != name]
    steps = {"up": -1, "down": 1}
    if place in steps:
        to = names.index(name) + steps[place]
    elif place == "last":
        to = len(left)
    elif before in left:
        to = left.index(before)
    else:
        raise BadRequestError(f'"{before}" is none of the other accounts')
    if not 0 <= to <= len(left):
        raise BadRequestError(f'account "{name}" is the {"first" if to < 0 else "last"} already')
    return [*left[:to], name, *left[to:]]


async def _asked_first(
    asked: Asked, file: Written, change: Callable[[Seen], Awaitable[ConfigurationChange]]
) -> tuple[ConfigurationChange, bool]:
    """Make a change, or say what it would be; and whether it was made."""
    confirmed = bool(asked.field("confirmed"))
    hash_ = asked.field("hash") if confirmed else file.hash
    return await change(Seen(hash=hash_, dry_run=not confirmed)), confirmed
