"""When a token is to be renewed, and when a provider that fails is asked again.  Pure."""

from __future__ import annotations

#: Seconds that a token has left when a session gets it: ten minutes, since some servers refuse one
#: with less (Microsoft's High Volume Email: "501 5.5.127 ... Token will expire soon"), and one in
#: which the session is opened.
MARGIN = 660.0
#: Tokens that live shorter are renewed at two thirds of their life.
SHORT_LIFE = 1200.0
#: A part of the margin: so much earlier, so that not all accounts ask at once.
_SPREAD = 0.25
#: Seconds after which a refresh token that nobody uses is used: it dies of disuse, with Microsoft
#: after 90 days, with Google after six months, with others earlier.
IDLE = 3 * 86400.0
#: Seconds in which the idle ones of a relay that has just started are spread.
AFTER_START = 60.0
#: Seconds until a token that could not be written is written again.
WRITE_AGAIN = 30.0
#: Seconds between two looks whether somebody has signed in, while there is no new token.
LOOK_AGAIN = 10.0
#: Seconds until a provider that fails is asked again, at first and at most.
FIRST_PAUSE, LONGEST_PAUSE = 5.0, 300.0


def margin(life: float) -> float:
    """Return how many seconds a token has to have left for a session.

    :param life: how many seconds it lives.
    """
    return MARGIN if life >= SHORT_LIFE else max(life, 0.0) / 3


def ahead(life: float, jitter: float) -> float:
    """Return how many seconds before its end a token that is in use is renewed.

    :param jitter: from 0 to 1.
    """
    return margin(life) * (1 + _SPREAD * jitter)


def idle_after(jitter: float) -> float:
    """Return how many seconds after its last use a refresh token is used that nobody needs.

    :param jitter: from 0 to 1.
    """
    return IDLE * (1 - _SPREAD * jitter)


def pause(failures: int, wanted: float | None, jitter: float) -> float:
    """Return how many seconds a provider that fails is not asked.

    :param failures: in a row, from 1.
    :param wanted: what the provider demands: never less.
    :param jitter: from 0 to 1.
    """
    grown = min(FIRST_PAUSE * 2.0 ** min(failures - 1, 10), LONGEST_PAUSE)
    return max(grown, wanted or 0.0) * (1 + _SPREAD * jitter)
