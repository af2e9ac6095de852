"""The page on which somebody signs in for an account with tokens: by a code, or in a browser."""

from __future__ import annotations

from ...operations.sign_ins import SignIn, SignInState, SignInStep
from ..answers import Answer, Asked, Done, Shown
from .account_file import page_of


async def show(asked: Asked) -> Answer:
    """Show how the sign-in stands."""
    return _shown(asked, await asked.operations.sign_ins.sign_in(asked.name))


def _shown(asked: Asked, told: SignIn) -> Shown:
    return Shown(template="account_login.html", values={"name": asked.name, "sign_in": told})


async def step(asked: Asked) -> Answer:
    """Begin a sign-in, or end it by the address at which a browser has ended."""
    redirected = asked.field("redirected").strip()
    ask = SignInStep(redirected=redirected or None)
    told = await asked.operations.sign_ins.begin_sign_in(asked.name, ask)
    words = {
        SignInState.WAITING: "Began: the sign-in",
        SignInState.DONE: "Signed in",
        SignInState.FAILED: "Failed: the sign-in",
    }
    text = f'{words.get(told.state, "Asked")} for account "{asked.name}"'
    return Done(to=f"{page_of(asked.name)}/login", text=text)
