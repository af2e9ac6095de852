"""The page Explain: which account would take a mail, why no other does, and what would leave."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ...history import Story
from ...operations.errors import BadRequestError, NotFoundError, RefusedError
from ...operations.explained import Explanation
from ...operations.explanation import LONGEST_MESSAGE
from ...operations.values import Question
from ..answers import Answer, Asked, Shown

#: Accounts of a recipient that are shown at once; the others are there to be unfolded.
ACCOUNTS = 50


async def show(asked: Asked) -> Answer:
    """Show it; with the id of a mail, what is so of that one."""
    name = asked.query.get("id", "").strip()
    if name:
        return await _of_mail(asked, name)
    fields = {key: asked.query.get(key, "") for key in ("sender", "recipients")}
    return _shown(fields | {"message": ""})


async def answer(asked: Asked) -> Answer:
    """Explain what was asked for."""
    fields = {key: asked.field(key) for key in ("sender", "recipients", "message")}
    return await _explained(asked, fields)


async def _of_mail(asked: Asked, name: str) -> Answer:
    """Explain a mail that waits, by all of it; or one of the history, by what is known of it."""
    try:
        explanation = await asked.operations.explain_waiting(name)
    except NotFoundError:
        pass
    else:
        addresses = [each.address for each in explanation.recipients]
        fields = {"sender": explanation.sender or "<>", "recipients": "\n".join(addresses)}
        return _shown(fields | {"message": ""}, explanation, about=name)
    try:
        story = await asked.operations.story(name)
    except RefusedError as error:
        raise NotFoundError(f"{name} does not wait, and {error}") from None
    return await _explained(asked, _fields_of(story), about=name)


def _fields_of(story: Story) -> dict[str, str]:
    # For the null sender, the author decides.
    by_author = f"From: {story.author}\nSubject: Example\n\n" if story.author else ""
    return {
        "sender": story.sender or "<>",
        "recipients": "\n".join(story.recipients),
        "message": by_author if not story.sender else "",
    }


async def _explained(asked: Asked, fields: Mapping[str, str], about: str = "") -> Answer:
    question = Question(
        sender=fields["sender"].strip(),
        recipients=tuple(re.split(r"[\s,;]+", fields["recipients"].strip(" \t\r\n,;"))),
        message=fields["message"] or None,
    )
    try:
        explanation = await asked.operations.explain(question)
    except BadRequestError as error:
        return _shown(fields, trouble=str(error))
    return _shown(fields, explanation, about=about)


def _shown(
    fields: Mapping[str, str],
    explanation: Explanation | None = None,
    *,
    about: str = "",
    trouble: str = "",
) -> Shown:
    """Return the page.

    :param about: the id of the mail that is explained; ``""``: of none.
    """
    values: dict[str, Any] = {
        "fields": fields,
        "explanation": explanation,
        "about": about,
        "trouble": trouble,
        "most": ACCOUNTS,
        "longest": LONGEST_MESSAGE,
    }
    return Shown(
        template="explain.html",
        values=values,
        status=422 if trouble else 200,
        slow=bool(explanation),
    )
