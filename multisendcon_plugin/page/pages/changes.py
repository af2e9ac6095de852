"""What is done to mail that waits, by forms of the pages Mails and Queue.

What is deleted or moved, and what is done to all that a filter admits, is asked for first: the
question says how much it is.  Its answer is the same form once more, with ``confirmed``.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import attrs

from ...operations.errors import BadRequestError
from ...operations.values import Changed, Chosen, Deletion, Filter, Move
from ..answers import Answer, Asked, Done, Handler, Shown
from ..filters import address, filter_of, said
from ..wording import count, segment

#: What can be done, and the word for what was.
DONE = {
    "retry": "Due now",
    "hold": "Held",
    "release": "Released",
    "delete": "Deleted",
    "move": "Moved",
}
#: Why something that was found was not changed.
_WHY_NOTHING = {
    "retry": "what is held is not tried; release it",
    "hold": "all of it is held already",
    "release": "nothing of it is held",
    "delete": "all of it has left meanwhile",
    "move": "all of it is there already",
}
#: What is not done before somebody has said so twice.
_ASKED_FIRST = ("delete", "move")


@attrs.frozen
class _Wish:
    """What somebody wants to do.

    :param path: of the form.
    :param back: the address of the page from which it came.
    :param chosen: to what.
    """

    asked: Asked
    verb: str
    path: str
    back: str
    chosen: Chosen

    @property
    def confirmed(self) -> bool:
        return bool(self.asked.field("confirmed")) or (
            self.chosen.filter is None and self.verb not in _ASKED_FIRST
        )

    @property
    def to_account(self) -> str:
        if name := self.asked.field("to_account").strip():
            return name
        raise BadRequestError("choose the account to which the mail is to be moved")

    def move(self) -> Move:
        force = bool(self.asked.field("force"))
        return Move(chosen=self.chosen, to_account=self.to_account, force=force)

    async def done(self, chosen: Chosen) -> Changed:
        """Do it, or count what would be done."""
        operations = self.asked.operations
        if self.verb == "delete":
            notify = bool(self.asked.field("notify"))
            return await operations.delete(Deletion(chosen=chosen, notify=notify))
        if self.verb == "move":
            return await operations.move(self.move())
        simple: dict[str, Callable[[Chosen], Awaitable[Changed]]] = {
            "retry": operations.retry,
            "hold": operations.hold,
            "release": operations.release,
        }
        return await simple[self.verb](chosen)


def of_queue(verb: str) -> Handler:
    """Return what answers the form of the list: to the rows chosen, or to all that is admitted."""
    return partial(_of_queue, verb=verb)


async def _of_queue(asked: Asked, verb: str) -> Answer:
    fields = said(asked.query, Filter)
    what = asked.field("what", "chosen")
    ids = asked.form.get("shown" if what == "shown" else "ids", [])
    if what == "all" and fields:
        chosen = Chosen(filter=filter_of(asked.query, Filter))
    elif what != "all" and ids:
        chosen = Chosen(ids=tuple(ids))
    else:
        raise BadRequestError(
            "no mail is chosen: mark the boxes of some, or set a filter and choose all of it"
        )
    path, back = address(f"/queue/{verb}", fields), address("/queue", fields)
    return await _answer(_Wish(asked, verb, path, back, chosen))


def of_mail(verb: str) -> Handler:
    """Return what answers the forms of the page of one mail."""
    return partial(_of_mail, verb=verb)


async def _of_mail(asked: Asked, verb: str) -> Answer:
    back = f"/mails/{segment(asked.name)}"
    return await _answer(_Wish(asked, verb, f"{back}/{verb}", back, Chosen(ids=(asked.name,))))


async def _answer(wish: _Wish) -> Answer:
    if not wish.confirmed:
        return await _question(wish)
    changed = await wish.done(wish.chosen)
    if not changed.changed:
        return Done(to=wish.back, text=f"Nothing has changed: {_WHY_NOTHING[wish.verb]}")
    what = f"{DONE[wish.verb]}: {_counted(changed)}"
    if wish.verb == "move":
        what += f', to "{wish.to_account}"'
    details = [f"{each} is not in the queue any more" for each in changed.missing]
    return Done(to=wish.back, text=what, details=tuple(details))


async def _question(wish: _Wish) -> Answer:
    values: dict[str, Any] = {
        "verb": wish.verb,
        "path": wish.path,
        "back": wish.back,
        "fields": said(wish.asked.query, Filter) if wish.chosen.filter else {},
        "ids": wish.chosen.ids or (),
        "outlook": None,
    }
    if wish.verb == "move":
        values["outlook"] = outlook = await wish.asked.operations.outlook(wish.move())
        changed, any_ = outlook.admitted, outlook.refused.count
    else:
        changed, any_ = await wish.done(attrs.evolve(wish.chosen, dry_run=True)), 0
    values |= {"counted": _counted(changed), "any": changed.changed or any_}
    return Shown(template="question.html", values=values)


def _counted(changed: Changed) -> str:
    """Return in words how much was changed."""
    deliveries, mails = changed.changed, len(changed.ids)
    what = f"{count(deliveries)} {'delivery' if deliveries == 1 else 'deliveries'}"
    return f"{what} of {count(mails)} {'mail' if mails == 1 else 'mails'}"
